"""Distilled images of tiles: where the tiles are, and what fills them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn import patch_of, selection_of

from dsel.config import SelectSettings
from dsel.core.composing import Canvas, compose_class, fill, lay_out, shortfall, tile_boxes
from dsel.types import Box, ClassSelection, Patch, Pixels, Tile


def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
    """Pixels that name the patch, and the row and the column."""
    rows, columns = np.indices((height_px, width_px))
    return np.stack([np.full_like(rows, patch.rank), rows, columns], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
@pytest.mark.parametrize("image_px", [8, 13, 128])
def test_tile_boxes__cover_every_pixel_once(factor: int, image_px: int) -> None:
    covered = np.zeros((image_px, image_px), int)
    boxes = tile_boxes(Canvas(image_px, factor, "fit", 64))
    assert len(boxes) == factor**2
    for box in boxes:
        x, y, width, height = (int(side) for side in (box.x, box.y, box.width, box.height))
        covered[y : y + height, x : x + width] += 1
    assert (covered == 1).all()
    assert [(box.y, box.x) for box in boxes] == sorted((box.y, box.x) for box in boxes)


def test_tile_boxes__by_hand() -> None:
    assert tile_boxes(Canvas(7, 2, "fit", 64)) == [
        Box(0, 0, 4, 4), Box(4, 0, 3, 4), Box(0, 4, 4, 3), Box(4, 4, 3, 3),
    ]  # fmt: skip


def slow_fill(pixels: Pixels, width: int, height: int) -> Pixels:
    """Every pixel of the tile is the nearest one of the centred cut."""
    down, across = pixels.shape[:2]
    top, left = (height - down) // 2, (width - across) // 2
    tile = np.zeros((height, width, 3), np.uint8)
    for y, x in product(range(height), range(width)):
        tile[y, x] = pixels[min(max(y - top, 0), down - 1), min(max(x - left, 0), across - 1)]
    return tile


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 40), height=st.integers(1, 40), native_px=st.floats(0.1, 80),
)  # fmt: skip
def test_fill__native_by_the_slow_definition(width: int, height: int, native_px: float) -> None:
    patch = patch_of("a", 3)
    found = fill(Tile(patch, Box(5, 6, width, height), native_px), "native", cut)
    whole = max(1, round(native_px))
    expected = slow_fill(cut(patch, min(whole, width), min(whole, height)), width, height)
    assert np.array_equal(found, expected)


def test_fill__fit_fills_the_tile() -> None:
    patch = patch_of("a", 3)
    assert np.array_equal(fill(Tile(patch, Box(0, 0, 9, 8), 2.0), "fit", cut), cut(patch, 9, 8))


def two() -> ClassSelection:
    patches = [patch_of(f"cat/{n}", n, side=16) for n in range(4)]
    return selection_of(patches, [(0, 1, 2, 3), (3, 2, 1, 0)])


@pytest.mark.parametrize("tile_scale", ["fit", "native"])
def test_compose_class__pixels_are_at_the_tiles_boxes(tile_scale: str) -> None:
    canvas = Canvas(51, 2, tile_scale, 64)
    images = list(compose_class(two(), 9, canvas, cut))
    assert [image.number for image in images] == [0, 1]
    assert [[patch.rank for patch in image.patches] for image in images] == [
        [0, 1, 2, 3], [3, 2, 1, 0],
    ]  # fmt: skip
    for image in images:
        assert image.pixels.shape == (51, 51, 3)
        for tile in image.tiles:
            assert tile.native_px == 12.75  # 16 of 64 px of the picture, in an image of 51 px
            x, y, width, height = (
                int(side) for side in (tile.box.x, tile.box.y, tile.box.width, tile.box.height)
            )
            shown = image.pixels[y : y + height, x : x + width]
            assert np.array_equal(shown, fill(tile, tile_scale, cut))
    assert len(list(compose_class(two(), 1, canvas, cut))) == 1


def test_compose_class__a_single_native_patch_keeps_the_scale_of_its_picture() -> None:
    """Half of the side in an image of one tile: 16 px in the middle of 32, edges extended."""
    selected = selection_of([patch_of("cat/0", 0, side=32)])
    (image,) = compose_class(selected, 1, Canvas(32, 1, "native", 64), cut)
    (tile,) = image.tiles
    assert (tile.box, tile.native_px) == (Box(0, 0, 32, 32), 16)
    assert np.array_equal(image.pixels[8:24, 8:24], cut(tile.patch, 16, 16))
    assert np.array_equal(image.pixels, slow_fill(cut(tile.patch, 16, 16), 32, 32))


def test_lay_out__as_many_patches_as_tiles() -> None:
    with pytest.raises(ValueError, match="longer than argument 1"):
        lay_out(two().patches[:3], Canvas(32, 2, "fit", 64))


def test_shortfall__counts_what_is_dropped() -> None:
    patches = [patch_of(f"cat/{n}", n) for n in range(5)]
    selected = selection_of(patches, [(0,), (1,), (2,)])
    whole = SelectSettings(ipc=4)
    assert shortfall(selected, whole.replace(ipc=3)) == ""
    assert shortfall(selected, whole) == (
        "class 'cat' has 5 patches, 2 of them dropped, and gives 3 images, fewer than IPC 4: all "
        "are used; lower --ipc to even out"
    )
    assert shortfall(selection_of(patches), whole.replace(ipc=6, cut="patch")) == (
        "class 'cat' has 5 patches and gives 5 images, fewer than IPC 6: all are used; raise "
        "--per-image or lower --ipc to even out"
    )
