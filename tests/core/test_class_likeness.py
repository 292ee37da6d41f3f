"""Which other class a patch looks like, against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest

from dsel.core.class_likeness import SHRINKAGE, class_likeness, nearest, twins


def cloud(classes: int = 4, per_class: int = 9, size: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes whose means differ in their first two directions, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    features = rng.normal(size=(len(labels), size)) * np.linspace(0.3, 2, size)
    features[:, 0] += 2 * labels
    features[:, 1] -= 3 * (labels % 2)
    return features.astype(np.float32), labels


def slow_lead(features: np.ndarray, labels: np.ndarray, row: int) -> tuple[int, float]:
    """The nearest other class of a row, and how much nearer it is, by the definition."""
    features = features.astype(np.float64)
    within = np.zeros((features.shape[1],) * 2)
    for label in np.unique(labels):
        mine = features[labels == label]
        within += (mine - mine.mean(axis=0)).T @ (mine - mine.mean(axis=0))
    mean_variance = np.trace(within) / len(within) * np.eye(len(within))
    within = (1 - SHRINKAGE) * within + SHRINKAGE * mean_variance
    inverse = np.linalg.inv(within / (len(features) - len(np.unique(labels))))

    def apart(label: int) -> float:
        others = (labels == label) & (np.arange(len(labels)) != row)
        step = features[row] - features[others].mean(axis=0)
        return float(step @ inverse @ step)

    others = [label for label in np.unique(labels).tolist() if label != labels[row]]
    best = min(others, key=apart)
    return best, apart(int(labels[row])) - apart(best)


def test_class_likeness__is_fishers_discriminant_without_the_patch() -> None:
    features, labels = cloud()
    found = class_likeness(features, labels, 4)
    for row in range(len(labels)):
        other, lead = slow_lead(features, labels, row)
        assert found.other[row] == other
        assert found.lead[row] == pytest.approx(lead, rel=1e-4, abs=1e-4)


def test_class_likeness__names_the_true_class_of_a_wrong_label() -> None:
    features, labels = cloud(per_class=20)
    wrong = labels.copy()
    wrong[:3] = 2  # of class 0
    found = class_likeness(features, wrong, 4)
    assert (found.lead[:3] > 0).all()
    assert (found.other[:3] == 0).all()


def test_class_likeness__one_class_and_empty_ones() -> None:
    features, _ = cloud(1)
    alone = class_likeness(features, np.ones(9, np.int64), 3)
    assert (alone.other == -1).all()
    assert np.isnan(alone.lead).all()
    two = class_likeness(*cloud(2), 5)
    assert set(two.other.tolist()) == {0, 1}


def test_class_likeness__the_only_patch_of_a_class_has_nothing_to_compare_with() -> None:
    """Whatever rounding makes of its distance to itself; others compare with it as with any."""
    for seed in range(20):
        features, labels = cloud(3)
        alone = np.random.default_rng(seed).normal(size=(1, 5)).astype(np.float32)
        features, labels = np.concatenate([features, alone]), np.append(labels, 3)
        found = class_likeness(features, labels, 4)
        assert np.isnan(found.lead[-1])
        assert found.other[0] == slow_lead(features, labels, 0)[0]


def test_class_likeness__features_that_do_not_differ() -> None:
    found = class_likeness(np.ones((4, 3), np.float32), np.array([0, 0, 1, 1]), 2)
    assert found.lead.tolist() == [0, 0, 0, 0]


def test_nearest__by_the_cosine_around_the_mean() -> None:
    features = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [2, 0.1], [-2, -0.1]], np.float16)
    rows, cosines = nearest(features, np.arange(6), features[0], np.array([1, 2, 4, 5]), 2)
    assert rows.tolist() == [4, 1]
    assert cosines == pytest.approx([2 / np.hypot(2, 0.1), 0], abs=1e-3)


def test_nearest__rows_without_features_change_nothing() -> None:
    """Skipped images, and those of classes that are not read yet, have zeros."""
    shifted = np.array([[11, 10], [10, 11], [9, 10], [10, 9]], np.float16)
    features = np.zeros((9, 2), np.float16)
    features[2:6] = shifted
    expected = nearest(shifted, np.arange(4), shifted[0], np.array([1, 2, 3]), 3)
    rows, cosines = nearest(features, np.arange(2, 6), features[2], np.array([3, 4, 5]), 3)
    assert (rows - 2).tolist() == expected[0].tolist()
    assert cosines.tolist() == expected[1].tolist() == pytest.approx([0, 0, -1])


def test_twins__by_a_slow_definition() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(40, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    found = twins(points, 0.95)
    for row, point in enumerate(points):
        cosines = points @ point
        cosines[row] = -1
        best = int(cosines.argmax())
        assert found[row] == (best if cosines[best] >= 0.95 else -1)
    assert (found >= 0).sum() not in (0, 40)


def test_twins__points_without_a_direction_are_near_each_other() -> None:
    assert twins(np.zeros((2, 3), np.float32), 0.95).tolist() == [1, 0]
    assert twins(np.zeros((1, 3), np.float32), 0.95).tolist() == [-1]
