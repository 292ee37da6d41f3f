"""The centres of random images: photographers put their subject in the middle."""

from __future__ import annotations

from dsel.core.baselines.base import Choice, Pool, by_image, centred_boxes


def centre_crop(pool: Pool) -> Choice:
    """Order the images at random, as `random_whole` does; each gives the box in its middle."""
    positions = by_image(pool.generator().permutation(len(pool.features)), pool)
    return Choice(positions, centred_boxes(pool, pool.patch_px)[pool.image[positions]], "patch")
