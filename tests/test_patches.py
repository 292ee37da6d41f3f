"""Columns of frames and patches give the records that they were made of."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn import patch_of

from dsel.patches import ClassImages, ClassSelection, Frames, Patches, earlier
from dsel.types import Box, Frame, Patch

numbers = st.floats(-1e6, 1e6)
sides = st.integers(1, 4000)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)
views = st.builds(Box, numbers, numbers, st.floats(1, 1e4), st.floats(1, 1e4))
frames = st.builds(Frame, sides, sides, views, sides, sides)
patches = st.builds(
    Patch, st.sampled_from("abc"), st.just(4), boxes, boxes, boxes, numbers, numbers, numbers,
    st.just(math.nan), numbers | st.just(math.nan), st.integers(0, 9), numbers, st.integers(0, 99),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(found=st.lists(patches, max_size=6))
def test_patches__are_the_records(found: list[Patch]) -> None:
    columns = Patches.of(found)
    # repr, since a margin that is NaN equals no other
    assert repr(columns) == repr(tuple(found))
    assert [repr(columns[at]) for at in range(len(found))] == list(map(repr, found))
    assert len(columns) == len(found)
    assert repr(columns[1:4]) == repr(tuple(found[1:4]))
    assert repr(columns.take(np.arange(len(found))[::-1])) == repr(tuple(found[::-1]))
    assert columns.image_ids == [one.image_id for one in found]
    assert Patches.of(columns) is columns


@settings(max_examples=60, deadline=None)
@given(found=st.lists(patches, max_size=6))
def test_patches__of_images_by_the_slow_definition(found: list[Patch]) -> None:
    columns = Patches.of(found)
    for image_id in "abcd":
        assert columns.of_image(image_id) == [
            at for at, one in enumerate(found) if one.image_id == image_id
        ]
    assert columns.of_images("ac").tolist() == [one.image_id in "ac" for one in found]
    assert columns.nth.tolist() == [
        sum(other.image_id == one.image_id for other in found[:at]) for at, one in enumerate(found)
    ]


def test_patches__equal_other_sequences() -> None:
    found = patch_of("a", 0), patch_of("b", 1)
    assert Patches.of(found) == found
    assert Patches.of(found) == Patches.of(list(found))
    assert Patches.of(found) != found[:1]
    assert Patches.of(()) == ()


@settings(max_examples=60, deadline=None)
@given(found=st.lists(frames, max_size=5), box=boxes)
def test_frames__are_the_records(found: list[Frame], box: Box) -> None:
    columns = Frames.of(found)
    assert tuple(columns) == tuple(found)
    assert columns[1:3] == found[1:3]
    table = np.tile([box.x, box.y, box.width, box.height], (len(found), 1))
    expected = [one.to_source(box) for one in found]
    # The same bits: a stored selection must not depend on how it was computed.
    assert [Box(*row) for row in columns.to_source(table).tolist()] == expected


def test_class_images__rows_by_id() -> None:
    images = ClassImages(("a", "b"), Frames.of([]))
    assert images.row_of == {"a": 0, "b": 1}


def test_class_selection__takes_any_sequence_of_patches() -> None:
    found = patch_of("a", 0), patch_of("b", 1)
    selected = ClassSelection("cat", 0, found, ((0,),))  # type: ignore[arg-type]
    assert isinstance(selected.patches, Patches)
    assert selected.dropped == {1}
    assert replace(selected, images=((0,), (1,))).dropped == frozenset()
    assert selected.kept(5) == {0: (0,)}


@pytest.mark.parametrize("values", [[], [5, 3, 5, 5], [0, 1, 2], [7, 7]])
def test_earlier__by_the_slow_definition(values: list[int]) -> None:
    found = earlier(np.array(values, np.int64)).tolist()
    assert found == [values[:at].count(value) for at, value in enumerate(values)]
