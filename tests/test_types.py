"""The map between proxy pixels and source pixels, and records that stay as they are."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn import patch_of, selection_of

from dsel import types
from dsel.types import Box, Frame

sides = st.integers(1, 5000)
places = st.floats(-1000, 1000)
lengths = st.floats(0.01, 1000)
boxes = st.builds(Box, places, places, lengths, lengths)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """The centre crop of a source, or the whole of it, in a proxy of any shape."""
    width, height = draw(sides), draw(sides)
    side = min(width, height)
    crop = Box((width - side) / 2, (height - side) / 2, side, side)
    view = draw(st.sampled_from([crop, Box(0, 0, width, height)]))
    lengths = st.sampled_from([32, 64, 128, 512])
    return Frame(width, height, view, draw(lengths), draw(lengths))


def edges(box: Box) -> tuple[float, ...]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def test_to_source__by_hand() -> None:
    """Of 400 x 300 px the middle 300 px are seen in 100 px: one proxy pixel is three wide."""
    frame = Frame(400, 300, Box(50, 0, 300, 300), 100, 100)
    assert frame.to_source(Box(0, 0, 100, 100)) == Box(50, 0, 300, 300)
    assert frame.to_source(Box(10, 20, 50, 40)) == Box(80, 60, 150, 120)
    assert frame.to_proxy(Box(80, 60, 150, 120)) == Box(10, 20, 50, 40)


def test_to_source__squashed() -> None:
    frame = Frame(400, 200, Box(0, 0, 400, 200), 100, 100)
    assert frame.to_source(Box(25, 25, 50, 50)) == Box(100, 50, 200, 100)


def test_to_source__wide_proxy() -> None:
    """Of 400 x 220 px the middle 400 x 200 px are seen in 100 x 50 px: squares stay squares."""
    frame = Frame(400, 220, Box(0, 10, 400, 200), 100, 50)
    assert frame.to_source(Box(75, 25, 25, 25)) == Box(300, 110, 100, 100)
    assert frame.to_proxy(Box(300, 110, 100, 100)) == Box(75, 25, 25, 25)


def test_to_proxy__may_reach_beyond() -> None:
    frame = Frame(400, 300, Box(50, 0, 300, 300), 100, 100)
    found = frame.to_proxy(Box(0, 0, 400, 300))
    assert edges(found) == pytest.approx((-50 / 3, 0, 350 / 3, 100))


@settings(max_examples=100, deadline=None)
@given(frame=frames(), box=boxes)
def test_frame__there_and_back(frame: Frame, box: Box) -> None:
    for there_and_back in (
        frame.to_proxy(frame.to_source(box)), frame.to_source(frame.to_proxy(box))
    ):  # fmt: skip
        assert edges(there_and_back) == pytest.approx(edges(box), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(frame=frames(), x=st.floats(0, 1), y=st.floats(0, 1), share=st.floats(0.01, 1))
def test_to_source__what_lies_in_the_proxy_lies_in_the_view(
    frame: Frame, x: float, y: float, share: float
) -> None:
    width, height = frame.proxy_width * share, frame.proxy_height * share
    box = Box(x * (frame.proxy_width - width), y * (frame.proxy_height - height), width, height)
    left, top, right, bottom = edges(frame.to_source(box))
    view_left, view_top, view_right, view_bottom = edges(frame.view)
    assert view_left - 1e-6 <= left <= right <= view_right + 1e-6
    assert view_top - 1e-6 <= top <= bottom <= view_bottom + 1e-6
    assert (right - left) / frame.view.width == pytest.approx(share)
    assert (bottom - top) / frame.view.height == pytest.approx(share)


def test_records__are_frozen_and_slotted() -> None:
    """Those that keep what they compute need a dictionary."""
    found = [c for c in vars(types).values() if dataclasses.is_dataclass(c)]
    assert len(found) > 10
    for kind in found:
        assert kind.__dataclass_params__.frozen, kind
        keeps = any(isinstance(member, cached_property) for member in vars(kind).values())
        assert ("__slots__" in vars(kind)) != keeps, kind


def test_kept__a_patch_may_fill_up_several_images() -> None:
    selected = selection_of([patch_of(name, n) for n, name in enumerate("abc")], [(0, 0), (1, 0)])
    assert selected.kept(2) == {0: (0, 1), 1: (1,)}
    assert selected.kept(1) == {0: (0,)}
    assert selected.kept_images(1) == selected.images[:1]
    assert selected.kept_images(9) == selected.images
