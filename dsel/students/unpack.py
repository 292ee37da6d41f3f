"""Unpack a mosaic: each of its tiles becomes an image of full size.

A student that is trained on unpacked tiles sees factor x factor images for each stored one
(multi-formation, IDC, arXiv 2205.14959).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dsel.core.cut_boxes import TileScale, content_side, content_start
from dsel.data.images import crop
from dsel.students.records import Images
from dsel.types import Box, Pixels


class PlacedTile(Protocol):
    """A tile of a distilled image.

    box: whole pixels of the distilled image. native_px: side of the tile's content at the scale of
    its source, where the picture's shorter side fills the distilled image.
    """

    @property
    def box(self) -> Box:
        """Where the tile is."""

    @property
    def native_px(self) -> float:
        """The side of its content at the scale of its source."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Consecutive pixels of one axis."""

    start: int
    length: int


def unpack(
    pixels: Pixels, tiles: Sequence[PlacedTile], image_px: int, tile_scale: TileScale
) -> Images:
    """Return the tiles of a distilled image, each `image_px` square, (T, image_px, image_px, 3).

    fit: a tile is resampled to the full size. native: its content is resampled to the scale of its
    source and centred, and its edge pixels are repeated up to the full size.
    """
    unpacked = np.empty((len(tiles), image_px, image_px, 3), np.uint8)
    for number, tile in enumerate(tiles):
        unpacked[number] = unpack_tile(pixels, tile, image_px, tile_scale)
    return unpacked


def unpack_tile(pixels: Pixels, tile: PlacedTile, image_px: int, tile_scale: TileScale) -> Pixels:
    """Return one tile of a distilled image as an image of its own, `image_px` square."""
    box = tile.box
    across, down = _whole(box.x, box.width), _whole(box.y, box.height)
    if tile_scale == "fit":
        return _resampled(pixels, across, down, image_px)
    full_px = content_side(tile.native_px * image_px / len(pixels), image_px, tile_scale)
    across, down = _content(across, tile.native_px), _content(down, tile.native_px)
    return _padded(_resampled(pixels, across, down, full_px), image_px)


def _whole(start: float, length: float) -> _Span:
    return _Span(round(start), round(start + length) - round(start))


def _content(span: _Span, native_px: float) -> _Span:
    """Return the part of a tile that its cut fills; the rest repeats its edge pixels."""
    length = content_side(native_px, span.length, "native")
    return _Span(span.start + content_start(length, span.length), length)


def _resampled(pixels: Pixels, across: _Span, down: _Span, side_px: int) -> Pixels:
    """Resample a part of an image by itself, so that no neighbouring tile reaches into it."""
    rows = slice(down.start, down.start + down.length)
    columns = slice(across.start, across.start + across.length)
    part = np.ascontiguousarray(pixels[rows, columns])
    return crop(part, Box(0, 0, across.length, down.length), side_px, side_px)


def _padded(content: Pixels, image_px: int) -> Pixels:
    """Centre an image, and repeat its edge pixels up to a larger side."""
    before = content_start(content.shape[0], image_px)
    after = image_px - content.shape[0] - before
    return np.pad(content, ((before, after), (before, after), (0, 0)), mode="edge")
