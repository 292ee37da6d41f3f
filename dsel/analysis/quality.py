"""How well a kept set represents its class: coverage distance, clusters, near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.repeated_tiles import repeated_tiles
from dsel.core.clustering import unit_features
from dsel.types import ClassSelection

NEAR_COSINE: Final = 0.95
"""Patches at least this similar are near-duplicates; in the demo run, 1 pair in 8,000 is."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one class's kept set, of the first IPC distilled images.

    coverage_distance: the mean distance from each of the class's patches to the nearest kept one,
    in the space of `unit_features` (0 to 2); NaN without patches. near_duplicates: pairs of kept
    patches, by their ranks, whose cosine there is at least `NEAR_COSINE`. short: how many images
    the class lacks to reach IPC. repeated_tiles: see `dsel.analysis.repeated_tiles`.
    """

    name: str
    patches: int
    kept: int
    coverage_distance: float
    clusters: int
    clusters_covered: int
    near_duplicates: tuple[tuple[int, int], ...]
    images: int
    short: int
    repeated_tiles: int = 0


@dataclass(frozen=True, slots=True)
class OverallQuality:
    """Figures of the kept sets of several classes together.

    short_classes: names of the classes that give fewer images than IPC.
    """

    classes: int
    patches: int
    kept: int
    coverage_distance: float
    clusters: int
    clusters_covered: int
    near_duplicates: int
    images: int
    short: int
    short_classes: tuple[str, ...]
    repeated_tiles: int = 0


def class_quality(selected: ClassSelection, features: NDArray[np.float32], ipc: int) -> Quality:
    """Measure a class whose ranked patches have these features, (P, d)."""
    kept = sorted(selected.kept(ipc))
    clusters = selected.patches.cluster
    points = unit_features(features) if len(features) else np.zeros((0, 1), np.float32)
    return Quality(
        name=selected.name,
        patches=len(selected.patches),
        kept=len(kept),
        coverage_distance=coverage_distance(points, points[kept]),
        clusters=len(np.unique(clusters)),
        clusters_covered=len(np.unique(clusters[kept])),
        near_duplicates=tuple((kept[a], kept[b]) for a, b in near_pairs(points[kept])),
        images=len(selected.kept_images(ipc)),
        short=max(0, ipc - len(selected.images)),
        repeated_tiles=repeated_tiles(selected, ipc),
    )


def overall_quality(classes: Sequence[Quality]) -> OverallQuality:
    """Combine the figures of several classes, weighted by their patches."""
    patches = sum(one.patches for one in classes)
    distances = [one.coverage_distance * one.patches for one in classes if one.patches]
    return OverallQuality(
        classes=len(classes),
        patches=patches,
        kept=sum(one.kept for one in classes),
        coverage_distance=sum(distances) / patches if patches else float("nan"),
        clusters=sum(one.clusters for one in classes),
        clusters_covered=sum(one.clusters_covered for one in classes),
        near_duplicates=sum(len(one.near_duplicates) for one in classes),
        images=sum(one.images for one in classes),
        short=sum(one.short for one in classes),
        short_classes=tuple(one.name for one in classes if one.short),
        repeated_tiles=sum(one.repeated_tiles for one in classes),
    )


def coverage_distance(points: NDArray[np.float32], kept: NDArray[np.float32]) -> float:
    """Mean distance from each point (N, d) to the nearest of the kept ones (K, d)."""
    if not len(points) or not len(kept):
        return float("nan")
    from sklearn.metrics import pairwise_distances_argmin_min

    _, nearest = pairwise_distances_argmin_min(points, kept)
    return float(nearest.mean(dtype=np.float64))


def near_pairs(points: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of points (N, d) of length 1 whose cosine is at least `NEAR_COSINE`, in order.

    They are found by distance, so that points without a direction also count as near each other:
    they are at the origin because all patches of a class are the same.
    """
    if len(points) < 2:
        return []
    from sklearn.neighbors import NearestNeighbors

    # For unit vectors |a - b|^2 = 2 - 2 cos(a, b).
    search = NearestNeighbors(radius=(2 - 2 * NEAR_COSINE) ** 0.5, algorithm="brute").fit(points)
    found = search.radius_neighbors(points, return_distance=False)
    return [(a, b) for a, near in enumerate(found) for b in sorted(near.tolist()) if b > a]
