"""Sums inside boxes, cell by cell, on maps of many shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsel.core.box_search import box_means, summed_area
from dsel.core.integral_image import joined, sums_inside


def slow_sum(values: np.ndarray, x: float, y: float, width: float, height: float) -> float:
    """Each cell times the area of it that the box covers."""
    total = 0.0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            across = min(x + width, column + 1) - max(x, column)
            down = min(y + height, row + 1) - max(y, row)
            total += values[row, column] * max(0.0, across) * max(0.0, down)
    return total


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_sums_inside__slow_definition(seed: int) -> None:
    """Boxes of all sizes, some of them beyond their map in part or as a whole."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=rng.integers(1, 6, 2)) for _ in range(4)]
    tables = joined([summed_area(one[None]) for one in maps], [np.array([n]) for n in range(4)])
    which = rng.integers(0, 4, 20)
    x, y = rng.uniform(-3, 6, (2, 20))
    width, height = rng.uniform(0.1, 7, (2, 20))
    found = sums_inside(tables, which, x, y, width, height)
    boxes = zip(which, x, y, width, height, strict=True)
    assert found == pytest.approx([slow_sum(maps[n], *box) for n, *box in boxes], abs=1e-9)


def test_joined__stacks_in_any_order() -> None:
    maps = [np.full((2 + n % 2, 3), float(n)) for n in range(5)]
    order = [np.array([0, 2, 4]), np.array([3, 1])]
    stacks = [summed_area(np.stack([maps[n] for n in places])) for places in order]
    tables = joined(stacks, order)
    which = np.arange(5)
    ones = np.ones(5)
    assert sums_inside(tables, which, ones, ones, ones, ones).tolist() == [0, 1, 2, 3, 4]
    assert tables.rows.tolist() == [3, 4, 3, 4, 3]


def test_sums_inside__the_same_bits_as_box_means() -> None:
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(3, 7, 9))
    table = summed_area(maps)
    tables = joined([table], [np.arange(3)])
    for x, y in ((0.0, 0.0), (1.25, 3.5), (4.7, 2.0)):
        means = box_means(table, np.array([x]), np.array([y]), 2.3, 3.1)[:, 0, 0]
        at = (np.full(3, value) for value in (x, y, 2.3, 3.1))
        sums = sums_inside(tables, np.arange(3), *at)
        assert (sums / (2.3 * 3.1)).tolist() == means.tolist()


def test_sums_inside__no_map_and_no_box() -> None:
    nothing = np.zeros(0)
    tables = joined([], [])
    assert sums_inside(tables, np.zeros(0, np.int64), *[nothing] * 4).shape == (0,)
