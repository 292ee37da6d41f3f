"""Pools of candidates as baselines get them, and stand-ins for a teacher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dsel.core.baselines.base import Boxes, Ints, Pool

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
        "name": "cat", "class_index": 1, "patch_px": 32, "k": 3,
        "image": image,
        "ranking_score": drawn if scores is None else np.array(scores),
        "features": features,
        "width_px": np.full(count, float(width_px)),
        "height_px": np.full(count, float(height_px)),
    }  # fmt: skip
    return Pool(**given | fields)  # type: ignore[arg-type]


def teacher_of(logit: Callable[[Ints, Boxes], NDArray[np.floating]], class_index: int = 1):
    """A teacher of three classes: the logit of one follows from rows and boxes, two are 0."""

    def probabilities(rows: Ints, boxes: Boxes) -> Floats:
        logits = np.zeros((len(rows), 3))
        logits[:, class_index] = logit(rows, boxes)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    return probabilities
