"""Find the points inside a polygon that was drawn with a lasso."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

AT_ONCE = 1 << 20
"""Pairs of a point and an edge that are computed at once, which bounds the memory."""


def inside(points: ArrayLike, polygon: ArrayLike) -> NDArray[np.bool_]:
    """Return which points (N, 2) are inside a polygon of corners (V, 2), closed automatically.

    By the even-odd rule, regions that a self-crossing outline winds around twice are outside. A
    point on the outline may count as either, but polygons that share an edge share no point.
    Points that are not finite are outside. Nothing is inside a polygon of fewer than three corners,
    or of corners that are not finite.
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
        found[part] = _odd_crossings(at[part], corners)
    return found


def _odd_crossings(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether a ray from each point to the right crosses an odd number of edges."""
    x, y = points[:, :1], points[:, 1:]  # (N, 1)
    ends = np.stack([corners, np.roll(corners, -1, axis=0)])  # (2, V, 2)
    falls = ends[0, :, 1] > ends[1, :, 1]
    # Edges point upwards, so that rounding is the same for the polygons on both sides of an edge.
    (ax, ay), (bx, by) = np.where(falls[:, None], ends[::-1], ends).transpose(0, 2, 1)
    spans = (ay <= y) & (y < by)  # (N, V); a corner belongs to the edge above it alone
    crossing = ax + (y - ay) * (bx - ax) / np.where(by == ay, 1.0, by - ay)
    odd: NDArray[np.bool_] = (spans & (x < crossing)).sum(axis=1) % 2 == 1
    return odd
