"""Convert float16 to float32 several times as fast as NumPy, above all for tiny numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MAGNITUDE: Final = np.int16(0x7FFF)
_INFINITE: Final = 0x7C00
_BITS: Final = 13
"""Bits by which the fraction of a float32 is longer."""

_SIGN_AND_NUMBER: Final = np.int32(-0x70002000)  # 0x8FFFE000
_BIAS: Final = np.float32(2.0**112)
"""The exponents of a float32 are larger by 127 - 15."""


def widened(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the same numbers as float32, in an array of their own if they are float16.

    The bits of a finite float16 are shifted to the places that they have in a float32; only the
    exponent is then too small, by a factor that is a power of two, so that every number is exact.
    """
    if maps.dtype != np.float16:
        return np.asarray(maps, np.float32)
    bits = maps.view(np.int16)
    if (bits & _MAGNITUDE).max(initial=0) >= _INFINITE:  # NaN and infinity
        return maps.astype(np.float32)
    wide = bits.astype(np.int32, order="C")
    np.left_shift(wide, _BITS, out=wide)
    np.bitwise_and(wide, _SIGN_AND_NUMBER, out=wide)
    numbers = wide.view(np.float32)
    numbers *= _BIAS
    return numbers
