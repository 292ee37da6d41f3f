"""From patch features to places in the plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dsel.core.clustering import unit_features

Floats = NDArray[np.float32]

NEIGHBOURS = 15
MIN_DIST = 0.15

EPOCHS_FROM_START = 200
"""Rounds of a layout that begins from places that are near to right; by itself it takes 500."""


def layout(features: Floats, seed: int, start: Floats | None = None) -> Floats:
    """Places in the plane, (N, d) -> (N, 2), near where features are alike (UMAP).

    Classes too small for a neighbourhood graph are laid out by their principal components, and one
    patch alone lies at the origin. start: places (N, 2) to begin from; the new ones are laid onto
    them (see `laid_onto`), so that what stays alike stays where it was.
    """
    points = unit_features(features)
    if len(points) < 5:
        places = principal_plane(points)
        return places if start is None else laid_onto(places, start)
    import umap

    begun = start is not None and bool((np.ptp(start, axis=0) > 0).all())
    # The spectral start needs more points than dimensions of its own.
    by_itself = "spectral" if len(points) > 20 else "random"
    mapper = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(points) - 1),
        min_dist=MIN_DIST,
        random_state=seed,
        n_jobs=1,
        init=np.array(start, np.float32) if begun else by_itself,
        n_epochs=EPOCHS_FROM_START if begun else None,
    )
    places = np.asarray(mapper.fit_transform(points), np.float32)
    return places if start is None else laid_onto(places, start)


def laid_onto(places: Floats, onto: Floats) -> Floats:
    """Places (N, 2) turned, mirrored, scaled and moved to lie as near as they can to others.

    That is Procrustes' problem (Schoenemann, 1966): directions and lengths of the plane mean
    nothing, so that a new layout need not move points by them.
    """
    if not len(places):
        return places
    centre, aim = places.mean(axis=0, dtype=float), onto.mean(axis=0, dtype=float)
    own, other = places - centre, onto - aim
    size, wide = np.square(own).sum(), np.square(other).sum()
    laid = own
    if size > 0 and wide > 0:
        left, _, right = np.linalg.svd(own.T @ other)
        # As wide as the others: the least distance alone would shrink what differs much.
        laid = np.sqrt(wide / size) * own @ (left @ right)
    return np.asarray(laid + aim, np.float32)


def principal_plane(points: Floats) -> Floats:
    """The two principal components (N, 2) of points (N, d); zeros where there are fewer."""
    plane = np.zeros((len(points), 2), np.float32)
    if not len(points):
        return plane
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    found = centred @ axes[:2].T
    plane[:, : found.shape[1]] = found
    return plane
