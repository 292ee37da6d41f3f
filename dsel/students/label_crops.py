"""The random crops whose soft labels are stored: where they are, and what they show."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsel.data.images import crop
from dsel.types import Box, Pixels

SHARES: Final = (0.08, 1.0)
"""Share of an image's area that a crop covers; Inception's, as in FKD (arXiv 2112.01528)."""

RATIOS: Final = (3 / 4, 4 / 3)
"""Width of a crop divided by its height."""

TRIES: Final = 10


def random_crops(
    rng: np.random.Generator, count: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Draw random-resized crops, (count, 4), and whether each is mirrored, (count,).

    A crop is x, y, width and height in shares of the image's side.
    """
    boxes = np.array([_box(rng) for _ in range(count)], np.float32).reshape(count, 4)
    return boxes, rng.random(count) < 0.5


def _box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    low, high = map(math.log, RATIOS)
    for _ in range(TRIES):
        area, ratio = rng.uniform(*SHARES), math.exp(rng.uniform(low, high))
        width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if max(width, height) <= 1:
            return rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height
    return 0.0, 0.0, 1.0, 1.0


def cropped(pixels: Pixels, box: NDArray[np.float32], flip: bool, side_px: int) -> Pixels:
    """Return a crop of a square image, resampled to `side_px`, mirrored if `flip`.

    box: (4,), x, y, width and height in shares of the side.
    """
    made = crop(pixels, Box(*(float(part) * len(pixels) for part in box)), side_px, side_px)
    return np.ascontiguousarray(made[:, ::-1]) if flip else made
