"""From patch features to clusters within one class."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ALONE = Lock()
"""How many threads a library takes, and which warnings show, is one state for the whole process."""

LEAST = 2
"""Discriminative patches for each cluster at least, among which clusters are found."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of each of N patches.

    labels: (N,), 0 is the cluster of the highest median score. distance: (N,) to the centroid of
    its cluster, in the space of `unit_features`.
    """

    labels: Ints
    distance: Floats


def cluster_patches(
    features: Floats, scores: NDArray[np.floating], k: int, discriminative_share: float = 1.0
) -> Clusters:
    """k-means over features (N, d), clusters ordered by falling median score.

    Clusters are found among the most discriminative patches, this share of all and at least two for
    each cluster, and the others join the nearest: with a small share, what will hardly be kept does
    not move what is, but kinds of patches that are all less discriminative have no cluster of their
    own.

    It starts from discriminative patches that differ (see `first_centroids`) and not by chance: a
    distilled set should not change with a seed, and hardly with the noise of the scores. With fewer
    different patches than k there are fewer clusters. It runs in one thread, because partial sums
    of several would be added in any order.
    """
    if not len(features):
        return Clusters(np.zeros(0, np.int64), np.zeros(0, np.float32))
    points = unit_features(features)
    best = most_discriminative(scores, max(discriminative_share * len(points), LEAST * k))
    k = min(k, len(np.unique(points[best], axis=0)))
    labels = np.zeros(len(points), np.int64)
    if k > 1:
        labels = _kmeans(points, best, first_centroids(points[best], scores[best], k))
    labels = _by_median_score(labels, scores)
    centroids = np.stack(
        [points[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)]
    )
    distance = np.linalg.norm(points - centroids[labels], axis=1)
    return Clusters(labels, distance.astype(np.float32))


def most_discriminative(scores: NDArray[np.floating], count: float) -> Ints:
    """Positions of the `count` highest scores, rounded up, in rising order."""
    best: Ints = np.sort(np.argsort(-scores, kind="stable")[: math.ceil(count)])
    return best


def first_centroids(points: Floats, scores: NDArray[np.floating], k: int) -> Floats:
    """The patches that k-means starts from, (k, d): discriminative ones that differ.

    The most discriminative one is the first; each next one has the largest product of weight and
    squared distance to those before it, where the weight falls with the rank of the score from 1 to
    1 / n. That is k-means++ (Arthur and Vassilvitskii, 2007) with its lots replaced by the
    likeliest draw.
    """
    count = len(points)
    weight = np.empty(count)
    weight[np.argsort(-scores, kind="stable")] = 1 - np.arange(count) / count
    chosen = [int(np.argmax(weight))]
    nearest = np.full(count, np.inf)
    while len(chosen) < k:
        away = np.square(points - points[chosen[-1]]).sum(axis=1)
        nearest = np.minimum(nearest, away)
        chosen.append(int(np.argmax(weight * nearest)))
    return points[chosen]


def unit_features(features: Floats) -> Floats:
    """Features of one class with their common mean removed, scaled to length 1: (N, d) -> (N, d).

    What all patches of a class share says nothing of how they differ; after scaling, Euclidean
    distance is the cosine distance that diffusion features are compared with.
    """
    centred = features - features.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: Floats = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-12)
    return unit


def _kmeans(points: Floats, best: Ints, start: Floats) -> Ints:
    """k-means on the best of the points; each point's label is that of the nearest centroid."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with ALONE, threadpool_limits(limits=1), warnings.catch_warnings():
        # Points may differ and yet be too near to tell apart: there are fewer clusters then.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(len(start), init=start, n_init=1, random_state=0)
        return np.asarray(model.fit(points[best]).predict(points), np.int64)


def _by_median_score(labels: Ints, scores: NDArray[np.floating]) -> Ints:
    """Number the clusters from 0 by falling median score."""
    names, cluster = np.unique(labels, return_inverse=True)
    medians = np.array([np.median(scores[labels == name]) for name in names])
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-medians, kind="stable")] = np.arange(len(names))
    return rank[cluster]
