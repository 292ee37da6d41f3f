"""Masks of COCO annotations against hand-made ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from support.coco import rectangle

from dsel.data.toybox_dataset import run_lengths
from dsel.errors import SourceError
from dsel.runs.coco_masks import Mask, annotation_mask, drawing_px, reaches_beyond

DEMO_BOXES = Path(__file__).parents[2] / "assets/demo_run/boxes.json"


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 9999),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
)  # fmt: skip
def test_annotation_mask__run_lengths_come_back(
    height: int, width: int, seed: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    coded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    for counts in (run_lengths(mask), coded["counts"].decode()):
        for rle in ({"counts": counts}, {"counts": counts, "size": [height, width]}):
            annotation = {"segmentation": rle, "bbox": [0, 0, 9, 9]}
            assert np.array_equal(annotation_mask(annotation, mask.shape), mask)


def test_annotation_mask__run_lengths_go_down_the_columns() -> None:
    found = annotation_mask({"segmentation": {"counts": [1, 2, 3], "size": [2, 3]}}, (2, 3))
    assert found.astype(int).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_annotation_mask__pixels_after_the_last_run_are_background() -> None:
    """5 pixels of background, 3 of the object, then nothing: COCO writes "53"."""
    found = annotation_mask({"segmentation": {"counts": "53", "size": [400, 500]}}, (400, 500))
    assert np.flatnonzero(found.T.ravel()).tolist() == [5, 6, 7]
    assert not annotation_mask({"segmentation": {"counts": ""}}, (3, 2)).any()


@pytest.mark.parametrize("extra", [{}, {"bbox": [0, 0, 40, 30]}])
def test_annotation_mask__polygons(extra: dict[str, Any]) -> None:
    """A triangle over half of a square of 20 px, and a square of 4 px, in one annotation."""
    polygons = [[5, 5, 25, 5, 5, 25], [30, 20, 34, 20, 34, 24, 30, 24]]
    mask = annotation_mask({"segmentation": polygons, **extra}, (30, 40))
    triangle = mask[5:25, 5:25]
    rows, columns = np.indices((20, 20))
    assert triangle[rows + columns < 18].all()
    assert not triangle[rows + columns > 20].any()
    assert np.array_equal(mask[:, 26:], rectangle((30, 14), 4, 20, 4, 4))
    mask[5:25, 5:25] = False
    assert mask.sum() == 16


@pytest.mark.parametrize("empty", [[], None, [[]]])
def test_annotation_mask__a_box_without_a_segmentation(empty: Any) -> None:
    found = annotation_mask({"segmentation": empty, "bbox": [6.4, 0, 1.2, 1]}, (6, 8))
    assert np.array_equal(found, rectangle((6, 8), 6, 0, 2, 1))


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ({"bbox": [-2, -1, 4, 3]}, (0, 0, 2, 2)), ({"bbox": [5, 5, 9, 9]}, (5, 5, 3, 1)),
        ({"segmentation": [[-3, -3, 5, -3, 5, 4, -3, 4]]}, (0, 0, 5, 4)),
    ],
)  # fmt: skip
def test_annotation_mask__beyond_the_image_it_is_cut_off(
    annotation: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    assert np.array_equal(annotation_mask(annotation, (6, 8)), rectangle((6, 8), *expected))
    assert reaches_beyond(annotation, (6, 8))


@pytest.mark.parametrize(
    ("annotation", "beyond"),
    [
        ({"bbox": [0, 0, 100, 50]}, False), ({"bbox": [-1, 0, 102, 51]}, False),
        ({"bbox": [0, 0, 103, 50]}, True), ({"bbox": [0, -3, 9, 9]}, True),
        ({"segmentation": [[0, 0, 9, 0, 9, 9], [0, 0, 9, 0, 9, 60]]}, True),
        ({"segmentation": [[0, 0, 9, 0, 9, 50]]}, False),
        ({"segmentation": {"counts": [5000]}}, False),
    ],
)  # fmt: skip
def test_reaches_beyond__by_more_than_rounding(annotation: dict[str, Any], beyond: bool) -> None:
    assert reaches_beyond(annotation, (50, 100)) == beyond


@pytest.mark.parametrize(
    "annotation",
    [
        {"bbox": [4, 2, 6, 4]}, {"segmentation": [[4, 2, 10, 2, 10, 6, 4, 6]]},
        {"segmentation": {"counts": run_lengths(rectangle((12, 16), 4, 2, 6, 4))}},
    ],
    ids=["box", "polygon", "run lengths"],
)  # fmt: skip
def test_annotation_mask__at_another_size(annotation: dict[str, Any]) -> None:
    half = annotation_mask(annotation, (12, 16), (6, 8))
    assert np.array_equal(half, rectangle((6, 8), 2, 1, 3, 2))
    twice = annotation_mask(annotation, (12, 16), (24, 32))
    assert np.array_equal(twice, rectangle((24, 32), 8, 4, 12, 8))


def test_annotation_mask__a_small_box_is_a_pixel_at_least() -> None:
    found = annotation_mask({"bbox": [40, 20, 3, 3]}, (1000, 1000), (10, 10))
    assert np.array_equal(found, rectangle((10, 10), 0, 0, 1, 1))
    assert not annotation_mask({"bbox": [4, 2, 0, 3]}, (10, 10)).any()


def slow_from_run_lengths(counts: list[int], shape: tuple[int, int]) -> Mask:
    """Undo run lengths, which run down the columns and start with background."""
    pixels = [n % 2 == 1 for n, count in enumerate(counts) for _ in range(count)]
    return np.array(pixels).reshape(shape, order="F")


def test_annotation_mask__the_demo_runs_masks() -> None:
    record = json.loads(DEMO_BOXES.read_text("utf-8"))
    assert len(record["annotations"]) == 1000
    for annotation in record["annotations"][::10]:
        rle = annotation["segmentation"]
        slow = slow_from_run_lengths(rle["counts"], tuple(rle["size"]))
        assert np.array_equal(annotation_mask(annotation, slow.shape), slow)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({}, "bbox must be x, y, width and height in pixels, got None"),
        ({"bbox": []}, "got []"), ({"bbox": [1, 2, 3]}, "got [1, 2, 3]"),
        ({"bbox": "abcd"}, "got 'abcd'"), ({"bbox": [True, 1, 2, 2]}, "got [True, 1, 2, 2]"),
        ({"bbox": [float("nan"), 0, 3, 3]}, "got [nan, 0, 3, 3]"),
        ({"bbox": [0, 0, float("inf"), 3]}, "got [0, 0, inf, 3]"),
        ({"bbox": [0, 0, 10**400, 3]}, "bbox must be x, y, width and height in pixels"),
        ({"bbox": [9, 9, -3, 3]}, "must have a width and a height of at least 0"),
        ({"bbox": [0.25, 0.5, 0.5, 0.5]}, "bbox must be in pixels, and [0.25, 0.5, 0.5, 0.5] seems "
         "to be in shares of its image: multiply x by the width and y by the height"),
        ({"bbox": [0, 0, 1, 1]}, "seems to be in shares of its image"),
        ({"bbox": [0.5, 0.5, 1, 1]}, "seems to be in shares of its image"),
        ({"bbox": [40, 2, 5, 5]}, "bbox [40, 2, 5, 5] is outside of its image of 40 x 30 px"),
        ({"bbox": [-9, 2, 5, 5]}, "is outside of its image"),
        ({"bbox": [0, 0, 1e9, 1e9]}, "extends far beyond its image of 40 x 30 px"),
        ({"segmentation": [[0.1, 0.1, 0.9, 0.1, 0.9, 0.9]]}, "segmentation must be in pixels"),
        ({"segmentation": [[50, 5, 60, 5, 60, 9]]}, "is outside of its image"),
        ({"segmentation": [[0, 0, 1e9, 0, 3, 3]]}, "extends far beyond its image"),
        ({"segmentation": [[0, 0, 3, 3]]}, "must be a list of at least 3 pairs of x and y"),
        ({"segmentation": [[0, 0, 3, 0, 3, 3, 1]]}, "must be a list of at least 3 pairs"),
        ({"segmentation": [[], [0, 0, 3, 0, 3, 3]]}, "must be a list of at least 3 pairs"),
        ({"segmentation": [0, 0, 3, 0, 3, 3]}, "must be a list of at least 3 pairs"),
        ({"segmentation": [[0, 0, 3, 0, 3, float("nan")]]}, "must have finite numbers"),
        ({"segmentation": [["a"] * 6]}, "must have finite numbers"),
        ({"segmentation": "abcdef"}, "must be polygons or run lengths, got 'abcdef'"),
        ({"segmentation": 3}, "must be polygons or run lengths, got 3"),
        ({"segmentation": {"counts": [3, 4]}}, "add up to 7 px, but the image has 1200"),
        ({"segmentation": {"counts": [1204, -4]}}, "must be whole numbers from 0"),
        ({"segmentation": {"counts": ["x"]}}, "must be whole numbers from 0"),
        ({"segmentation": {"counts": [0.5, 1199.5]}}, "must be whole numbers from 0"),
        ({"segmentation": {"counts": [True, 1199]}}, "must be whole numbers from 0"),
        ({"segmentation": {"counts": "abc`1"}}, "are damaged, or longer than the image"),
        ({"segmentation": {"counts": 7}}, "run lengths must have counts, got 7"),
        ({"segmentation": {"size": [30, 40]}}, "run lengths must have counts, got None"),
        ({"segmentation": {"counts": [1200], "size": [40, 30]}}, "run lengths are of [40, 30] px, "
         "but the image of [30, 40]"),
    ],
    ids=str,
)  # fmt: skip
def test_annotation_mask__what_is_refused(annotation: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError) as caught:
        annotation_mask(annotation, (30, 40))
    assert words in str(caught.value)


def test_annotation_mask__an_outline_that_crosses_its_image_without_end() -> None:
    """One of megabytes would take the memory of the whole machine, and end the process."""
    zigzag = [0, 0, 99, 99] * 20_001
    with pytest.raises(SourceError, match=r"at most 2,000,000 px long, got 3,96"):
        annotation_mask({"segmentation": [zigzag]}, (100, 100))


def test_drawing_px__by_hand() -> None:
    """The larger of both sizes, and twenty for each pixel along an outline, at the size drawn."""
    assert drawing_px({"bbox": [1, 1, 5, 5]}, (30, 40), (30, 40)) == 1200
    assert drawing_px({"bbox": [1, 1, 5, 5]}, (30, 40), (15, 20)) == 1200
    assert drawing_px({"bbox": [1, 1, 5, 5]}, (30, 40), (60, 80)) == 4800
    triangle = {"segmentation": [[0, 0, 10, 0, 0, 5]]}  # 10 + 10 + 5 px along the longer axis
    assert drawing_px(triangle, (30, 40), (30, 40)) == 1200 + 20 * 25
    assert drawing_px(triangle, (30, 40), (60, 80)) == 4800 + 20 * 50
    for wrong in ([], [[]], [[1, 2, 3]], [["a", 2]], ["x"], {"counts": [1]}, 3):
        assert drawing_px({"segmentation": wrong}, (30, 40), (30, 40)) == 1200
