"""Maps of values as colours, on their own and over the picture that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dsel.records import Pixels

Values = NDArray[np.floating[Any]]

# The anchors of two perceptually uniform maps: ColorBrewer's RdBu, reversed, and inferno.
_DIVERGING: Final = (
    "#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
    "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f",
)  # fmt: skip
_SEQUENTIAL: Final = (
    "#000004", "#1f0c48", "#550f6d", "#88226a", "#ba3655", "#e35933", "#f98c0a", "#f9c932",
    "#fcffa4",
)  # fmt: skip


def heat_map(
    values: Values, low: float, high: float, diverging: bool, size_px: int, smooth: bool = False
) -> Pixels:
    """Colour a map of values (h, w); its longer side becomes `size_px`.

    A diverging map is blue below 0, white at 0 and red above, alike on both sides out to the larger
    of |low| and |high|. Another one runs from dark at `low` to bright at `high`. NaN counts as 0 or
    as `low`. `smooth` interpolates between the values; without it each is a flat cell.
    """
    scale = size_px / max(values.shape)
    height, width = (max(1, round(side * scale)) for side in values.shape)
    start, end = _ends(low, high) if diverging else (low, high)
    clean = np.nan_to_num(values.astype(np.float32), nan=(start + end) / 2 if diverging else low)
    table = _table(_DIVERGING if diverging else _SEQUENTIAL)
    share = (_enlarged(clean, width, height, smooth) - start) / max(end - start, 1e-12)
    heat: Pixels = table[np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)]
    return heat


def overlay(pixels: Pixels, values: Values, low: float, high: float) -> Pixels:
    """Blend a gap map (h, w) over the picture that it belongs to; the larger, the more opaque."""
    height, width = pixels.shape[:2]
    _, end = _ends(low, high)
    clean = np.nan_to_num(values.astype(np.float32))
    share = np.clip(_enlarged(clean, width, height, smooth=True) / max(end, 1e-12), -1, 1)
    heat = _table(_DIVERGING)[np.rint(share * 127.5 + 127.5).astype(np.uint8)]
    alpha = 0.75 * np.sqrt(np.abs(share))[:, :, None]  # the root keeps weak evidence visible
    blend: Pixels = np.rint(pixels * (1 - alpha) + heat * alpha).astype(np.uint8)
    return blend


def colour_tables() -> Mapping[str, Pixels]:
    """The two colour maps, 256 colours each, (256, 3): signed is blue, white, red."""
    return {"signed": _table(_DIVERGING), "unsigned": _table(_SEQUENTIAL)}


def _ends(low: float, high: float) -> tuple[float, float]:
    end = max(abs(low), abs(high))
    return -end, end


def _table(anchors: Sequence[str]) -> Pixels:
    """Interpolate anchors to 256 colours, (256, 3)."""
    known = np.array([list(bytes.fromhex(anchor[1:])) for anchor in anchors])
    at, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(anchors))
    return np.stack([np.rint(np.interp(at, places, known[:, c])) for c in range(3)], 1).astype(
        np.uint8
    )


def _enlarged(values: NDArray[np.float32], width: int, height: int, smooth: bool) -> Values:
    method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(values).resize((width, height), method))
