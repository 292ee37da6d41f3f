"""Float16 to float32, compared with NumPy's own conversion for every number that there is."""

from __future__ import annotations

import numpy as np
import pytest

from dsel.core.widening import widened

EVERY = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = EVERY[np.isfinite(EVERY)]


def test_widened__every_finite_number_has_the_same_bits() -> None:
    found = widened(FINITE)
    assert found.dtype == np.float32
    assert np.array_equal(found.view(np.int32), FINITE.astype(np.float32).view(np.int32))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_widened__what_is_no_number_stays(odd: float) -> None:
    maps = np.array([0.5, odd, -2.0], np.float16)
    assert np.array_equal(widened(maps), np.array([0.5, odd, -2.0], np.float32), equal_nan=True)


def test_widened__views_without_a_copy_of_what_is_wide_already() -> None:
    maps = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    assert np.array_equal(widened(maps[:, ::2, 1:]), maps[:, ::2, 1:])
    wide = maps.astype(np.float32)
    assert widened(wide) is wide
    assert widened(np.zeros((0, 4), np.float16)).shape == (0, 4)
