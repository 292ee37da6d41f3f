"""Cluster the patches of one class by their features."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from dsel.core.chunks import chunks

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_PROCESS_STATE = Lock()
"""Held while the number of threads and the warning filters, which are global, are changed."""

_ROUNDING = 1e-4
"""How far a squared distance may be off that is made of products, as a share of the squares."""

_FEW = 64
"""Points whose distances are computed precisely for each centroid, at most."""

PATCHES_PER_CLUSTER = 2
"""Least number of discriminative patches per cluster that clusters are found among."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of each of N patches.

    labels: (N,), 0 is the cluster of the highest median score. distance: (N,) to the centroid of
    its cluster, in the space of `unit_features`.
    """

    labels: Ints
    distance: Floats


def cluster_patches(
    features: Floats,
    scores: NDArray[np.floating],
    k: int,
    discriminative_share: float = 1.0,
    strength: NDArray[np.floating] | None = None,
) -> Clusters:
    """Run k-means over features (N, d); clusters are numbered by falling median score.

    Clusters are found among the most discriminative patches: this share of all, and at least two
    per cluster. The other patches join the nearest cluster. With a small share, patches that are
    unlikely to be kept do not influence the clusters, but kinds of patches that are all less
    discriminative get no cluster of their own.

    k-means starts from strong patches that differ (see `first_centroids`) instead of random ones: a
    distilled set should not depend on a seed, and little on the noise of the scores. strength: (N,)
    by default the scores; what locates patches is steadier. With fewer different patches than k
    there are fewer clusters. It runs in one thread, because the order in which several threads add
    their partial sums is not defined.
    """
    if not len(features):
        return Clusters(np.zeros(0, np.int64), np.zeros(0, np.float32))
    points = unit_features(features)
    count = max(discriminative_share * len(points), PATCHES_PER_CLUSTER * k)
    best = most_discriminative(scores, count)
    k = min(k, _distinct(points[best], k))
    labels = np.zeros(len(points), np.int64)
    if k > 1:
        start = first_centroids(points[best], (scores if strength is None else strength)[best], k)
        labels = kmeans(points, points[best], start, k)
    labels = _by_median_score(labels, scores)
    centroids = np.stack(
        [points[labels == cluster].mean(axis=0) for cluster in range(labels.max() + 1)]
    )
    distance = np.linalg.norm(points - centroids[labels], axis=1)
    return Clusters(labels, distance.astype(np.float32))


def most_discriminative(scores: NDArray[np.floating], count: float) -> Ints:
    """Return the positions of the `count` highest scores, rounded up, in rising order."""
    if count >= len(scores):
        return np.arange(len(scores))
    best: Ints = np.sort(np.argsort(-scores, kind="stable")[: math.ceil(count)])
    return best


def first_centroids(points: Floats, strength: NDArray[np.floating], k: int) -> Floats:
    """Return the patches that k-means starts from, (k, d): strong ones that differ.

    The strongest one is the first; each next one has the largest product of weight and squared
    distance to those before it, where the weight falls with the rank of the strength from 1 to
    1 / n. This is k-means++ (Arthur and Vassilvitskii, 2007) with its random draws replaced by the
    most likely ones.
    """
    count = len(points)
    weight = np.empty(count)
    weight[np.argsort(-strength, kind="stable")] = 1 - np.arange(count) / count
    chosen = [int(np.argmax(weight))]
    squares = np.einsum("nd,nd->n", points, points)
    nearest = np.full(count, np.inf, np.float32)
    while len(chosen) < k:
        # All distances nearly, by one matrix product; then precisely those that may be the largest.
        last = chosen[-1]
        away = squares + squares[last] - 2 * (points @ points[last])
        np.minimum(nearest, away, out=nearest)
        product = weight * nearest
        best = np.flatnonzero(product >= product.max() - 2 * _ROUNDING * squares.max())
        if len(best) > _FEW:
            return points[_more_centroids(points, weight, chosen, k)]
        precise = _nearest(points[best], points[chosen])
        chosen.append(int(best[np.argmax(weight[best] * precise)]))
    return points[chosen]


def _more_centroids(
    points: Floats, weight: NDArray[np.float64], chosen: Sequence[int], k: int
) -> list[int]:
    """Choose the rest of `first_centroids` by precise distances, where too many are about equal."""
    found, nearest = list(chosen), _nearest(points, points[chosen])
    while len(found) < k:
        found.append(int(np.argmax(weight * nearest)))
        np.minimum(nearest, _nearest(points, points[found[-1:]]), out=nearest)
    return found


def _nearest(points: Floats, others: Floats) -> Floats:
    """Return squared distances of points (N, d) to the nearest of the others (M, d), (N,)."""
    nearest = np.empty(len(points), np.float32)
    for part in chunks(len(points), others.size):
        away = np.square(points[part, None] - others).sum(axis=2)  # (n, M)
        np.min(away, axis=1, out=nearest[part])
    return nearest


def unit_features(features: Floats) -> Floats:
    """Remove the mean of a class's features and scale them to length 1: (N, d) -> (N, d).

    The mean is what all patches of the class share, and does not tell them apart. After scaling,
    Euclidean distance orders pairs as cosine distance does, which is usual for diffusion features.
    """
    centred = features - features.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: Floats = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-12)
    return unit


def kmeans(
    points: Floats, fitted: Floats, start: Floats | Literal["k-means++"], k: int, seed: int = 0
) -> Ints:
    """Fit k-means to the `fitted` points; label all points (N, d) by the nearest centroid, (N,).

    start: the first centroids (k, d), or k-means++ to draw them from the seed.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with _PROCESS_STATE, _thread_pools().limit(limits=1), warnings.catch_warnings():
        # Points that differ may be too near for k-means to separate: it finds fewer clusters then.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(k, init=start, n_init=1, random_state=seed)
        return np.asarray(model.fit(fitted).predict(points), np.int64)


@cache
def _thread_pools() -> ThreadpoolController:
    """Return the thread pools of scikit-learn's libraries: looking for them takes 4 ms."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _distinct(points: Floats, enough: int) -> int:
    """Count the different points (N, d), or return a number of at least `enough` of them."""
    if points.shape[1] and (found := len(np.unique(points[:, 0]))) >= enough:
        return found  # sorting whole points takes longer than k-means
    return len(np.unique(points, axis=0))


def _by_median_score(labels: Ints, scores: NDArray[np.floating]) -> Ints:
    """Number the clusters from 0 by falling median score."""
    names, cluster = np.unique(labels, return_inverse=True)
    medians = np.array([np.median(scores[labels == name]) for name in names])
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(-medians, kind="stable")] = np.arange(len(names))
    return rank[cluster]
