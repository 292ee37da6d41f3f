"""Baselines on features against slow definitions, on drawn clouds and on points by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.clouds import clouds
from support.pools import pool_of

from dsel.core.baselines.facility_location import (
    facility_location,
    greedy_order,
    similarities,
)
from dsel.core.baselines.herding import herding, herding_order
from dsel.core.baselines.kmeans_nearest import kmeans_nearest
from dsel.core.baselines.no_clusters import no_clusters
from dsel.core.clustering import unit_features

Floats = NDArray[np.float32]


def drawn(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_herding_order__by_the_naive_formula(seed: int) -> None:
    """Each step tries every row that is left, and keeps the one that brings the mean nearest."""
    features = drawn(25, seed).astype(np.float64) + 3
    goal, chosen = features.mean(axis=0), []
    for _ in range(25):
        left = [row for row in range(25) if row not in chosen]
        away = [np.linalg.norm(features[[*chosen, row]].mean(axis=0) - goal) for row in left]
        chosen.append(left[int(np.argmin(away))])
    assert herding_order(features.astype(np.float32)).tolist() == chosen


def test_herding_order__by_hand() -> None:
    """The mean is 2: first the 2, then 1 and 3 as a pair, of which 1 is the first."""
    line = np.array([[0], [3], [2], [1], [4]], np.float32)
    assert herding_order(line).tolist()[0] == 2
    pair = herding_order(line).tolist()[1:3]
    assert {float(line[row, 0]) for row in pair} == {1, 3}


def test_herding__heads_have_a_nearer_mean_than_random_images() -> None:
    features = drawn(200, 7)
    goal = features.mean(axis=0)
    found = herding(pool_of(features)).positions

    def away(rows: NDArray[np.integer]) -> float:
        return float(np.linalg.norm(features[rows].mean(axis=0) - goal))

    rng = np.random.default_rng(0)
    for count in (5, 20, 80):
        random = np.mean([away(rng.permutation(200)[:count]) for _ in range(50)])
        assert away(found[:count]) < random / 2


@pytest.mark.parametrize("seed", range(5))
def test_greedy_order__by_the_slow_definition(seed: int) -> None:
    """Each step computes the whole sum for every row that is left."""
    similarity = similarities(drawn(20, seed))
    chosen: list[int] = []
    for _ in range(20):
        left = [row for row in range(20) if row not in chosen]
        totals = [similarity[:, [*chosen, row]].max(axis=1).sum(dtype=float) for row in left]
        best = max(totals)
        chosen.append(next(r for r, t in zip(left, totals, strict=True) if t > best - 1e-9))
    found = greedy_order(similarity).tolist()
    ends = 20 - int(np.sum([_adds_nothing(similarity, found, n) for n in range(20)]))
    assert found[:ends] == chosen[:ends]
    assert ends > 15


def _adds_nothing(similarity: Floats, order: list[int], step: int) -> bool:
    before = similarity[:, order[:step]].max(axis=1, initial=0)
    after = similarity[:, order[: step + 1]].max(axis=1)
    return bool((after - before).sum() < 1e-6)


def test_greedy_order__equal_ones_keep_their_order() -> None:
    assert greedy_order(np.ones((6, 6), np.float32)).tolist() == [0, 1, 2, 3, 4, 5]
    assert greedy_order(np.eye(5, dtype=np.float32)).tolist() == [0, 1, 2, 3, 4]


def test_similarities__by_hand() -> None:
    found = similarities(np.array([[1, 0], [-1, 0], [0, 2], [0, -2]], np.float32))
    expected = [[2, 0, 1, 1], [0, 2, 1, 1], [1, 1, 2, 0], [1, 1, 0, 2]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_facility_location__covers_every_cloud_first() -> None:
    sizes = (12, 9, 6, 3)
    found = facility_location(pool_of(clouds(sizes))).positions
    cloud = np.repeat([0, 1, 2, 3], sizes)
    assert set(cloud[found[:4]].tolist()) == {0, 1, 2, 3}
    assert cloud[found[0]] == 0


def test_kmeans_nearest__each_cloud_in_turn_nearest_to_its_centre_first() -> None:
    sizes = (4, 9, 6)
    features = clouds(sizes, spread=0.5)
    found = kmeans_nearest(pool_of(features, k=3)).positions
    cloud = np.repeat([0, 1, 2], sizes)
    assert cloud[found[:6]].tolist() == [1, 2, 0, 1, 2, 0]  # the largest first
    points = unit_features(features)
    for one in range(3):
        members = found[cloud[found] == one]
        centre = points[cloud == one].mean(axis=0)
        away = np.linalg.norm(points[members] - centre, axis=1)
        assert (np.diff(away) >= 0).all()


def test_kmeans_nearest__one_cluster_is_the_distance_to_the_mean() -> None:
    points = unit_features(drawn(30, 1))
    away = np.linalg.norm(points - points.mean(axis=0), axis=1)
    found = kmeans_nearest(pool_of(drawn(30, 1), k=1)).positions
    assert found.tolist() == np.argsort(away, kind="stable").tolist()


def test_no_clusters__is_the_pooled_ranking() -> None:
    pool = pool_of(drawn(3, 0), per_image=(2, 1, 2), scores=(3.0, 1.0, 2.0, 3.0, 0.5))
    assert no_clusters(pool).positions.tolist() == [0, 3, 2, 1, 4]
