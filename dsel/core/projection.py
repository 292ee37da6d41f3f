"""Projection of patch features onto the plane: UMAP, principal components, Procrustes alignment."""

from __future__ import annotations

import atexit
import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from tempfile import mkdtemp
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.clustering import unit_features
from dsel.core.neighbours import neighbours
from dsel.errors import first_line

Floats: TypeAlias = NDArray[np.float32]

NEIGHBOURS: Final = 15
MIN_DIST: Final = 0.15

EPOCHS_FROM_START: Final = 200
"""UMAP epochs of a layout with given starting positions; without them it takes 500."""

FEWEST: Final = 5
"""Points that UMAP needs for its neighbourhood graph."""

MANY: Final = 4096
"""Above so many points UMAP takes fewer epochs."""

COMPILED: Final = (
    ("umap_", "smooth_knn_dist"),
    ("umap_", "compute_membership_strengths"),
    ("layouts", "_nb_optimize_layout_euclidean_single_epoch"),
)
"""Modules and names of the functions that UMAP compiles for us, which takes it five seconds."""

UMAP_FAILS: Final = (ImportError, OSError, RuntimeError, EOFError)
"""Errors of a compiler that may not write its cache, or whose cache a crash has damaged, and of
libraries that do not fit together."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Positions (N, 2) in the plane; problem: why they are no layout of UMAP, empty if they are."""

    positions: Floats
    problem: str = ""


def layout(features: Floats, seed: int, start: Floats | None = None) -> Floats:
    """Project features (N, d) onto the plane, (N, 2), similar ones near each other (UMAP).

    Classes that are too small for a neighbourhood graph are projected onto their principal
    components. start: positions (N, 2) to start from; the result is aligned with them (see
    `aligned`), so that points whose neighbours stay the same stay where they were.
    """
    return project(features, seed, start).positions


def project(features: Floats, seed: int, start: Floats | None = None) -> Projection:
    """Project like `layout`; principal components take the place of a UMAP that cannot run."""
    points = unit_features(features)
    if len(points) < FEWEST:
        found = Projection(principal_plane(points))
    else:
        found = _umap_or_plane(points, seed, start)
    return found if start is None else Projection(aligned(found.positions, start), found.problem)


def aligned(positions: Floats, target: Floats) -> Floats:
    """Rotate, mirror, scale and move positions (N, 2) to lie as near as possible to a target.

    This is Procrustes' problem (Schoenemann, 1966). Directions and lengths of a layout mean
    nothing, so points need not move because of them.
    """
    if not len(positions):
        return positions
    from scipy.linalg import orthogonal_procrustes

    centre, goal = positions.mean(axis=0, dtype=float), target.mean(axis=0, dtype=float)
    own, other = positions - centre, target - goal
    size, goal_size = np.square(own).sum(), np.square(other).sum()
    if size > 0 and goal_size > 0:
        rotation, _ = orthogonal_procrustes(own, other)
        # As wide as the target: the least-squares scale would shrink layouts that differ much.
        own = np.sqrt(goal_size / size) * own @ rotation
    return np.asarray(own + goal, np.float32)


def principal_plane(points: Floats) -> Floats:
    """Project points (N, d) onto their two principal components, (N, 2); zeros for missing ones."""
    plane = np.zeros((len(points), 2), np.float32)
    if len(points) == 0 or (points == points[0]).all():
        return plane  # without variance there are no components
    from sklearn.decomposition import PCA

    components = min(2, *points.shape)
    # The full solver is exact, and scikit-learn fixes its signs.
    plane[:, :components] = PCA(components, svd_solver="full").fit_transform(points)
    return plane


def _umap_or_plane(points: Floats, seed: int, start: Floats | None) -> Projection:
    library = _umap_library()
    problem = library.problem
    if not problem:
        try:
            return Projection(_umap(library.module, points, seed, start))
        except UMAP_FAILS as error:
            problem = first_line(error)
    return Projection(principal_plane(points), problem)


@dataclass(frozen=True, slots=True)
class _Library:
    """UMAP as imported once; problem: why it cannot be."""

    module: Any = None
    problem: str = ""


@cache
def _umap_library() -> _Library:
    """Import UMAP, which fails where its compiler, Numba, may write its cache nowhere.

    That is so in a container without a home whose libraries belong to another user. A folder of
    this process takes the cache's place then: Numba's files are pickles, so none that others can
    write to is safe.
    """
    try:
        return _imported()
    except UMAP_FAILS:
        pass  # tried again with a cache of our own
    try:
        _cache_in(mkdtemp(prefix="dsel-numba-"))
        return _imported()
    except UMAP_FAILS as error:
        return _Library(problem=first_line(error))


def _imported() -> _Library:
    """Import UMAP, and let Numba store what it compiles for later processes.

    UMAP itself stores only some of it. Numba keeps the code beside UMAP's own files, or in the
    user's folder of caches; it compiles again for another processor and for changed source.
    """
    import numba
    import umap

    # Numba takes as many threads of OpenMP as there are processors, and leaves the thread that asks
    # first with that number, whatever OMP_NUM_THREADS says. Torch reads its own from there.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(numba.get_num_threads).result()
    for module, name in COMPILED:
        compiled = getattr(getattr(umap, module), name, None)  # other releases have other names
        if compiled is not None:
            compiled.enable_caching()
    return _Library(umap)


def _cache_in(folder: str) -> None:
    """Let Numba compile into a folder, which is removed when the process ends."""
    import numba

    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder  # Numba reads its settings again while it compiles
    numba.config.reload_config()


def _umap(umap: Any, points: Floats, seed: int, start: Floats | None) -> Floats:
    usable = start is not None and bool((np.ptp(start, axis=0) > 0).all())
    nearest = min(NEIGHBOURS, len(points) - 1)
    # The spectral start needs more points than dimensions of its own.
    default = "spectral" if len(points) > 20 else "random"
    mapper = umap.UMAP(
        n_neighbors=nearest,
        min_dist=MIN_DIST,
        random_state=seed,
        n_jobs=1,
        init=np.array(start, np.float32) if usable else default,
        n_epochs=EPOCHS_FROM_START if usable or len(points) > MANY else None,
        # An exact search without a compiler takes less time than UMAP's takes to compile.
        precomputed_knn=neighbours(points, nearest),
        force_approximation_algorithm=True,  # or it would search again among few points
    )
    with warnings.catch_warnings():
        # It cannot place further points without a search index, and need not.
        warnings.filterwarnings("ignore", message="precomputed_knn", category=UserWarning)
        return np.asarray(mapper.fit_transform(points), np.float32)
