"""Figures of kept sets, pair by pair."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from support.drawn import patch_of, selection_of

from dsel.analysis.quality import (
    NEAR_COSINE,
    Quality,
    class_quality,
    coverage_distance,
    near_pairs,
    overall_quality,
)
from dsel.core.clustering import unit_features


def points(n: int, seed: int = 0, dim: int = 3) -> np.ndarray:
    features = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def slow_coverage_distance(all_points: np.ndarray, kept: np.ndarray) -> float:
    return float(np.mean([min(np.linalg.norm(p - k) for k in kept) for p in all_points]))


def slow_pairs(unit: np.ndarray) -> list[tuple[int, int]]:
    cosine = unit.astype(float) @ unit.T.astype(float)
    return [
        (a, b) for a in range(len(unit)) for b in range(a + 1, len(unit))
        if cosine[a, b] >= NEAR_COSINE
    ]  # fmt: skip


def test_coverage_distance__slow_definition() -> None:
    unit = points(40)
    assert coverage_distance(unit, unit[:7]) == pytest.approx(
        slow_coverage_distance(unit, unit[:7]), abs=1e-5
    )
    assert coverage_distance(unit, unit) == pytest.approx(0, abs=1e-6)


def test_near_pairs__slow_definition() -> None:
    unit = points(60)
    expected = slow_pairs(unit)
    assert near_pairs(unit) == expected
    assert len(expected) > 10


def test_near_pairs__patches_that_are_all_the_same() -> None:
    unit = unit_features(np.ones((3, 4), np.float32))
    assert near_pairs(unit) == [(0, 1), (0, 2), (1, 2)]
    assert near_pairs(np.concatenate([unit[:1], points(1, dim=4)])) == []
    assert near_pairs(unit[:0]) == []


def test_class_quality__by_hand() -> None:
    """Five patches of three clusters; two images are kept, the second one filled up."""
    features = np.array([[4, 0], [4.1, 0], [0, 4], [-4, 0], [-4.1, -4]], np.float32)
    patches = [patch_of(str(n), n, cluster) for n, cluster in enumerate([0, 0, 1, 2, 2])]
    selected = selection_of(patches, [(0, 1), (3, 3), (2, 4)])
    found = class_quality(selected, features, 2)
    unit = unit_features(features)
    assert found == Quality(
        name="cat", patches=5, kept=3, coverage_distance=found.coverage_distance, clusters=3,
        clusters_covered=2, near_duplicates=((0, 1),), images=2, short=0, repeated_tiles=1,
    )  # fmt: skip
    assert found.coverage_distance == pytest.approx(
        slow_coverage_distance(unit, unit[[0, 1, 3]]), abs=1e-3
    )
    assert class_quality(selected, features, 7).short == 4
    assert class_quality(selected, features, 7).images == 3


def test_class_quality__more_kept_is_a_smaller_distance() -> None:
    features = np.random.default_rng(3).normal(size=(50, 6)).astype(np.float32)
    selected = selection_of([patch_of(str(n), n, n % 4) for n in range(50)])
    distances = [class_quality(selected, features, ipc).coverage_distance for ipc in (1, 5, 20, 50)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == pytest.approx(0, abs=1e-3)


def test_class_quality__empty_class() -> None:
    found = class_quality(selection_of([]), np.zeros((0, 5), np.float32), 3)
    assert isnan(found.coverage_distance)
    assert (found.patches, found.kept, found.clusters, found.clusters_covered) == (0, 0, 0, 0)
    assert (found.near_duplicates, found.images, found.short) == ((), 0, 3)


def test_overall_quality__by_hand() -> None:
    classes = [
        Quality("a", 10, 2, 0.5, 3, 2, ((0, 1),), 2, 0),
        Quality("b", 30, 3, 0.25, 3, 3, (), 2, 1),
        Quality("c", 0, 0, nan, 0, 0, (), 0, 3),
    ]
    found = overall_quality(classes)
    assert found.coverage_distance == pytest.approx((10 * 0.5 + 30 * 0.25) / 40)
    assert (found.classes, found.patches, found.kept) == (3, 40, 5)
    assert (found.clusters, found.clusters_covered, found.near_duplicates) == (6, 5, 1)
    assert (found.images, found.short, found.short_classes) == (4, 4, ("b", "c"))
    assert isnan(overall_quality([]).coverage_distance)
