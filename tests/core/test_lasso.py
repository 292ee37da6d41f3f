"""Points in polygons: by the winding of convex ones, on tilings, and where outlines cross."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsel.core import lasso
from dsel.core.lasso import inside

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]


def slow_inside(x: float, y: float, polygon: list[tuple[float, float]]) -> bool:
    """Count the edges that a ray to the right crosses, one by one."""
    odd = False
    for (ax, ay), (bx, by) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            odd = not odd
    return odd


def test_inside__by_hand() -> None:
    points = [(2, 2), (5, 2), (-1, 2), (2, 5), (2, -1), (3.9, 3.9), (4.1, 4.1)]
    assert inside(points, SQUARE).tolist() == [True, False, False, False, False, True, False]
    assert inside(points, SQUARE[::-1]).tolist() == inside(points, SQUARE).tolist()


def test_inside__a_bay_is_outside() -> None:
    bay = [(0, 0), (6, 0), (6, 6), (4, 6), (4, 2), (2, 2), (2, 6), (0, 6)]
    assert inside([(3, 4), (1, 4), (5, 4), (3, 1)], bay).tolist() == [False, True, True, True]


def test_inside__what_is_wound_around_twice_is_outside() -> None:
    """A five-pointed star in one stroke: its middle is outside by the even-odd rule."""
    turn = np.deg2rad(90 + 144 * np.arange(5))
    star = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    assert inside([(0, 0), (0, 0.8), (0.9, -0.9)], star).tolist() == [False, True, False]


@pytest.mark.parametrize("polygon", [[], [(0, 0)], [(0, 0), (4, 4)]])
def test_inside__too_few_corners(polygon: list[tuple[float, float]]) -> None:
    assert not inside([(0, 0), (2, 2)], polygon).any()


def test_inside__no_points_no_numbers_and_flat_polygons() -> None:
    assert inside(np.zeros((0, 2)), SQUARE).shape == (0,)
    nan, inf = float("nan"), float("inf")
    assert not inside([(nan, 2), (2, nan), (inf, 2), (-inf, 2), (2, inf), (2, -inf)], SQUARE).any()
    assert not inside([(2, 2)], [(0, 0), (nan, 0), (4, 4), (0, 4)]).any()
    assert not inside([(1, 0), (2, 2)], [(0, 0), (2, 0), (4, 0)]).any()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12))
def test_inside__slow_definition(seed: int, corners: int) -> None:
    rng = np.random.default_rng(seed)
    polygon, points = rng.normal(size=(corners, 2)), rng.normal(size=(30, 2))
    slow = [slow_inside(x, y, polygon.tolist()) for x, y in points.tolist()]
    assert inside(points, polygon).tolist() == slow


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_inside__tiles_share_no_point_and_leave_none_out(seed: int) -> None:
    """Four quadrangles around one inner corner; points lie on corners and edges too."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid([0, 5, 10], [0, 5, 10]), axis=2).astype(float)
    grid[1, 1] += rng.integers(-4, 5, 2)
    for cut in ((0, 1), (1, 0), (2, 1), (1, 2)):
        grid[cut] += rng.integers(-2, 3) * np.array([cut[0] != 1, cut[1] != 1])
    tiles = [
        [grid[y, x], grid[y, x + 1], grid[y + 1, x + 1], grid[y + 1, x]]
        for y in (0, 1)
        for x in (0, 1)
    ]
    points = rng.integers(0, 20, (200, 2)) / 2
    assert (sum(inside(points, tile).astype(int) for tile in tiles) == 1).all()


def test_inside__in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    points, polygon = rng.normal(size=(100, 2)), rng.normal(size=(9, 2))
    whole = inside(points, polygon)
    monkeypatch.setattr(lasso, "AT_ONCE", 70)
    assert inside(points, polygon).tolist() == whole.tolist()
