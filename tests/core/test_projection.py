"""Layouts of one class in the plane: small classes, starts, and determinism."""

from __future__ import annotations

import numpy as np
import pytest
from support.clouds import clouds

from dsel.core.clustering import unit_features
from dsel.core.projection import laid_onto, layout


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_layout__small_classes_by_principal_components(n: int) -> None:
    features = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    places = layout(features, seed=0)
    assert places.shape == (n, 2)
    assert places.dtype == np.float32
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-6)
    if n in (2, 3):  # a plane holds them exactly
        points = unit_features(features)
        for one in range(n):
            for other in range(one):
                far = np.linalg.norm(points[one] - points[other])
                assert np.linalg.norm(places[one] - places[other]) == pytest.approx(far, abs=1e-5)


def test_layout__identical_features_of_a_small_class() -> None:
    np.testing.assert_allclose(layout(np.ones((3, 4), np.float32), seed=0), 0, atol=1e-6)


@pytest.mark.parametrize("n", [5, 20, 21, 40])
def test_layout__same_seed_same_places(n: int) -> None:
    features = clouds((n // 2, n - n // 2))
    places = layout(features, seed=1)
    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert np.array_equal(places, layout(features, seed=1))


def test_layout__likes_lie_together() -> None:
    places = layout(clouds((30, 30)), seed=0)
    one, other = places[:30], places[30:]
    within = max(one.std(axis=0).max(), other.std(axis=0).max())
    assert np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)) > 2 * within


@pytest.mark.parametrize("n", [3, 30])
def test_layout__begun_from_places_stays_near_them(n: int) -> None:
    features = clouds((n // 3, n // 3, n - 2 * (n // 3)))
    start = np.random.default_rng(4).normal(size=(3, 2)).astype(np.float32) * 20
    start = np.repeat(start, (n // 3, n // 3, n - 2 * (n // 3)), axis=0)
    start += np.random.default_rng(5).normal(size=start.shape).astype(np.float32)
    found = layout(features, 0, start)
    assert np.array_equal(found, layout(features, 0, start))
    np.testing.assert_allclose(found.mean(axis=0), start.mean(axis=0), atol=1e-3)
    moved = np.linalg.norm(found - start, axis=1).mean()
    assert moved < np.linalg.norm(start - start.mean(axis=0), axis=1).mean()


@pytest.mark.parametrize("n", [3, 30])
def test_layout__begun_from_one_point_or_a_line(n: int) -> None:
    features = clouds((n // 3, n - n // 3))
    line = np.stack([np.arange(n), np.zeros(n)], axis=1).astype(np.float32)
    for start in (line, np.zeros((n, 2), np.float32)):
        assert np.isfinite(layout(features, 0, start)).all()


def test_laid_onto__undoes_turns_mirrors_scales_and_moves() -> None:
    places = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    turn = np.array([[0.6, 0.8], [0.8, -0.6]], np.float32)
    np.testing.assert_allclose(laid_onto(places @ turn * 3 + 7, places), places, atol=1e-5)
    assert laid_onto(places[:0], places[:0]).shape == (0, 2)
