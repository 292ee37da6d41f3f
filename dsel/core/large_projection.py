"""Projection of very many features onto the plane: UMAP of some, and the others among them."""

from __future__ import annotations

from typing import Final

import numpy as np

from dsel.core.clustering import unit_features
from dsel.core.neighbours import AT_ONCE, nearest_of
from dsel.core.projection import Floats, Projection, project

MOST_FITTED: Final = 20_000
"""Points that UMAP lays out; its time grows faster than their number."""

NEAREST: Final = 5
"""Fitted points among which each of the others is placed."""


def project_many(features: Floats, seed: int, most: int = MOST_FITTED) -> Projection:
    """Project features (N, d) onto the plane like `project`, in a time that is bounded for large N.

    UMAP lays out at most `most` of the points, drawn with the seed. Each other point is placed at
    the mean of its nearest fitted ones, weighted by their similarity.
    """
    count = len(features)
    if count <= most:
        return project(features, seed)
    fitted = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    found = project(features[fitted], seed)
    positions = np.empty((count, 2), np.float32)
    points = unit_features(features)
    for start in range(0, count, AT_ONCE):
        part = points[start : start + AT_ONCE]
        positions[start : start + AT_ONCE] = _placed(part, points[fitted], found.positions)
    positions[fitted] = found.positions
    return Projection(positions, found.problem)


def _placed(points: Floats, fitted: Floats, positions: Floats) -> Floats:
    """Place points (N, d) among fitted ones (M, d), whose positions are (M, 2)."""
    nearest, distances = nearest_of(points, fitted, min(NEAREST, len(fitted)))
    # Like UMAP's membership: 1 for the nearest one, and less the farther away the others are.
    beyond = distances - distances[:, :1]
    width = np.maximum(beyond.mean(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    weights = np.exp(-beyond / width)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((weights[:, :, None] * positions[nearest]).sum(axis=1), np.float32)
