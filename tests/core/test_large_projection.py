"""Projections of many points: a bounded number is fitted, the others are placed among them."""

from __future__ import annotations

import numpy as np

from dsel.core import projection
from dsel.core.large_projection import project_many
from dsel.core.neighbours import AT_ONCE, nearest_of, neighbours
from dsel.core.projection import project


def blobs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points of four groups in eight dimensions, far from each other, and their groups."""
    rng = np.random.default_rng(seed)
    group = rng.integers(4, size=count)
    points = 5 * np.eye(8)[group] + 0.3 * rng.normal(size=(count, 8))
    return points.astype(np.float32), group


def test_project_many__few_points_are_projected_as_ever() -> None:
    points, _ = blobs(40)
    few, usual = project_many(points, 3), project(points, 3)
    assert np.array_equal(few.positions, usual.positions)


def test_project_many__others_lie_with_their_group() -> None:
    points, group = blobs(900)
    found = project_many(points, 1, most=120)
    assert found.problem == ""
    assert found.positions.shape == (900, 2)
    centres = np.array([found.positions[group == one].mean(axis=0) for one in range(4)])
    apart = np.linalg.norm(found.positions[:, None] - centres, axis=2)
    assert (apart.argmin(axis=1) == group).mean() > 0.99


def test_project_many__the_same_seed_gives_the_same_positions() -> None:
    points, _ = blobs(300)
    first, again = (project_many(points, 5, most=60).positions for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, project_many(points, 6, most=60).positions)


def test_project__many_points_with_neighbours_of_our_own(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(projection, "MANY", 50)
    points, group = blobs(200)
    found = project(points, 0)
    assert found.problem == ""
    centres = np.array([found.positions[group == one].mean(axis=0) for one in range(4)])
    apart = np.linalg.norm(found.positions[:, None] - centres, axis=2)
    assert (apart.argmin(axis=1) == group).mean() > 0.99


def test_nearest_of__as_a_sort_of_all_distances() -> None:
    rng = np.random.default_rng(2)
    points, others = rng.normal(size=(30, 3)), rng.normal(size=(40, 3))
    apart = np.linalg.norm(points[:, None] - others, axis=2)
    nearest, distances = nearest_of(points.astype(np.float32), others.astype(np.float32), 6)
    assert np.array_equal(nearest, np.argsort(apart, axis=1)[:, :6])
    assert np.allclose(distances, np.sort(apart, axis=1)[:, :6], atol=1e-3)


def test_neighbours__itself_first_beyond_one_part_too() -> None:
    points = np.arange(AT_ONCE + 10, dtype=np.float32)[:, None] / 100
    nearest, distances = neighbours(points, 2)
    assert np.array_equal(nearest[:, 0], np.arange(len(points)))
    assert nearest[-1].tolist() == [AT_ONCE + 9, AT_ONCE + 8]
    assert np.allclose(distances[:, 0], 0, atol=2e-2)
