"""Which points lie inside a polygon, as a lasso draws it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

AT_ONCE = 1 << 20
"""Pairs of a point and an edge that are worked on at once, so that memory stays in bounds."""


def inside(points: ArrayLike, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Which of the points (N, 2) lie inside a polygon of corners (V, 2), which closes by itself.

    The even-odd rule: where the outline crosses itself, what it winds around twice is outside. A
    point on the outline counts as either, but polygons that share an edge share no point. A point
    that is not finite is never inside, and nothing is inside fewer than three corners, or inside
    corners that are not finite.
    """
    at = np.asarray(points, float).reshape(-1, 2)
    corners = np.asarray(polygon, float).reshape(-1, 2)
    found = np.zeros(len(at), bool)
    if len(corners) < 3 or not np.isfinite(corners).all():
        return found
    finite = np.flatnonzero(np.isfinite(at).all(axis=1))
    step = max(1, AT_ONCE // len(corners))
    for start in range(0, len(finite), step):
        part = finite[start : start + step]
        found[part] = _odd(at[part], corners)
    return found


def _odd(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a ray from each point to the right crosses an odd number of edges."""
    x, y = points[:, :1], points[:, 1:]  # (N, 1)
    ends = np.stack([corners, np.roll(corners, -1, axis=0)])  # (2, V, 2)
    falls = ends[0, :, 1] > ends[1, :, 1]
    # From below upwards, so that an edge is rounded alike for the polygons on both sides of it.
    (ax, ay), (bx, by) = np.where(falls[:, None], ends[::-1], ends).transpose(0, 2, 1)
    spans = (ay <= y) & (y < by)  # (N, V); a corner belongs to the edge above it alone
    crossing = ax + (y - ay) * (bx - ax) / np.where(by == ay, 1.0, by - ay)
    odd: NDArray[np.bool_] = (spans & (x < crossing)).sum(axis=1) % 2 == 1
    return odd
