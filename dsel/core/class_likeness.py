"""Which other class a patch looks like: nearest class means of features, leaving the patch out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.chunks import chunks

Floats: TypeAlias = NDArray[np.floating]
Ints: TypeAlias = NDArray[np.int64]

SHRINKAGE: Final = 0.1
"""Share of the mean variance in the pooled covariance, which few images estimate badly."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """The most similar other class of each of N patches.

    other: (N,), -1 where no other class has a patch. lead: (N,), by how much nearer its mean is
    than that of the own class, in squared distance; above 0 the patch looks more like the other. It
    is NaN for the only patch of a class, which leaves no mean.
    """

    other: Ints
    lead: NDArray[np.float32]


def class_likeness(features: Floats, labels: Ints, classes: int) -> Likeness:
    """Compare features (N, d) of patches with the means of all classes; labels: (N,), from 0.

    Distances are Mahalanobis' with the pooled covariance within classes (Fisher's linear
    discriminant), which is shrunk towards a multiple of the identity. A patch does not count in the
    mean of its own class.
    """
    other, lead = np.full(len(labels), -1), np.full(len(labels), np.nan, np.float32)
    counts = np.bincount(labels, minlength=classes)
    if (counts > 0).sum() < 2:
        return Likeness(other, lead)
    means = _means(features, labels, counts)
    whiten = _whitening(features, labels, means)
    centres = means @ whiten  # (C, d)
    lengths = np.square(centres).sum(axis=1)
    lengths[counts == 0] = np.inf
    own_count = counts[labels]
    # Without the patch, its class's mean is n / (n - 1) times as far away.
    alone = np.full(len(labels), np.nan)
    away = np.divide(own_count, own_count - 1, where=own_count > 1, out=alone)
    for part in chunks(len(labels), classes + features.shape[1]):
        points, mine = _double(features[part]) @ whiten, labels[part]
        rows = np.arange(len(mine))
        apart = lengths - 2 * (points @ centres.T) + np.square(points).sum(axis=1)[:, None]
        own = np.maximum(apart[rows, mine], 0.0)
        apart[rows, mine] = np.inf
        other[part] = apart.argmin(axis=1)
        lead[part] = own * away[part] ** 2 - apart[rows, other[part]]
    return Likeness(other, lead)


def nearest(
    features: Floats, known: Ints, query: Floats, chosen: Ints, most: int
) -> tuple[Ints, Floats]:
    """Return the chosen rows of features (N, d) most similar to a query (d,), and their cosines.

    known: the rows that have features. The cosine is that after the mean of these is removed, which
    all patches share.
    """
    mean = np.zeros(features.shape[1])
    for part in chunks(len(known), features.shape[1]):
        mean += features[known[part]].sum(axis=0, dtype=np.float64) / len(known)
    wanted = _unit(_double(query[None]) - mean)[0]
    cosines = np.empty(len(chosen))
    for part in chunks(len(chosen), features.shape[1]):
        cosines[part] = _unit(_double(features[chosen[part]]) - mean) @ wanted
    best = np.argsort(-cosines, kind="stable")[:most]
    return chosen[best], cosines[best]


def twins(points: Floats, near_cosine: float) -> Ints:
    """Return the nearest other point of each of N unit vectors (N, d) if it is near; -1 without."""
    limit = 2 - 2 * near_cosine  # for unit vectors |a - b|^2 = 2 - 2 cos(a, b)
    lengths = np.square(points).sum(axis=1)
    found = np.full(len(points), -1)
    if len(points) < 2:
        return found
    for part in chunks(len(points), len(points)):
        apart = lengths[part, None] + lengths - 2 * (points[part] @ points.T)
        rows = np.arange(len(apart))
        apart[rows, np.arange(len(points))[part]] = np.inf
        place = apart.argmin(axis=1)
        found[part] = np.where(apart[rows, place] <= limit + ROUNDING, place, -1)
    return found


ROUNDING: Final = 1e-6
"""What float32 may add to a squared distance of unit vectors."""


def _means(features: Floats, labels: Ints, counts: Ints) -> NDArray[np.float64]:
    """Return the mean of each class, (C, d); zeros for a class without patches."""
    order = np.argsort(labels, kind="stable")
    sums = np.zeros((len(counts), features.shape[1]))
    filled = np.flatnonzero(counts)
    starts = (np.cumsum(counts) - counts)[filled]
    sums[filled] = np.add.reduceat(_double(features[order]), starts, axis=0)
    return sums / np.maximum(counts, 1)[:, None]


def _whitening(features: Floats, labels: Ints, means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix (d, d) that makes the pooled covariance within classes the identity."""
    size = features.shape[1]
    scatter = np.zeros((size, size))
    for part in chunks(len(labels), size):
        apart = _double(features[part]) - means[labels[part]]
        scatter += apart.T @ apart
    mean_variance = np.trace(scatter) / size
    if mean_variance == 0:
        return np.eye(size)
    covariance = (1 - SHRINKAGE) * scatter + SHRINKAGE * mean_variance * np.eye(size)
    covariance *= 1 / max(len(labels) - len(np.unique(labels)), 1)
    whitening: NDArray[np.float64] = np.linalg.cholesky(np.linalg.inv(covariance))
    return whitening


def _unit(points: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(
        points, lengths, out=np.zeros_like(points), where=lengths > 0
    )
    return unit


def _double(values: Floats) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)
