"""Sums and means inside boxes, cell by cell and over a fine grid, on maps of many shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.slow_maps import random_maps, slow_mean

from dsel.core.integral_image import box_means, joined, summed_area, sums_inside


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


def test_summed_area__by_hand() -> None:
    table = summed_area(np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32))
    assert table.tolist() == [[[0, 0, 0], [0, 1, 3], [0, 4, 10]]]
    assert table.dtype == np.float64


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 99),
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=4, max_size=4),
)  # fmt: skip
def test_box_means__mean_over_a_fine_grid(
    rows: int, columns: int, seed: int, spans: list[tuple[int, int]]
) -> None:
    """Boxes on eighths of a cell: each cell is drawn as 8 x 8 pixels, and pixels are averaged."""
    maps = random_maps(2, rows, columns, seed=seed)
    fine = maps.repeat(8, axis=1).repeat(8, axis=2).astype(np.float64)
    (x0, x1), (y0, y1) = (
        sorted(v % (8 * n + 1) for v in span)
        for span, n in zip(spans[:2], (columns, rows), strict=True)
    )
    if x0 == x1 or y0 == y1:
        return
    found = box_means(
        summed_area(maps), np.array([x0 / 8]), np.array([y0 / 8]), (x1 - x0) / 8, (y1 - y0) / 8
    )
    np.testing.assert_allclose(found[:, 0, 0], fine[:, y0:y1, x0:x1].mean(axis=(1, 2)), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99), x=st.floats(0, 3), y=st.floats(0, 2),
    width=st.floats(0.1, 2), height=st.floats(0.1, 3),
)  # fmt: skip
def test_box_means__any_fraction_of_a_cell(
    seed: int, x: float, y: float, width: float, height: float
) -> None:
    maps = random_maps(1, 5, 5, seed=seed)
    found = box_means(summed_area(maps), np.array([x]), np.array([y]), width, height)[0, 0, 0]
    assert found == pytest.approx(slow_mean(maps[0], x, y, width, height), abs=1e-7)


def test_box_means__all_pairs_of_corners() -> None:
    maps = random_maps(3, 4, 6)
    x, y = np.array([0.0, 1.5, 4.0]), np.array([0.25, 2.0])
    found = box_means(summed_area(maps), x, y, 2.0, 1.5)
    assert found.shape == (3, 2, 3)
    for n, row, column in np.ndindex(found.shape):
        assert found[n, row, column] == pytest.approx(
            slow_mean(maps[n], x[column], y[row], 2.0, 1.5), abs=1e-9
        )
