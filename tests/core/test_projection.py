"""Projections onto the plane: UMAP, principal components and alignment with earlier positions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.clouds import clouds

from dsel.core import projection
from dsel.core.clustering import unit_features
from dsel.core.projection import aligned, layout, principal_plane, project

Floats = NDArray[np.float32]
ROOT = Path(__file__).parents[2]


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


NO_CACHE = """
import os, sys, tempfile
from numba.core import caching

writable = caching._CacheLocator.ensure_cache_path

def refuse(self):
    if not self.get_cache_path().startswith(tempfile.gettempdir() + os.sep):
        raise PermissionError(13, "no home, and libraries of another user")
    writable(self)

caching._CacheLocator.ensure_cache_path = refuse
from dsel.core import projection

print(projection._umap_library())
print(len(os.listdir(tempfile.gettempdir())))
"""


def test_project__no_cache_for_the_compiler(tmp_path: Path) -> None:
    """As in a container without a home: a folder of the process's own is the cache."""
    places = {"TMPDIR": str(tmp_path), "NUMBA_CACHE_DIR": "/dev/null/x"}
    done = subprocess.run(
        [sys.executable, "-c", NO_CACHE], cwd=ROOT, env={**os.environ, **places},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    library, folders = done.stdout.splitlines()
    assert library.startswith("_Library(module=<module 'umap'")
    assert library.endswith("problem='')")
    assert folders == "1"
    assert list(tmp_path.iterdir()) == []  # it is removed at the end


STORED = """
import hashlib, os, sys
import numba, umap
os.environ["NUMBA_CACHE_DIR"] = sys.argv[1]  # of what is compiled from now on
numba.config.reload_config()
from support.clouds import clouds
from dsel.core import projection

digest = hashlib.sha256()
for n in (6, 15, 40, 120):
    features = clouds((n // 2, n - n // 2))
    found = projection.layout(features, 0)
    for positions in (found, projection.layout(features, 0, found[::-1].copy())):
        digest.update(positions.tobytes())
compiled = [getattr(getattr(umap, module), name) for module, name in projection.COMPILED]
print(digest.hexdigest())
print([len(one.signatures) for one in compiled])
print([sum(one.stats.cache_hits.values()) for one in compiled])
print([sum(one.stats.cache_misses.values()) for one in compiled])
"""


def test_layout__compiled_once_per_machine(tmp_path: Path) -> None:
    """A second process loads what the first one compiled, and the layouts are the same bytes."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    first, second = (
        subprocess.run(
            [sys.executable, "-c", STORED, str(tmp_path)], cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True, text=True, check=True, timeout=600,
        ).stdout.splitlines()
        for _ in range(2)
    )  # fmt: skip
    one, none = "[1, 1, 1]", "[0, 0, 0]"  # each has one signature, however many points there are
    assert first[1:] == [one, none, one]
    assert second == [first[0], one, one, none]


NUMBA = {"NUMBA_NUM_THREADS": "2", "NUMBA_THREADING_LAYER": "omp"}
THREADS = """
import sys
from support.clouds import clouds
from dsel.core import projection

if sys.argv[1] == "first":
    import torch
projection.layout(clouds((20, 20)), 0)
import torch
print(torch.get_num_threads())
"""


@pytest.mark.parametrize("torch_is", ["first", "last"])
def test_layout__leaves_the_threads_of_torch_alone(torch_is: str) -> None:
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", THREADS, torch_is], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **NUMBA},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("error", [OSError("full"), RuntimeError("cannot cache\nno locator")])
def test_project__principal_components_where_umap_fails(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> object:
        raise error

    features = clouds((8, 8))
    start = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    plane = principal_plane(unit_features(features))
    with monkeypatch.context() as patched:
        patched.setattr(projection, "_imported", fail)
        projection._umap_library.cache_clear()
        found, begun = project(features, seed=1), project(features, 1, start)
    projection._umap_library.cache_clear()
    assert found.problem == begun.problem == str(error).partition("\n")[0]
    assert np.array_equal(found.positions, plane)
    assert np.array_equal(begun.positions, aligned(plane, start))


def test_project__principal_components_where_the_compiler_fails_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A disk that is full while compiled code is stored."""

    def fail(*_: object) -> Floats:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(projection, "_umap", fail)
    found = project(clouds((8, 8)), seed=1)
    assert "No space left on device" in found.problem
    assert np.isfinite(found.positions).all()
