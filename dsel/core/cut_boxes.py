"""What is cut around a patch, and how large a cut is in its tile.

Boxes are in proxy pixels. A cut is a square that holds its patch and lies inside the proxy.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np

from dsel.config import SelectSettings
from dsel.patches import Boxes, Doubles, Frames, Ints
from dsel.types import Box, Patch

CutKind: TypeAlias = Literal["patch", "context", "whole"]
TileScale: TypeAlias = Literal["fit", "native"]

DECIMALS: Final = 6
"""Decimals of a pixel that are kept, so that whole pixels are whole after a way to the source."""


def cuts_around(patches: Boxes, frames: Frames, settings: SelectSettings) -> Boxes:
    """Return the cuts around square patches (M, 4), one of each frame, in proxy pixels, (M, 4).

    Reads the settings `cut` and `context`. A cut is centred on its patch, and moved by as little
    as it takes to lie inside the proxy.
    """
    patch_px = patches[:, 2]
    side = cut_side(patch_px, frames.proxy.min(axis=1), settings.cut, settings.context)
    rest, last = (patch_px - side) / 2, frames.proxy - side[:, None]
    corners = np.minimum(np.maximum(patches[:, :2] + rest[:, None], 0.0), last)
    cuts = np.column_stack([corners, side, side])
    return np.where((side == patch_px)[:, None], patches, cuts)


def cut_side(patch_px: Doubles, shorter_px: Ints, cut: CutKind, context: float) -> Doubles:
    """Return the sides of cuts around patches, in proxies of these shorter sides, (M,) each."""
    if cut == "patch":
        return patch_px
    shorter = np.asarray(shorter_px, np.float64)
    return shorter if cut == "whole" else np.minimum(context * patch_px, shorter)


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
