"""Points in tight clouds, as features of patches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def clouds(sizes: tuple[int, ...], dim: int = 8, spread: float = 0.05, seed: int = 0) -> Floats:
    """Tight clouds around different axes, one after the other."""
    rng = np.random.default_rng(seed)
    centres = np.eye(dim, dtype=np.float32)[: len(sizes)] * 10
    points = np.repeat(centres, sizes, axis=0)
    return (points + rng.normal(size=points.shape) * spread).astype(np.float32)
