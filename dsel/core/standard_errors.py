"""Standard errors of scores: how much the mean inside a box varies with the noise drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.chunks import chunks
from dsel.core.gap_maps import Counted, timestep_columns
from dsel.core.patch_features import covered_cells, overlap
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
    means = np.empty((len(mine), len(columns)))
    for part in chunks(len(mine), math.prod((len(columns), ys.shape[1], xs.shape[1]))):
        at = (
            image[part, None, None, None], np.array(columns)[:, None, None],
            ys[part, None, :, None], xs[part, None, None, :],
        )  # fmt: skip
        weights = [np.take_along_axis(side[part], cover[part], 1) for side, cover in
                   ((down, ys), (across, xs))]  # fmt: skip
        noise = _counted_noise(bucket, at, counted)
        means[part] = np.einsum("ntyx,ny,nx->nt", noise, *weights, optimize=True)
    return means / (width * height)[:, None]


def _counted_noise(bucket: Bucket, at: tuple[Ints, ...], counted: Counted) -> NDArray[np.float32]:
    """Return the noise of cells; where only positive gaps count, that of the clipped gaps.

    The mean plus and minus the noise are two maps as noisy as those of the halves, and are clipped
    like them.
    """
    noise = bucket.noise[at].astype(np.float32)
    if counted == "signed":
        return noise
    gap = bucket.gap[at].astype(np.float32)
    clipped: NDArray[np.float32] = np.maximum(gap + noise, 0.0) - np.maximum(gap - noise, 0.0)
    return clipped / np.float32(2)
