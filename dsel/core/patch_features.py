"""Features of patches, averaged from the feature grids that scoring stores of whole images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dsel.core.chunks import chunks
from dsel.core.widening import widened
from dsel.types import Pixels

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]


class Featurizer(Protocol):
    """Computes features of patches, for clustering."""

    @property
    def fingerprint(self) -> str:
        """A name of the model and of its inputs."""

    def describe(self, patches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return features (P, d) of P patches of any sizes."""


def patch_features(
    features: NDArray[np.floating],
    x: Doubles,
    y: Doubles,
    patch_px: float,
    width_px: Doubles,
    height_px: Doubles,
    image: NDArray[np.int64] | None = None,
) -> Floats:
    """Mean of a feature grid over one box per image: (N, g, g, d) and N corners -> (N, d).

    The grid spans the whole image of (N,) `width_px` x `height_px`. Each grid cell is weighted by
    its area inside the box. With `image`, (P,) rows of `features`, there are P boxes.
    """
    grid = features.shape[1]
    scale_x, scale_y = grid / width_px, grid / height_px
    across = overlap(x * scale_x, patch_px * scale_x, grid)  # (N, g)
    down = overlap(y * scale_y, patch_px * scale_y, grid)  # (N, g)
    weights = down[:, :, None] * across[:, None, :]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    rows = np.arange(len(features)) if image is None else image
    mean = np.empty((len(rows), features.shape[3]), np.float32)
    ys, xs = covered_cells(down), covered_cells(across)
    window = ys.shape[1], xs.shape[1]
    weights = _windows(weights, window)[np.arange(len(rows)), ys[:, 0], xs[:, 0]]  # (N, Y, X)
    every = _windows(features, window)
    for part in chunks(len(rows), window[0] * window[1] * features.shape[3]):
        inside = every[rows[part], ys[part, 0], xs[part, 0]]  # (n, Y, X, d)
        np.einsum(
            "nyx,nyxd->nd", weights[part], widened(inside), out=mean[part], casting="same_kind"
        )
    return mean


def _windows(grids: NDArray[Any], window: tuple[int, int]) -> NDArray[Any]:
    """View the windows of consecutive cells in grids: (N, g, g, ...) -> (N, Y', X', Y, X, ...)."""
    views = sliding_window_view(grids, window, axis=(1, 2))
    return np.moveaxis(views, (-2, -1), (3, 4))


def overlap(start: Doubles, length: Doubles, cells: int) -> Doubles:
    """Length of each unit cell that an interval covers: (N,) and (N,) -> (N, cells)."""
    edges = np.arange(cells)[None, :]
    end = np.minimum((start + length)[:, None], edges + 1)
    covered: Doubles = np.clip(end - np.maximum(start[:, None], edges), 0.0, 1.0)
    return covered


def covered_cells(cover: Doubles) -> NDArray[np.intp]:
    """Consecutive cells that contain those covered, (N, cells) -> (N, n): the same n for all N."""
    cells = cover.shape[1]
    first = (cover > 0).argmax(axis=1)
    end = cells - (cover[:, ::-1] > 0).argmax(axis=1)
    longest = int((end - first).max(initial=1))
    start: NDArray[np.intp] = np.minimum(first, cells - longest)
    return start[:, None] + np.arange(longest)
