"""Colour in samples of 16 bits, of which Pillow keeps the upper bytes only."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Rows: TypeAlias = tuple[int, int, int, int]
"""A box of pixels: left, top, right, bottom."""

_GRAY_ALPHA: Final = "LA;16B"
_KINDS: Final = ("RGB", "RGBX", "RGBA")
_ORDERS: Final = (";16L", ";16B") if sys.byteorder == "little" else (";16B", ";16L")
"""The order of bytes of this machine, and the other one."""
_BYTE: Final = np.uint16(8)


@dataclass(frozen=True, slots=True)
class DeepColour:
    """An image decoded twice, for the upper and for the lower bytes of its samples.

    clear: the colour that the file declares transparent.
    """

    upper: Image.Image
    lower: Image.Image
    is_gray: bool
    clear: tuple[int, ...] | None

    def samples(self, rows: Rows) -> NDArray[np.uint16]:
        """Return red, green, blue and alpha of a part, (height, width, 4) of 16 bits."""
        upper, lower = (_bytes(image.crop(rows)) for image in (self.upper, self.lower))
        if self.is_gray:  # the lower image has gray and alpha with both of their bytes
            joined = lower[..., 0::2] << _BYTE | lower[..., 1::2]
            return joined[..., [0, 0, 0, 1]]
        samples = upper << _BYTE | lower
        if self.clear is not None:
            samples[(samples[..., :3] == self.clear).all(axis=-1), 3] = 0
        return samples


def deep_colour(
    upper: Image.Image, reopened: ImageFile.ImageFile, layout: str
) -> DeepColour | None:
    """Decode the lower bytes too; None for a layout that Pillow cannot read so.

    layout: Pillow's raw mode of the file, such as RGB;16B. Read in the other order of bytes, the
    byte that counts is the lower one. Gray with alpha comes as its four bytes.
    """
    wanted = "RGBA" if layout == _GRAY_ALPHA else _other_order(layout)
    if not wanted:
        return None
    reopened.tile = [
        tile._replace(args=(wanted, *tile.args[1:]) if isinstance(tile.args, tuple) else wanted)
        for tile in reopened.tile
    ]
    reopened.load()
    return DeepColour(upper, reopened, layout == _GRAY_ALPHA, clear_colour(upper))


def looks_black(image: Image.Image) -> bool:
    """Whether the upper bytes of all colours are below 16, so that 12 bits would hold them."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    return all(_largest(image.getchannel(band)) < 16 for band in "RGB")


def clear_colour(image: Image.Image) -> tuple[int, ...] | None:
    """Return the one colour that a PNG declares transparent, in its own bits; None without one."""
    clear = image.info.get("transparency")
    return clear if isinstance(clear, tuple) else None


def _largest(channel: Image.Image) -> int:
    return channel.getextrema()[1]  # type: ignore[return-value]  # one band has one pair


def _other_order(layout: str) -> str:
    """Return the raw mode with the other order of bytes; empty without one."""
    kind, order = layout[:-4], layout[-4:].replace(";16N", _ORDERS[0])
    if kind not in _KINDS or order not in _ORDERS:
        return ""
    return kind + _ORDERS[order == _ORDERS[0]]


def _bytes(part: Image.Image) -> NDArray[np.uint16]:
    """Return (height, width, 4), 0 to 255; an image without alpha is opaque."""
    values = np.asarray(part).astype(np.uint16)
    if part.mode == "RGBA":
        return values
    return np.pad(values, ((0, 0), (0, 0), (0, 1)), constant_values=255)
