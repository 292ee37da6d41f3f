"""Pictures of a report as data URIs: stored thumbnails, and heat maps to lay over them."""

from __future__ import annotations

import base64
import io
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dsel.core.colormaps import colour_tables, coloured
from dsel.types import Pixels

Kind: TypeAlias = Literal["signed", "positive"]

PALETTE: Final = "red"
STOPS: Final = 9
"""Colours of the scale of a legend."""


def overlay_uri(values: NDArray[np.float32], high: float, kind: Kind) -> str:
    """Return a map (h, w) as a PNG that is transparent where the map is 0, as Inspect draws it.

    high: the value at the upper end of the colours.
    """
    share = np.abs(values) if kind == "signed" else np.maximum(values, 0)
    shares = np.clip(np.nan_to_num(share) / max(high, 1e-12), 0, 1)
    stream = io.BytesIO()
    shown = overlay(values, high, kind, np.sqrt(shares))  # weak evidence stays visible
    shown.save(stream, "png", optimize=True)
    return data_uri(stream.getvalue(), "image/png")


def overlay(
    values: NDArray[np.float32], high: float, kind: Kind, opacity: NDArray[np.floating]
) -> Image.Image:
    """Return a map (h, w) in the colours of its kind; opacity: (h, w), in 0 to 1."""
    rgb = coloured(values, -high if kind == "signed" else 0.0, high, _table(kind))
    alpha = np.rint(255 * opacity).astype(np.uint8)
    return Image.fromarray(np.dstack([rgb, alpha]))


def gradient_of(kind: Kind) -> str:
    """Return the colours of maps, from the lowest value up, as the stops of a CSS gradient."""
    table = _table(kind)[np.linspace(0, 255, STOPS).astype(int)]
    return ", ".join("#" + bytes(colour).hex() for colour in table)


def data_uri(content: bytes, media_type: str) -> str:
    """Return a file as the address that contains it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _table(kind: Kind) -> Pixels:
    return colour_tables()[PALETTE][kind]
