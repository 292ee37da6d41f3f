"""How many of its 16 bits per sample an image uses.

Cameras, microscopes and scanners often store 8, 10 or 12 bits in samples of 16, at their lower end,
and no field of PNG or TIFF says so. Read as 16 bits, such an image is black. The rule looks at one
image alone, so that it does not depend on what else is in a dataset:

- The depth is the smallest of 8, 10 and 12 bits that holds the largest sample. That sample is
  never made white unless it is the largest of its depth: no image is stretched to its own maximum.
- An image with any sample above 4095, which is a sixteenth of white, has 16 bits, however dark.
- So has one whose samples are all multiples of 256 or of 257: 8 bits that were widened to 16.

An image of 12 bits that stays below 1024 cannot be told from one of 10, and an image of 16 bits
that stays below 4096 not from one of 12; as 16 bits, it would have at most 16 grays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL: Final = 16
DEPTHS: Final = (8, 10, 12)
"""Depths that are stored in samples of 16 bits and would look black there."""


def depth_used(parts: Iterable[NDArray[np.uint16]]) -> int:
    """Return the bits that the samples use: 8, 10, 12 or 16; parts: all samples, piece by piece."""
    most, narrow, doubled = 0, True, True
    for part in parts:
        most = max(most, int(part.max(initial=0)))
        if most > white_of(DEPTHS[-1]):
            return FULL
        narrow = narrow and not (part & 0xFF).any()
        doubled = doubled and bool(((part >> 8) == (part & 0xFF)).all())
    if narrow or doubled:
        return FULL
    return next(depth for depth in DEPTHS if most <= white_of(depth))


def white_of(depth: int) -> int:
    """Return the largest sample of a depth in bits."""
    return (1 << depth) - 1


def to_eight_bits(samples: NDArray[np.uint16], depth: int) -> NDArray[np.uint8]:
    """Scale samples of a depth to 0..255, rounded; larger ones are white."""
    white = white_of(depth)
    wide = np.minimum(samples, white).astype(np.uint32)
    return ((wide * 255 + white // 2) // white).astype(np.uint8)
