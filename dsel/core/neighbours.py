"""The nearest of many points, by comparing all pairs: exact, and without a compiler."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]

AT_ONCE: Final = 2048
"""Points whose neighbours are searched at once, which bounds the memory."""


def neighbours(points: Floats, count: int) -> tuple[Ints, Floats]:
    """Return the nearest of N points (N, d) to each, itself first, and how far they are."""
    parts = [
        nearest_of(points[start : start + AT_ONCE], points, count)
        for start in range(0, len(points), AT_ONCE)
    ]
    nearest, distances = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return nearest, distances


def nearest_of(
    points: Floats, others: Floats, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest of some others to each point, (N, count), and how far they are."""
    products = points @ others.T  # (N, M)
    squares = np.square(points).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    distances = np.maximum(squares - 2 * products, 0)
    found = np.argpartition(distances, count - 1, axis=1)[:, :count]
    near = np.take_along_axis(distances, found, axis=1)
    order = np.lexsort((found, near), axis=1)
    near = np.take_along_axis(near, order, axis=1)
    return np.take_along_axis(found, order, axis=1), np.sqrt(near).astype(np.float32)
