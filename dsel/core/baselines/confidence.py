"""The images that a teacher finds easiest, or hardest, to recognize."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Doubles, Pool, by_image, whole_boxes


def easiest(pool: Pool) -> Choice:
    """Order the images by the teacher's confidence in their class, highest first."""
    return Choice(by_image(np.argsort(-_confidence(pool), kind="stable"), pool))


def hardest(pool: Pool) -> Choice:
    """Order the images by the teacher's confidence in their class, lowest first."""
    return Choice(by_image(np.argsort(_confidence(pool), kind="stable"), pool))


def _confidence(pool: Pool) -> Doubles:
    """Return the confidence (N,) in the largest square in the middle of each image."""
    assert pool.confidence is not None
    return pool.confidence(np.arange(len(pool.features)), whole_boxes(pool))
