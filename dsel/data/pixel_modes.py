"""From Pillow's modes to 8-bit RGB, strip by strip: only the result is as large as the image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dsel.data.deep_colour import DeepColour, Rows, clear_colour, deep_colour, looks_black
from dsel.data.sample_depth import FULL, depth_used, to_eight_bits, white_of
from dsel.types import Pixels

BACKGROUND: Final = "white"
"""The colour behind transparent images."""

STRIP_PX: Final = 1 << 20
"""Pixels that are converted at a time."""

_Convert: TypeAlias = Callable[[Rows], NDArray[np.uint8]]
"""Returns a strip of an image, (height, width, 3), or (height, width, 1) for gray."""

_MAY_USE_FEWER: Final = ("PNG", "TIFF", "PPM")
"""Formats whose samples of 16 bits may use fewer of them; others state the depth."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a file stores its samples, known before they are decoded.

    layout: Pillow's raw mode, such as RGB;16B. depth: bits per sample; 0 if the samples have 16 and
    may use fewer.
    """

    layout: str
    depth: int


def stored_samples(image: ImageFile.ImageFile) -> Stored:
    """Return how an opened file stores its samples; it must not be loaded yet."""
    given = image.tile[0].args if image.tile else ""
    layout = str(given[0] if isinstance(given, tuple) and given else given)
    if layout == "I;12":
        return Stored(layout, 12)
    may_use_fewer = ";16" in layout and image.format in _MAY_USE_FEWER
    return Stored(layout, 0 if may_use_fewer else FULL)


def to_rgb(
    image: Image.Image, stored: Stored, reopen: Callable[[], ImageFile.ImageFile]
) -> tuple[Pixels, int]:
    """Return a loaded image as (height, width, 3), and the bits per sample that it uses.

    Transparent parts show `BACKGROUND`. reopen: opens the same file again.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _deep_gray(image, stored.depth)
    if image.mode in ("I", "F"):
        return _stretched(image), FULL
    if not stored.depth and (looks_black(image) or clear_colour(image)):
        deep = deep_colour(image, reopen(), stored.layout)
        if deep is not None:
            depth = depth_used(_colours(image, deep))
            return _deep_rgb(image, deep, depth), depth
    convert = _composited if image.has_transparency_data else _plain
    return _by_strips(image, lambda rows: convert(image.crop(rows))), FULL


def _strips(image: Image.Image) -> Iterator[Rows]:
    """Yield the rows of an image from the top, some at a time."""
    height = max(1, STRIP_PX // image.width)
    for top in range(0, image.height, height):
        yield 0, top, image.width, min(top + height, image.height)


def _by_strips(image: Image.Image, convert: _Convert) -> Pixels:
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows in _strips(image):
        pixels[rows[1] : rows[3]] = convert(rows)
    return pixels


def _plain(strip: Image.Image) -> Pixels:
    return np.asarray(strip.convert("RGB"))


def _composited(strip: Image.Image) -> Pixels:
    clear = strip.convert("RGBA")
    return _plain(Image.alpha_composite(Image.new("RGBA", clear.size, BACKGROUND), clear))


def _deep_gray(image: Image.Image, depth: int) -> tuple[Pixels, int]:
    """Scale gray of up to 16 bits; the value that PNG declares transparent shows `BACKGROUND`."""

    def samples(rows: Rows) -> NDArray[np.uint16]:
        return np.asarray(image.crop(rows)).astype(np.uint16)

    used = depth or depth_used(samples(rows) for rows in _strips(image))
    clear = image.info.get("transparency")

    def convert(rows: Rows) -> NDArray[np.uint8]:
        deep = samples(rows)
        gray = to_eight_bits(deep, used)
        if isinstance(clear, int):
            gray[deep == clear] = 255
        return gray[:, :, None]

    return _by_strips(image, convert), used


def _colours(image: Image.Image, deep: DeepColour) -> Iterator[NDArray[np.uint16]]:
    return (deep.samples(rows)[..., :3] for rows in _strips(image))


def _deep_rgb(image: Image.Image, deep: DeepColour, depth: int) -> Pixels:
    """Scale colours of fewer than 16 bits; alpha has their depth, or all 16 bits."""
    alphas = (int(deep.samples(rows)[..., 3].max()) for rows in _strips(image))
    alpha_depth = depth if max(alphas) <= white_of(depth) else FULL

    def convert(rows: Rows) -> NDArray[np.uint8]:
        samples = deep.samples(rows)
        colour = to_eight_bits(samples[..., :3], depth)
        alpha = to_eight_bits(samples[..., 3:], alpha_depth)
        return _composited(Image.fromarray(np.concatenate([colour, alpha], axis=-1)))

    return _by_strips(image, convert)


def _stretched(image: Image.Image) -> Pixels:
    """Scale floats and 32-bit integers from their finite minimum and maximum to 0 and 255."""
    low, high = _finite_range(image)
    return _by_strips(image, lambda rows: _scaled(np.asarray(image.crop(rows)), low, high))


def _finite_range(image: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest finite value; 0 and 0 without any."""
    low, high = math.inf, -math.inf
    for rows in _strips(image):
        values = np.asarray(image.crop(rows)).astype(np.float64)
        finite = values[np.isfinite(values)]
        low = min(low, float(finite.min(initial=math.inf)))
        high = max(high, float(finite.max(initial=-math.inf)))
    return (low, high) if low <= high else (0.0, 0.0)


def _scaled(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Scale (height, width) from a range to 0..255; NaN becomes 0, infinities 0 or 255."""
    if high - low <= 0 or not math.isfinite(high - low):
        return np.zeros((*values.shape, 1), np.uint8)
    wide = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    return np.rint((wide - low) / (high - low) * 255).astype(np.uint8)[:, :, None]
