"""Projection of patch features onto the plane: UMAP, principal components, Procrustes alignment."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.clustering import unit_features

Floats: TypeAlias = NDArray[np.float32]

NEIGHBOURS: Final = 15
MIN_DIST: Final = 0.15

EPOCHS_FROM_START: Final = 200
"""UMAP epochs of a layout with given starting positions; without them it takes 500."""

FEWEST: Final = 5
"""Points that UMAP needs for its neighbourhood graph."""


def layout(features: Floats, seed: int, start: Floats | None = None) -> Floats:
    """Project features (N, d) onto the plane, (N, 2), similar ones near each other (UMAP).

    Classes that are too small for a neighbourhood graph are projected onto their principal
    components. start: positions (N, 2) to start from; the result is aligned with them (see
    `aligned`), so that points whose neighbours stay the same stay where they were.
    """
    points = unit_features(features)
    positions = principal_plane(points) if len(points) < FEWEST else _umap(points, seed, start)
    return positions if start is None else aligned(positions, start)


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


def _umap(points: Floats, seed: int, start: Floats | None) -> Floats:
    import umap

    usable = start is not None and bool((np.ptp(start, axis=0) > 0).all())
    # The spectral start needs more points than dimensions of its own.
    default = "spectral" if len(points) > 20 else "random"
    mapper = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(points) - 1),
        min_dist=MIN_DIST,
        random_state=seed,
        n_jobs=1,
        init=np.array(start, np.float32) if usable else default,
        n_epochs=EPOCHS_FROM_START if usable else None,
    )
    return np.asarray(mapper.fit_transform(points), np.float32)
