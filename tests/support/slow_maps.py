"""Slow definitions that fast code on maps is tested against: cell by cell, and drawn maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def random_maps(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def overlap(start: float, length: float, cell: int) -> float:
    return max(0.0, min(start + length, cell + 1) - max(start, cell))


def slow_mean(
    one_map: NDArray[np.floating], x: float, y: float, width: float, height: float
) -> float:
    """Mean of a map of unit cells inside a box: the definition, cell by cell."""
    total = sum(
        float(one_map[row, column]) * overlap(x, width, column) * overlap(y, height, row)
        for row in range(one_map.shape[0])
        for column in range(one_map.shape[1])
    )
    return total / (width * height)
