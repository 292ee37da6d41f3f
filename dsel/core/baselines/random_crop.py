"""Random boxes of random images: what cutting patches gives without any score."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Pool, by_image, random_boxes


def random_crop(pool: Pool) -> Choice:
    """Order the images at random, as `random_whole` does; each gives a random box."""
    rng = pool.generator()
    positions = by_image(rng.permutation(len(pool.features)), pool)
    side = np.full(len(positions), float(pool.patch_px))
    return Choice(positions, random_boxes(rng, pool.image[positions], side, pool), "patch")
