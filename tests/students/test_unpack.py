"""Unpacking a mosaic, against a definition that goes pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dsel.core.composing import fill, mosaic, tile_sides
from dsel.students.unpack import unpack
from dsel.types import Box


@dataclass(frozen=True)
class Tile:
    box: Box
    native_px: float
    patch: int = 0


def drawn(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def tiles_of(side_px: int, factor: int, native_px: float) -> list[Tile]:
    """The tiles of a mosaic, row by row."""
    sides = tile_sides(side_px, factor)
    starts = [sum(sides[:n]) for n in range(factor)]
    return [
        Tile(Box(x, y, width, height), native_px)
        for y, height in zip(starts, sides, strict=True)
        for x, width in zip(starts, sides, strict=True)
    ]


def lanczos(pixels: np.ndarray, side_px: int) -> np.ndarray:
    size, how = (side_px, side_px), Image.Resampling.LANCZOS
    return np.array(Image.fromarray(pixels).resize(size, how, reducing_gap=3.0))


def slow(pixels: np.ndarray, tile: Tile, image_px: int, tile_scale: str) -> np.ndarray:
    """A tile, cut out pixel by pixel, resampled, and extended pixel by pixel."""
    box = tile.box
    x, y, width, height = (int(v) for v in (box.x, box.y, box.width, box.height))
    full_px = image_px
    if tile_scale == "native":
        wide, high = (max(1, min(round(tile.native_px), side)) for side in (width, height))
        x, y, width, height = x + (width - wide) // 2, y + (height - high) // 2, wide, high
        full_px = min(image_px, max(1, round(tile.native_px * image_px / len(pixels))))
    cut = np.zeros((height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            cut[row, column] = pixels[y + row, x + column]
    content = lanczos(cut, full_px)
    first = (image_px - full_px) // 2
    made = np.zeros((image_px, image_px, 3), np.uint8)
    for row in range(image_px):
        for column in range(image_px):
            inside = [min(max(at - first, 0), full_px - 1) for at in (row, column)]
            made[row, column] = content[inside[0], inside[1]]
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(6, 24), st.integers(1, 30), st.floats(1, 24),
    st.sampled_from(["fit", "native"]),
)  # fmt: skip
def test_unpack__as_the_slow_definition(factor, side_px, image_px, native_px, tile_scale):
    pixels, tiles = drawn(side_px, side_px), tiles_of(side_px, factor, native_px)
    made = unpack(pixels, tiles, image_px, tile_scale)
    assert made.shape == (factor**2, image_px, image_px, 3)
    for one, tile in zip(made, tiles, strict=True):
        assert np.array_equal(one, slow(pixels, tile, image_px, tile_scale))


@pytest.mark.parametrize("tile_scale", ["fit", "native"])
def test_unpack__a_single_image_is_itself(tile_scale):
    pixels = drawn(12, 12)
    (made,) = unpack(pixels, [Tile(Box(0, 0, 12, 12), 12)], 12, tile_scale)
    assert np.array_equal(made, pixels)


def test_unpack__tiles_at_their_own_size_are_the_tiles_of_the_mosaic():
    parts = [drawn(5, 5, seed) for seed in range(4)]
    made = unpack(mosaic(parts, 2), tiles_of(10, 2, 10), 5, "fit")
    assert np.array_equal(made, parts)


def test_unpack__neighbours_do_not_bleed():
    """The filter of a resampled tile must not reach into the next one."""
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    made = unpack(mosaic([black, white, white, black], 2), tiles_of(8, 2, 8), 16, "fit")
    assert [{*image.ravel().tolist()} for image in made] == [{0}, {255}, {255}, {0}]


def test_unpack__native_by_hand():
    """A cut of 2 px in a tile of 4: twice as large at full size 16, and its edges around it."""
    tile = np.zeros((4, 4, 3), np.uint8)
    tile[:, 2:] = 200
    (made, *_) = unpack(mosaic([tile] * 4, 2), tiles_of(8, 2, 2.0), 16, "native")
    assert made.shape == (16, 16, 3)
    # content of 2 px, resampled to 4 px at columns 6 to 9; to the left its first column
    assert np.array_equal(made[:, :6], np.broadcast_to(made[:, 6:7], (16, 6, 3)))
    assert np.array_equal(made[:, 10:], np.broadcast_to(made[:, 9:10], (16, 6, 3)))
    assert made[0, 0, 0] < 20
    assert made[0, 15, 0] > 180


@pytest.mark.parametrize("native_px", [3.0, 5.0])
def test_unpack__native_gives_the_cut_back(native_px):
    """A cut that is smaller than its tile of 6 px, at the side of the mosaic: the same pixels."""
    cuts = [drawn(int(native_px), int(native_px), seed) for seed in range(4)]
    tiles = [replace(tile, patch=number) for number, tile in enumerate(tiles_of(12, 2, native_px))]
    filled = [fill(tile, "native", lambda number, *_: cuts[number]) for tile in tiles]
    made = unpack(mosaic(filled, 2), tiles, 12, "native")
    start = (12 - int(native_px)) // 2
    inside = slice(start, start + int(native_px))
    assert np.array_equal(made[:, inside, inside], cuts)
    assert np.array_equal(made[:, 0, 0], [cut[0, 0] for cut in cuts])
    assert np.array_equal(made[:, -1, -1], [cut[-1, -1] for cut in cuts])
