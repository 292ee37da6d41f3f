"""What is cut around a patch: by hand, and by property for any patch of any picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn import patch_of
from support.slow_patches import slow_cut

from dsel.config import SelectSettings
from dsel.core.cut_boxes import (
    content_side,
    content_start,
    cut_in_proxy,
    cut_side,
    cuts_around,
    native_side,
)
from dsel.types import Box, Frame, Frames, Patch

TOUCH = 1e-9
"""Pixels by which rounding may move an edge."""


def frame(width: int, height: int, scale: float = 1.0) -> Frame:
    """A proxy that shows its whole source, 7 px from the left and 3 px from the top of it."""
    view = Box(7, 3, scale * width, scale * height)
    return Frame(round(scale * width) + 20, round(scale * height) + 20, view, width, height)


def cut_of(patch: Box, seen: Frame, cut: str, context: float = 1.5) -> Box:
    table = np.array([[patch.x, patch.y, patch.width, patch.height]])
    settings = SelectSettings(cut=cut, context=context)
    (row,) = cuts_around(table, Frames.of([seen]), settings).tolist()
    found = Box(*row)
    assert found == slow_cut(patch, seen, settings)
    return found


@st.composite
def placed(draw: st.DrawFn) -> tuple[Box, Frame]:
    """A square anywhere in a proxy of any shape, at whole or broken pixels."""
    width, height = draw(st.integers(8, 300)), draw(st.integers(8, 300))
    side = draw(st.integers(1, min(width, height)))
    x, y = (
        draw(st.integers(0, longer - side) | st.floats(0, longer - side))
        for longer in (width, height)
    )
    return Box(float(x), float(y), float(side), float(side)), frame(width, height, 3.0)


@settings(max_examples=300, deadline=None)
@given(one=placed(), cut=st.sampled_from(["patch", "context", "whole"]), context=st.floats(1, 8))
def test_cuts_around__a_square_inside_the_picture_that_holds_the_patch(
    one: tuple[Box, Frame], cut: str, context: float
) -> None:
    patch, seen = one
    found = cut_of(patch, seen, cut, context)
    assert found.width == found.height
    assert found.x >= 0
    assert found.y >= 0
    assert found.x + found.width <= seen.proxy_width + TOUCH
    assert found.y + found.height <= seen.proxy_height + TOUCH
    assert found.x <= patch.x + TOUCH
    assert found.y <= patch.y + TOUCH
    assert found.x + found.width >= patch.x + patch.width - TOUCH
    assert found.y + found.height >= patch.y + patch.height - TOUCH
    shorter = min(seen.proxy_width, seen.proxy_height)
    assert found.width == {
        "patch": patch.width, "context": min(context * patch.width, shorter), "whole": shorter,
    }[cut]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(one=placed(), context=st.floats(1, 8))
def test_cuts_around__is_centred_unless_an_edge_is_in_the_way(
    one: tuple[Box, Frame], context: float
) -> None:
    patch, seen = one
    found = cut_of(patch, seen, "context", context)
    for corner, last, middle in (
        (found.x, seen.proxy_width - found.width, patch.x + patch.width / 2),
        (found.y, seen.proxy_height - found.height, patch.y + patch.height / 2),
    ):
        centred = middle - found.width / 2
        assert corner == pytest.approx(min(max(centred, 0), last), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(one=placed(), cut=st.sampled_from(["patch", "context", "whole"]), context=st.floats(1, 8))
def test_cut_in_proxy__comes_back_from_the_source(
    one: tuple[Box, Frame], cut: str, context: float
) -> None:
    box, seen = one
    wanted = cut_of(box, seen, cut, context)
    boxes = box, seen.to_source(box), seen.to_source(wanted)
    found = cut_in_proxy(Patch("a", 0, *boxes, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0))
    for name in ("x", "y", "width", "height"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), abs=1e-6)


@pytest.mark.parametrize(
    ("patch", "size", "cut", "context", "expected"),
    [
        (Box(20, 40, 32, 32), (128, 128), "patch", 1.5, Box(20, 40, 32, 32)),
        (Box(20, 40, 32, 32), (128, 128), "context", 1.5, Box(12, 32, 48, 48)),
        (Box(20, 40, 32, 32), (128, 128), "context", 1.0, Box(20, 40, 32, 32)),
        (Box(0, 96, 32, 32), (128, 128), "context", 2.0, Box(0, 64, 64, 64)),
        (Box(20, 40, 32, 32), (128, 128), "context", 8.0, Box(0, 0, 128, 128)),
        (Box(20, 40, 32, 32), (128, 128), "whole", 1.5, Box(0, 0, 128, 128)),
        (Box(0, 40, 32, 32), (192, 128), "whole", 1.5, Box(0, 0, 128, 128)),
        (Box(96, 40, 32, 32), (192, 128), "whole", 1.5, Box(48, 0, 128, 128)),
        (Box(160, 40, 32, 32), (192, 128), "whole", 1.5, Box(64, 0, 128, 128)),
        (Box(40, 160, 32, 32), (128, 192), "whole", 1.5, Box(0, 64, 128, 128)),
    ],
)
def test_cuts_around__by_hand(
    patch: Box, size: tuple[int, int], cut: str, context: float, expected: Box
) -> None:
    assert cut_of(patch, frame(*size), cut, context) == expected


def test_cut_side__by_hand() -> None:
    patches, shorter = np.array([32.0, 100.0]), np.array([128, 128])
    assert cut_side(patches, shorter, "patch", 8).tolist() == [32, 100]
    assert cut_side(patches, shorter, "context", 2.5).tolist() == [80, 128]
    assert cut_side(patches, shorter, "whole", 1).tolist() == [128, 128]


def test_native_side__where_the_picture_fills_the_image() -> None:
    """Proxies of 128 px: a cut of half the side has half of the image's pixels, at any size."""
    assert native_side(patch_of("a", 0, side=64), 128, 128) == 64
    assert native_side(patch_of("a", 0, side=64), 100, 128) == 50
    assert native_side(patch_of("a", 0, side=64, cut=Box(0, 0, 128, 128)), 100, 128) == 100
    source = Patch(
        "a", 0, Box(0, 0, 32, 32), Box(9, 9, 96, 96), Box(9, 9, 144, 144), 0, 0, 0, 0, 0, 0, 0, 0
    )
    assert native_side(source, 128, 128) == 48  # three source pixels are one of the proxy


def test_content_side__never_more_than_native_nor_than_the_tile() -> None:
    assert content_side(20.4, 64, "native") == 20
    assert content_side(64.6, 64, "native") == 64
    assert content_side(0.2, 64, "native") == 1
    assert content_side(20.4, 64, "fit") == 64
    assert (content_start(20, 64), content_start(21, 64), content_start(64, 64)) == (22, 21, 0)
