"""Random whole images, what every selection has to beat."""

from __future__ import annotations

from dsel.core.baselines.base import Choice, Pool, by_image, whole_boxes


def random_whole(pool: Pool) -> Choice:
    """Order the images at random; each gives the largest square in its middle."""
    order = pool.generator().permutation(len(pool.features))
    positions = by_image(order, pool)
    return Choice(positions, whole_boxes(pool)[pool.image[positions]], "whole")
