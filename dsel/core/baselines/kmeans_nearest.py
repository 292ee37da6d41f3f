"""The images nearest to the centroids of k-means: typical and varied, without any score."""

from __future__ import annotations

import numpy as np

from dsel.core.baselines.base import Choice, Ints, Pool, by_image
from dsel.core.clustering import kmeans, unit_features
from dsel.core.ranking import in_turn


def kmeans_nearest(pool: Pool) -> Choice:
    """Take the image nearest to each centroid, then the second nearest ones, and so on.

    k-means runs on the pictures' features, centred and scaled to length 1; the cluster of the most
    images is the first.
    """
    points = unit_features(pool.features)
    k = min(pool.k, len(np.unique(points, axis=0)))
    seed = int(pool.generator().integers(2**31))
    labels = kmeans(points, points, "k-means++", k, seed)
    members = sorted((np.flatnonzero(labels == label) for label in np.unique(labels)), key=_size)
    nearest = (list(_by_distance(points[rows], rows)) for rows in members)
    return Choice(by_image(np.array(list(in_turn(nearest)), np.int64), pool))


def _size(rows: Ints) -> tuple[int, int]:
    return -len(rows), int(rows[0])


def _by_distance(points: np.ndarray, rows: Ints) -> Ints:
    """Order the images of one cluster by rising distance to their mean."""
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    return rows[np.argsort(distance, kind="stable")]
