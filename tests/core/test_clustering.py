"""Clusters of one class: small classes, ties, order and determinism, on points placed by hand."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import pytest
from support.clouds import clouds

from dsel.core.clustering import (
    cluster_patches,
    first_centroids,
    most_discriminative,
    unit_features,
)


def test_unit_features__by_hand() -> None:
    found = unit_features(np.array([[1, 1], [4, 5], [4, 6], [7, 4]], np.float32))  # mean (4, 4)
    expected = [[-(0.5**0.5), -(0.5**0.5)], [0, 1], [0, 1], [1, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_unit_features__the_mean_itself_has_no_direction() -> None:
    found = unit_features(np.array([[1, 2], [3, 4], [2, 3]], np.float32))
    assert found[2].tolist() == [0, 0]
    assert unit_features(np.ones((1, 5), np.float32)).tolist() == [[0] * 5]


def test_unit_features__offset_and_scale_of_a_class_do_not_count() -> None:
    features = clouds((5, 5, 5))
    np.testing.assert_allclose(unit_features(features), unit_features(features * 3 + 7), atol=1e-4)


def test_cluster_patches__finds_clouds_and_orders_them_by_median_score() -> None:
    features = clouds((6, 9, 4, 7))
    cloud = np.repeat([0, 1, 2, 3], (6, 9, 4, 7))
    medians = {0: 0.2, 1: 0.9, 2: 0.5, 3: -1.0}
    rng = np.random.default_rng(0)
    scores = np.array([medians[c] for c in cloud]) + rng.normal(size=len(cloud)) * 0.01
    found = cluster_patches(features, scores, 4)
    assert found.labels.tolist() == [{1: 0, 2: 1, 0: 2, 3: 3}[c] for c in cloud]


def test_cluster_patches__median_is_not_swayed_by_one_score() -> None:
    features = clouds((5, 5))
    scores = np.array([1, 1, 1, 1, 1000, 2, 2, 2, 2, 2], float)
    assert cluster_patches(features, scores, 2).labels.tolist() == [1] * 5 + [0] * 5


def test_cluster_patches__labels_are_gapless_and_medians_fall() -> None:
    rng = np.random.default_rng(1)
    features, scores = rng.normal(size=(60, 5)).astype(np.float32), rng.normal(size=60)
    found = cluster_patches(features, scores, 7)
    assert sorted(set(found.labels.tolist())) == list(range(7))
    medians = [median(scores[found.labels == cluster].tolist()) for cluster in range(7)]
    assert medians == sorted(medians, reverse=True)


def test_cluster_patches__distance_is_to_the_mean_of_the_cluster() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(20, 3)).astype(np.float32)
    found = cluster_patches(features, rng.normal(size=20), 4)
    points = unit_features(features)
    for n in range(20):
        mates = points[found.labels == found.labels[n]]
        expected = sum((points[n] - mates.sum(0) / len(mates)) ** 2) ** 0.5
        assert found.distance[n] == pytest.approx(expected, abs=1e-6)


def test_cluster_patches__no_patches() -> None:
    found = cluster_patches(np.zeros((0, 5), np.float32), np.zeros(0), 4)
    assert (found.labels.tolist(), found.distance.tolist()) == ([], [])


def test_cluster_patches__the_same_in_many_threads() -> None:
    """Libraries' settings belong to the process: threads that change them must take turns."""
    rng = np.random.default_rng(5)
    classes = [rng.normal(size=(80, 6)).astype(np.float32) for _ in range(24)]
    scores = rng.normal(size=80)
    expected = [cluster_patches(features, scores, 5).labels.tolist() for features in classes]
    filters = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: cluster_patches(one, scores, 5).labels.tolist(), classes))
    assert found == expected
    assert list(warnings.filters) == filters


def test_first_centroids__by_hand() -> None:
    points = np.array([[0, 0], [1, 0], [0, 3], [4, 0], [1, 1]], np.float32)
    scores = np.array([5.0, 4.0, 3.0, 1.0, 2.0])  # weights 1, 0.8, 0.6, 0.2, 0.4
    # From (0, 0): 0.8 x 1, 0.6 x 9, 0.2 x 16, 0.4 x 2; then 0.8 x 1, 0.2 x 16, 0.4 x 2.
    found = first_centroids(points, scores, 3)
    assert found.tolist() == [[0, 0], [0, 3], [4, 0]]


@pytest.mark.parametrize("shift", [0.0, -100.0])
def test_cluster_patches__scores_below_zero_are_fine(shift: float) -> None:
    features = clouds((6, 9, 4))
    scores = np.repeat([3.0, 2.0, 1.0], (6, 9, 4)) + shift
    found = cluster_patches(features, scores, 3)
    assert found.labels.tolist() == [0] * 6 + [1] * 9 + [2] * 4


def test_cluster_patches__hardly_changes_with_the_noise_of_the_scores() -> None:
    """What is kept should not hang on chance: of noisy scores, most patches keep their company."""
    rng = np.random.default_rng(5)
    features, scores = rng.normal(size=(200, 8)).astype(np.float32), rng.uniform(size=200)
    one = cluster_patches(features, scores, 8).labels
    other = cluster_patches(features, scores + rng.normal(size=200) * 1e-3, 8).labels
    mates = (one[:, None] == one[None]) == (other[:, None] == other[None])
    assert mates.mean() > 0.9


def test_cluster_patches__starts_from_the_strongest_whatever_the_scores() -> None:
    """Scores only order the clusters, as long as all patches take part in finding them."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(200, 8)).astype(np.float32)
    strength = rng.uniform(size=200)
    found = [
        cluster_patches(features, rng.uniform(size=200), 8, strength=strength).labels
        for _ in range(3)
    ]
    mates = [labels[:, None] == labels[None] for labels in found]
    assert all(np.array_equal(mates[0], one) for one in mates[1:])
    other = cluster_patches(features, strength, 8, strength=-strength).labels
    assert not np.array_equal(mates[0], other[:, None] == other[None])


def test_most_discriminative__by_hand() -> None:
    scores = np.array([1.0, 5.0, 3.0, 5.0, -2.0])
    assert [most_discriminative(scores, n).tolist() for n in (1, 2.5, 9)] == [
        [1], [1, 2, 3], [0, 1, 2, 3, 4],
    ]  # fmt: skip


@pytest.mark.parametrize("discriminative_share", [0.0, 0.2, 0.5])
def test_cluster_patches__the_others_join_the_nearest_cluster_of_discriminative_ones(
    discriminative_share: float,
) -> None:
    rng = np.random.default_rng(7)
    features, scores = rng.normal(size=(60, 5)).astype(np.float32), rng.normal(size=60)
    labels = cluster_patches(features, scores, 4, discriminative_share).labels
    points = unit_features(features)
    best = np.argsort(-scores)[: max(2 * 4, round(discriminative_share * 60))]
    centroids = [points[best[labels[best] == cluster]].mean(axis=0) for cluster in range(4)]
    for point, label in zip(points, labels, strict=True):
        assert label == np.argmin([np.linalg.norm(point - centroid) for centroid in centroids])


def test_cluster_patches__noise_of_what_stays_behind_hardly_moves_the_discriminative_ones() -> None:
    rng = np.random.default_rng(8)
    features, scores = rng.normal(size=(200, 8)).astype(np.float32), rng.uniform(size=200)
    best, behind = np.split(np.argsort(-scores), [60])
    noisy = features.copy()
    noisy[behind] += rng.normal(size=(140, 8)) * 0.5
    one, other = (cluster_patches(each, scores, 8, 0.2).labels[best] for each in (features, noisy))
    mates = (one[:, None] == one[None]) == (other[:, None] == other[None])
    assert mates.mean() > 0.9


def test_cluster_patches__one_patch() -> None:
    found = cluster_patches(np.ones((1, 4), np.float32), np.array([3.0]), 10)
    assert found.labels.tolist() == [0]
    assert found.distance.tolist() == [0]


def test_cluster_patches__two_patches_best_first() -> None:
    features = np.array([[0, 1], [1, 0]], np.float32)
    found = cluster_patches(features, np.array([1.0, 2.0]), 5)
    assert found.labels.tolist() == [1, 0]
    assert found.distance.tolist() == [0, 0]


@pytest.mark.parametrize(("k", "clusters"), [(1, 1), (2, 2), (3, 3), (50, 3)])
def test_cluster_patches__three_patches(k: int, clusters: int) -> None:
    features = np.array([[0, 0, 9], [0, 9, 0], [9, 0, 0]], np.float32)
    found = cluster_patches(features, np.array([1.0, 2.0, 3.0]), k)
    assert len(set(found.labels.tolist())) == clusters
    assert found.labels[2] == 0


@pytest.mark.parametrize("n", [2, 3, 7, 30])
@pytest.mark.parametrize("value", [0.0, 0.1, -123.456])
def test_cluster_patches__identical_features_are_one_cluster(n: int, value: float) -> None:
    features = np.full((n, 16), value, np.float32)
    found = cluster_patches(features, np.arange(n, dtype=float), 5)
    assert found.labels.tolist() == [0] * n
    np.testing.assert_allclose(found.distance, 0, atol=1e-6)


def test_cluster_patches__no_more_clusters_than_different_features() -> None:
    features = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = cluster_patches(features, np.arange(12.0), 10)
    assert found.labels.tolist() == [2] * 4 + [1] * 4 + [0] * 4


def test_cluster_patches__nearly_identical_features_give_fewer_clusters_without_a_warning() -> None:
    """Different numbers, though too near for k-means to tell apart in float32."""
    features = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    for row in range(12):
        for _ in range(row % 4):
            features[row, 0] = np.nextafter(features[row, 0], np.float32(2))
    found = cluster_patches(features, np.arange(12.0), 12)
    assert set(found.labels.tolist()) == set(range(found.labels.max() + 1))


def test_cluster_patches__same_arguments_same_clusters() -> None:
    rng = np.random.default_rng(3)
    features, scores = rng.normal(size=(80, 6)).astype(np.float32), rng.normal(size=80)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    found = [cluster_patches(features, scores, 9) for _ in range(3)]
    assert all(np.array_equal(found[0].labels, one.labels) for one in found)
    assert all(np.array_equal(found[0].distance, one.distance) for one in found)
    assert state == np.random.get_state()[1].tolist()  # noqa: NPY002


def test_cluster_patches__the_arguments_stay_as_they_are() -> None:
    features, scores = clouds((4, 4)), np.arange(8.0)
    copies = features.copy(), scores.copy()
    cluster_patches(features, scores, 2)
    assert np.array_equal(features, copies[0])
    assert np.array_equal(scores, copies[1])
