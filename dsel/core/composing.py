"""Compose the cuts of ranked patches to distilled images: single ones, or mosaics of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from dsel.config import SelectSettings
from dsel.core.cut_boxes import TileScale, content_side, content_start, native_side
from dsel.errors import SettingError
from dsel.types import Box, ClassSelection, Distilled, Patch, Pixels, Tile

Cut: TypeAlias = Callable[[Patch, int, int], Pixels]
"""(patch, width_px, height_px) -> the pixels of the patch's cut, resampled to that size."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The form of every distilled image: `image_px` square, of factor x factor tiles.

    resolution_px: the shorter side of the proxies, which gives cuts their native size.
    """

    image_px: int
    factor: int
    tile_scale: TileScale
    resolution_px: int


def compose_class(
    selected: ClassSelection, ipc: int, canvas: Canvas, cut: Cut
) -> Iterator[Distilled]:
    """Yield the first IPC images of a class, or all if there are fewer."""
    for number, positions in enumerate(selected.kept_images(ipc)):
        tiles = lay_out([selected.patches[position] for position in positions], canvas)
        filled = [fill(tile, canvas.tile_scale, cut) for tile in tiles]
        yield Distilled(selected.index, number, mosaic(filled, canvas.factor), tiles)


def lay_out(patches: Sequence[Patch], canvas: Canvas) -> tuple[Tile, ...]:
    """Return the tiles of one distilled image, row by row."""
    return tuple(
        Tile(patch, box, native_side(patch, canvas.image_px, canvas.resolution_px))
        for patch, box in zip(patches, tile_boxes(canvas), strict=True)
    )


def tile_boxes(canvas: Canvas) -> list[Box]:
    """Return the boxes of the tiles of every distilled image in its pixels, row by row."""
    sides = [float(side) for side in tile_sides(canvas.image_px, canvas.factor)]
    starts = [0.0, *accumulate(sides)]
    return [
        Box(x, y, width, height)
        for y, height in zip(starts, sides, strict=False)
        for x, width in zip(starts, sides, strict=False)
    ]


def fill(tile: Tile, tile_scale: TileScale, cut: Cut) -> Pixels:
    """Return the pixels of a tile: its cut, whose edges are extended where it is smaller."""
    width, height = int(tile.box.width), int(tile.box.height)
    across, down = (content_side(tile.native_px, side, tile_scale) for side in (width, height))
    pixels = cut(tile.patch, across, down)
    if (across, down) == (width, height):
        return pixels
    left, top = content_start(across, width), content_start(down, height)
    around = ((top, height - down - top), (left, width - across - left), (0, 0))
    return np.pad(pixels, around, mode="edge")


def shortfall(selected: ClassSelection, settings: SelectSettings) -> str:
    """Return a sentence if a class gives fewer images than IPC; else an empty string."""
    given = len(selected.images)
    if given >= settings.ipc:
        return ""
    made_of = f"{settings.factor} x {settings.factor} mosaics" if settings.factor > 1 else "images"
    dropped = f", {len(selected.dropped)} of them dropped," if selected.dropped else ""
    remedies = [
        *(["lower --drop-lowest"] if settings.drop_lowest else []),
        *(["raise --per-image"] if settings.cut != "whole" else []),
        "lower --ipc",
    ]
    return (
        f"class {selected.name!r} has {len(selected.patches)} patches{dropped} and gives {given} "
        f"{made_of}, fewer than IPC {settings.ipc}: all are used; {' or '.join(remedies)} to even "
        "out"
    )


def check_image_px(image_px: int, factor: int) -> None:
    """Raise `SettingError` for an image that is too small for its mosaic."""
    if image_px < factor:
        raise SettingError(
            f"image px must be at least {factor} for {factor} x {factor} mosaics, got {image_px}"
        )


def tile_sides(image_px: int, factor: int) -> list[int]:
    """Split a side into `factor` whole numbers that differ by at most 1 and add up to it."""
    side, rest = divmod(image_px, factor)
    return [side + (tile < rest) for tile in range(factor)]


def mosaic(tiles: Sequence[Pixels], factor: int) -> Pixels:
    """Join factor x factor tiles row by row; their sides must add up (see `tile_sides`)."""
    if len(tiles) != factor * factor:
        raise ValueError(f"a mosaic of factor {factor} has {factor * factor} tiles: {len(tiles)}")
    rows = [np.hstack(tiles[start : start + factor]) for start in range(0, len(tiles), factor)]
    return np.ascontiguousarray(np.vstack(rows))
