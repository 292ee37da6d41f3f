"""Pools of candidates as baselines get them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsel.core.baselines.base import Pool

Floats = NDArray[np.float32]


def pool_of(
    features: Floats,
    per_image: tuple[int, ...] | None = None,
    scores: tuple[float, ...] | None = None,
    width_px: int = 96,
    height_px: int = 64,
    **fields: object,
) -> Pool:
    """Images of these features (N, d), one patch each unless `per_image` says how many."""
    count = len(features)
    image = np.repeat(np.arange(count), per_image or (1,) * count)
    drawn = np.random.default_rng(0).normal(size=len(image))
    given: dict[str, object] = {
        "name": "cat", "patch_px": 32, "k": 3,
        "image": image,
        "ranking_score": drawn if scores is None else np.array(scores),
        "features": features,
        "width_px": np.full(count, float(width_px)),
        "height_px": np.full(count, float(height_px)),
    }  # fmt: skip
    return Pool(**given | fields)  # type: ignore[arg-type]
