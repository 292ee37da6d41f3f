"""Herding: images whose mean feature follows that of the class (Welling, 2009)."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Floats, Ints, Pool, by_image


def herding(pool: Pool) -> Choice:
    """Order the images so that the mean feature of each head is near that of the class."""
    return Choice(by_image(herding_order(pool.features), pool))


def herding_order(features: Floats) -> Ints:
    """Return the rows of features (N, d) in the order that greedy herding takes them.

    Welling, "Herding dynamical weights to learn", ICML 2009, in the form of Rebuffi et al.
    (iCaRL, CVPR 2017, algorithm 4): each step takes, of the rows that are left, the one that brings
    the mean of those taken nearest to the mean of all. With the mean of all at the origin and s the
    sum of those taken, it is the x of least |s + x|^2, so of least |x|^2 + 2 <s, x>.
    """
    points = features.astype(np.float64)
    points -= points.mean(axis=0)
    cost = np.square(points).sum(axis=1)
    order = np.empty(len(points), np.int64)
    for step in range(len(points)):
        row = order[step] = int(np.argmin(cost))
        cost += 2 * (points @ points[row])
        cost[row] = np.inf
    return order
