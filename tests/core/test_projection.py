"""Projections onto the plane: UMAP, principal components and alignment with earlier positions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.clouds import clouds

from dsel.core.clustering import unit_features
from dsel.core.projection import aligned, layout, principal_plane

Floats = NDArray[np.float32]


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


def test_aligned__undoes_turns_mirrors_scales_and_moves() -> None:
    places = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    turn = np.array([[0.6, 0.8], [0.8, -0.6]], np.float32)
    np.testing.assert_allclose(aligned(places @ turn * 3 + 7, places), places, atol=1e-5)
    assert aligned(places[:0], places[:0]).shape == (0, 2)


def slow_alignment(positions: Floats, target: Floats) -> Floats:
    """The best of many rotations, with and without a mirror, by brute force."""
    own, other = positions - positions.mean(axis=0), target - target.mean(axis=0)
    own = own * np.sqrt(np.square(other).sum() / np.square(own).sum())
    angles = np.linspace(0, 2 * np.pi, 20_001)
    turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    tried = [own * sign @ turn for sign in ([1, 1], [1, -1]) for turn in np.moveaxis(turns, 2, 0)]
    best = min(tried, key=lambda one: np.square(one - other).sum())
    return best + target.mean(axis=0)


def test_aligned__slow_definition() -> None:
    rng = np.random.default_rng(2)
    positions, target = rng.normal(size=(2, 12, 2)).astype(np.float32)
    found = aligned(positions, target)
    np.testing.assert_allclose(found, slow_alignment(positions, target), atol=1e-3)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (2, 3), (7, 1), (7, 2), (20, 9)])
def test_principal_plane__slow_definition(shape: tuple[int, int]) -> None:
    """Eigenvectors of the covariance; the sign of each component is free."""
    points = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    plane = principal_plane(points)
    assert plane.shape == (shape[0], 2)
    assert plane.dtype == np.float32
    assert np.array_equal(plane, principal_plane(points))
    if shape[0] < 2:
        assert not plane.any()
        return
    centred = points - points.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T.astype(float) @ centred)  # by rising eigenvalue
    for component in range(min(2, *shape)):
        slow = centred @ axes[:, -1 - component]
        sign = np.sign(slow @ plane[:, component]) or 1.0
        np.testing.assert_allclose(plane[:, component], sign * slow, atol=1e-4)
