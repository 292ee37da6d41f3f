"""Colour tables for maps of values, and maps in their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.types import Pixels

Anchors: TypeAlias = Sequence[str]

# ColorBrewer's RdBu (reversed), PuOr and BrBG, and matplotlib's inferno, viridis and cividis.
_RED_BLUE: Final = (
    "#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
    "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f",
)  # fmt: skip
_PURPLE_ORANGE: Final = (
    "#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7",
    "#d8daeb", "#b2abd2", "#8073ac", "#542788", "#2d004b",
)  # fmt: skip
_BROWN_TEAL: Final = (
    "#543005", "#8c510a", "#bf812d", "#dfc27d", "#f6e8c3", "#f5f5f5",
    "#c7eae5", "#80cdc1", "#35978f", "#01665e", "#003c30",
)  # fmt: skip
_INFERNO: Final = (
    "#000004", "#160b39", "#420a68", "#6a176e", "#932667", "#bc3754", "#dd513a", "#f37819",
    "#fca50a", "#f6d746", "#fcffa4",
)  # fmt: skip
_VIRIDIS: Final = (
    "#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70",
    "#7ad151", "#bddf26", "#fde725",
)  # fmt: skip
_CIVIDIS: Final = (
    "#00224e", "#083370", "#35456c", "#4f576c", "#666970", "#7d7c78", "#948e77", "#aea371",
    "#c8b866", "#e5cf52", "#fee838",
)  # fmt: skip

PALETTES: Final[Mapping[str, Mapping[str, Anchors]]] = MappingProxyType({
    "red": {"signed": _RED_BLUE, "positive": _RED_BLUE[5:], "unsigned": _INFERNO},
    "viridis": {"signed": _BROWN_TEAL, "positive": _VIRIDIS, "unsigned": _VIRIDIS},
    "cividis": {"signed": _PURPLE_ORANGE, "positive": _CIVIDIS, "unsigned": _CIVIDIS},
    "inferno": {"signed": _PURPLE_ORANGE, "positive": _INFERNO, "unsigned": _INFERNO},
})  # fmt: skip
"""The anchors of each palette: around 0, from 0 up, and for losses. All suit people with colour
vision deficiency."""

_FINE: Final = 2048

# Ottosson 2020, OKLab: from linear sRGB to the responses of cones, and from them to lightness.
_CONES: Final = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LIGHTNESS: Final = (0.2104542553, 0.7936177850, -0.0040720468)


def colour_tables() -> Mapping[str, Mapping[str, Pixels]]:
    """Return the tables of each palette, 256 colours each, (256, 3), even in lightness.

    signed: two colours around white, for values around 0. positive and unsigned: from 0 up.
    """
    return {
        name: {kind: _table(anchors) for kind, anchors in kinds.items()}
        for name, kinds in PALETTES.items()
    }


def lightness(colours: NDArray[Any]) -> NDArray[np.float64]:
    """Return the perceived lightness of colours of 0 to 255, (..., 3) -> (...), 0 to 1."""
    shares = np.asarray(colours, np.float64) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    perceived: NDArray[np.float64] = np.cbrt(linear @ np.array(_CONES).T) @ np.array(_LIGHTNESS)
    return perceived


def coloured(values: NDArray[Any], low: float, high: float, table: Pixels) -> Pixels:
    """Return the colours (..., 3) of values (...) on a scale from `low` to `high`.

    Values beyond the scale have the colour of its end; what is no number counts as 0.
    """
    finite = np.where(np.isfinite(values), values, max(low, 0.0))
    shares = np.clip((finite - low) / max(high - low, 1e-12), 0, 1)
    colours: Pixels = table[np.rint(255 * shares).astype(int)]
    return colours


def _table(anchors: Anchors) -> Pixels:
    """Interpolate anchors to 256 colours, (256, 3), with steps of equal lightness.

    The lightness of anchors rises or falls all the way, or rises to the middle and falls from it.
    """
    known = np.array([list(bytes.fromhex(anchor[1:])) for anchor in anchors], np.float64)
    levels = lightness(known)
    if 0 < (top := int(levels.argmax())) < len(anchors) - 1:
        return np.concatenate([_even(known[: top + 1], 128), _even(known[top:], 128)])
    return _even(known, 256)


def _even(known: NDArray[np.float64], count: int) -> Pixels:
    """Interpolate colours to `count`, which differ in lightness by equal steps."""
    fine = np.linspace(0, len(known) - 1, _FINE)
    dense = np.stack([np.interp(fine, range(len(known)), known[:, c]) for c in range(3)], axis=1)
    level = lightness(dense)
    rising = level[-1] > level[0]
    order = np.maximum.accumulate(level if rising else level[::-1])
    places = np.interp(np.linspace(order[0], order[-1], count), order, np.arange(_FINE))
    places = places if rising else _FINE - 1 - places[::-1]
    table: Pixels = np.rint(dense[np.rint(places).astype(int)]).astype(np.uint8)
    return table
