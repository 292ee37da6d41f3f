"""RDED: the random crops that a teacher is most confident of (Sun et al., arXiv 2312.03526)."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Boxes, Choice, Pool, nth_of_image, random_boxes

CROPS = 5
"""Random crops per image, as in the paper's code."""

LEAST_AREA = 0.08
"""Least share of the image that a crop covers: that of the random-resized crop it uses."""


def rded(pool: Pool) -> Choice:
    """Keep the crop of each image that has the highest confidence, and rank images by it.

    The crops are compared at the teacher's own resolution; the paper's code compares them at the
    size of a tile. Where an image may give several patches, it gives its next best crops.
    """
    assert pool.confidence is not None
    nth = nth_of_image(pool)
    crops = max(CROPS, int(nth.max()) + 1)
    rows = np.repeat(np.arange(len(pool.features)), crops)
    boxes = _random_crops(pool, rows)
    confidence = pool.confidence(rows, boxes).reshape(-1, crops)
    best = np.argsort(-confidence, axis=1, kind="stable")  # (N, crops)
    chosen = pool.image, best[pool.image, nth]
    positions = np.lexsort((-confidence[chosen], nth))
    return Choice(positions, boxes.reshape(-1, crops, 3)[chosen][positions], "patch")


def _random_crops(pool: Pool, rows: np.ndarray) -> Boxes:
    """Draw a square of random area and place of each row, (M, 3); it fits into the image."""
    rng = pool.generator()
    width, height = pool.width_px[rows], pool.height_px[rows]
    area = rng.uniform(LEAST_AREA, 1.0, len(rows)) * width * height
    side = np.clip(np.round(np.sqrt(area)), 1, np.minimum(width, height))
    return random_boxes(rng, rows, side, pool)
