"""Colour tables for the maps that the page draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dsel.types import Pixels

# Anchors of two perceptually uniform maps: ColorBrewer's RdBu, reversed, and inferno.
_DIVERGING: Final = (
    "#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
    "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f",
)  # fmt: skip
_SEQUENTIAL: Final = (
    "#000004", "#1f0c48", "#550f6d", "#88226a", "#ba3655", "#e35933", "#f98c0a", "#f9c932",
    "#fcffa4",
)  # fmt: skip


def colour_tables() -> Mapping[str, Pixels]:
    """Return two tables of 256 colours, (256, 3): signed from blue over white to red, and unsigned.

    Both suit people with colour vision deficiency.
    """
    return {"signed": _table(_DIVERGING), "unsigned": _table(_SEQUENTIAL)}


def _table(anchors: Sequence[str]) -> Pixels:
    """Interpolate anchors to 256 colours, (256, 3)."""
    known = np.array([list(bytes.fromhex(anchor[1:])) for anchor in anchors])
    shares, positions = np.linspace(0, 1, 256), np.linspace(0, 1, len(anchors))
    channels = [np.rint(np.interp(shares, positions, known[:, c])) for c in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)
