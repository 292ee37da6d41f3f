"""Facility location: images such that every image of the class is similar to a chosen one."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np

from dsel.core.baselines.base import Choice, Doubles, Floats, Ints, Pool, by_image
from dsel.core.clustering import unit_features


def facility_location(pool: Pool) -> Choice:
    """Order the images greedily by how much they add to the similarity of all to the chosen."""
    return Choice(by_image(greedy_order(similarities(pool.features)), pool))


def similarities(features: Floats) -> Floats:
    """Return 1 + the cosine of each pair of features (N, d), centred: (N, N), 0 to 2."""
    points = unit_features(features)
    return 1 + points @ points.T


def greedy_order(similarity: Floats) -> Ints:
    """Return all rows of (N, N) similarities in the order in which greedy maximisation takes them.

    Each step takes the row that adds most to f(S) = sum over i of max over j in S of
    similarity[i, j] (Nemhauser, Wolsey and Fisher, 1978); of equal ones the first. f is submodular:
    what a row adds never grows, so a row whose new gain is above the old gains of all others is the
    best one (lazy greedy: Minoux, 1978).
    """
    covered = np.zeros(len(similarity))
    gains = [(-_gain(row, covered), n) for n, row in enumerate(similarity)]
    heapify(gains)
    order = []
    while gains:
        _, row = heappop(gains)
        found = -_gain(similarity[row], covered), row
        if gains and found > gains[0]:
            heappush(gains, found)
            continue
        order.append(row)
        covered = np.maximum(covered, similarity[row])
    return np.array(order, np.int64)


def _gain(similarity: Floats, covered: Doubles) -> float:
    return float(np.maximum(similarity - covered, 0.0).sum())
