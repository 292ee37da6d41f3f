"""What is cut around a patch, and how large a cut is in its tile.

Boxes are in proxy pixels. A cut is a square that holds its patch and lies inside the proxy.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from dsel.config import SelectSettings
from dsel.types import Box, Frame, Patch

CutKind: TypeAlias = Literal["patch", "context", "whole"]
TileScale: TypeAlias = Literal["fit", "native"]

DECIMALS: Final = 6
"""Decimals of a pixel that are kept, so that whole pixels are whole after a way to the source."""


def cut_around(patch: Box, frame: Frame, settings: SelectSettings) -> Box:
    """Return the cut around a patch of this frame, in proxy pixels.

    Reads the settings `cut` and `context`. The cut is centred on the patch, and moved by as little
    as it takes to lie inside the proxy.
    """
    shorter = min(frame.proxy_width, frame.proxy_height)
    side = cut_side(patch.width, shorter, settings.cut, settings.context)
    if side == patch.width:
        return patch
    return Box(
        _clamped(patch.x + (patch.width - side) / 2, frame.proxy_width - side),
        _clamped(patch.y + (patch.height - side) / 2, frame.proxy_height - side),
        side,
        side,
    )


def cut_side(patch_px: float, shorter_px: float, cut: CutKind, context: float) -> float:
    """Return the side of a cut around a patch, in a proxy of this shorter side."""
    if cut == "patch":
        return patch_px
    return float(shorter_px if cut == "whole" else min(context * patch_px, shorter_px))


def cut_in_proxy(patch: Patch) -> Box:
    """Return the cut of a patch in proxy pixels, by the scale between the patch's two boxes."""
    box, source, cut = patch.box, patch.source_box, patch.cut_box
    across, down = box.width / source.width, box.height / source.height
    return Box(
        _rounded(box.x + (cut.x - source.x) * across),
        _rounded(box.y + (cut.y - source.y) * down),
        _rounded(cut.width * across),
        _rounded(cut.height * down),
    )


def native_side(patch: Patch, image_px: int, resolution_px: int) -> float:
    """Return the side of a patch's cut where its whole picture fills the distilled image.

    The picture's shorter side, `resolution_px` in its proxy, is then `image_px`.
    """
    return _rounded(image_px * cut_in_proxy(patch).width / resolution_px)


def content_side(native_px: float, tile_px: int, tile_scale: TileScale) -> int:
    """Return the side of a cut inside its tile; the rest of the tile repeats the cut's edges."""
    if tile_scale == "fit":
        return tile_px
    return max(1, min(round(native_px), tile_px))


def content_start(content_px: int, tile_px: int) -> int:
    """Return where a centred cut begins in its tile."""
    return (tile_px - content_px) // 2


def _rounded(value: float) -> float:
    return round(value, DECIMALS) + 0.0  # which turns -0.0 into 0.0


def _clamped(corner: float, last: float) -> float:
    return min(max(corner, 0.0), last)
