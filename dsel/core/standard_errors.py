"""Standard errors of scores: how much the mean inside a box varies with the noise drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dsel.core.chunks import chunks
from dsel.core.gap_maps import Counted, adjacent, timestep_columns
from dsel.core.patch_features import covered_cells, overlap
from dsel.core.widening import widened
from dsel.types import Bucket, ClassScores, Geometry

Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BoxesOf:
    """P boxes on images of a class: image (P,) is the row of each one's image, sides in pixels."""

    image: Ints
    x: Doubles
    y: Doubles
    width: Doubles
    height: Doubles


def standard_errors(
    scores: ClassScores,
    geometry: Geometry,
    timesteps: tuple[int, ...],
    counted: Counted,
    boxes: BoxesOf,
) -> Doubles:
    """Return the standard errors (P,) of the means of combined gap maps inside boxes.

    NaN where all draws of an image are in one half, as with one draw. The noise map of a timestep
    is half the difference between two halves of its draws, so that the square of its mean inside
    a box is an unbiased estimate of that mean's variance. Timesteps have noise of their own, so
    that their variances add up: one degree of freedom each.
    """
    columns = timestep_columns(timesteps, geometry.timesteps)
    weights = 1.0 / np.asarray(geometry.losses[columns], np.float64) / len(columns)
    errors = np.full(len(boxes.image), np.nan)
    for bucket in scores.buckets:
        mine = np.flatnonzero(np.isin(boxes.image, bucket.rows))
        means = _noise_inside(bucket, boxes, mine, columns, counted, geometry.cell_px)  # (P, T)
        errors[mine] = np.sqrt(np.square(means * weights).sum(axis=1))
    return errors


def picture_errors(
    scores: ClassScores, geometry: Geometry, timesteps: tuple[int, ...], counted: Counted
) -> Doubles:
    """Return the standard errors (N,) of the means of combined gap maps over whole images."""
    width, height = scores.frames.proxy.T.astype(np.float64)
    rows, corner = np.arange(len(scores.ids)), np.zeros(len(scores.ids))
    boxes = BoxesOf(rows, corner, corner, width, height)
    return standard_errors(scores, geometry, timesteps, counted, boxes)


def _noise_inside(
    bucket: Bucket, boxes: BoxesOf, mine: Ints, columns: list[int], counted: Counted, cell_px: int
) -> Doubles:
    """Return the means of a bucket's noise maps inside the boxes `mine` (P,) on it, (P, T)."""
    rows, cells = bucket.noise.shape[2:]
    x, y, width, height = (
        side[mine] / cell_px for side in (boxes.x, boxes.y, boxes.width, boxes.height)
    )
    down, across = overlap(y, height, rows), overlap(x, width, cells)  # (P, h), (P, w)
    ys, xs = covered_cells(down), covered_cells(across)
    image = np.searchsorted(bucket.rows, boxes.image[mine])
    weights = np.take_along_axis(down, ys, 1), np.take_along_axis(across, xs, 1)
    whole = all((side == 1).all() for side in weights)
    means = np.empty((len(mine), len(columns)))
    for part in chunks(len(mine), math.prod((len(columns), ys.shape[1], xs.shape[1]))):
        noise = _counted_noise(bucket, (image[part], columns, ys[part], xs[part]), counted)
        means[part] = _sums(noise, None if whole else (weights[0][part], weights[1][part]))
    return means / (width * height)[:, None]


def _sums(noise: NDArray[np.float32], weights: tuple[Doubles, Doubles] | None) -> Doubles:
    """Return weighted sums over rows and columns (n, T, h', w') -> (n, T); no weights are all 1.

    A double holds the sum of so many halves without any rounding, so that boxes of whole cells have
    the same sums in any order, and the fastest one will do.
    """
    if weights is not None:
        weighted: Doubles = np.einsum("ntyx,ny,nx->nt", noise, *weights, optimize=True)
        return weighted
    cells = noise.reshape(*noise.shape[:2], math.prod(noise.shape[2:])).astype(np.float64)
    sums: Doubles = cells @ np.ones(cells.shape[2])
    return sums


def _windows(
    maps: NDArray[np.float16], image: Ints, columns: list[int], ys: Ints, xs: Ints
) -> NDArray[np.float32]:
    """Read a window of consecutive cells of each image's maps: (n, T', h', w').

    ys (n, h') and xs (n, w') are the rows and columns of the window.
    """
    height, width = ys.shape[1], xs.shape[1]
    if (height, width) == maps.shape[2:]:
        read = maps[image]
    else:
        every = sliding_window_view(maps, (height, width), axis=(2, 3))  # (N, T, Y, X, h', w')
        read = every[image, :, ys[:, 0], xs[:, 0]]
    return widened(read[:, adjacent(columns)])


def _counted_noise(
    bucket: Bucket, inside: tuple[Ints, list[int], Ints, Ints], counted: Counted
) -> NDArray[np.float32]:
    """Return the noise of cells; where only positive gaps count, that of the clipped gaps.

    The mean plus and minus the noise are two maps as noisy as those of the halves, and are clipped
    like them.
    """
    noise = _windows(bucket.noise, *inside)
    if counted == "signed":
        return noise
    gap = _windows(bucket.gap, *inside)
    clipped: NDArray[np.float32] = np.maximum(gap + noise, 0.0) - np.maximum(gap - noise, 0.0)
    return clipped / np.float32(2)
