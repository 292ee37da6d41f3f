"""The lead of an image's best box over its runner-up, and the standard error of that lead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.box_search import leading_boxes, patch_size
from dsel.core.chunks import chunks
from dsel.core.gap_maps import combined_map, smoothed, timestep_columns
from dsel.core.integral_image import joined, summed_area, sums_inside
from dsel.core.widening import widened
from dsel.types import Bucket, ClassScores, Geometry

Doubles: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Margins:
    """Leads of N images (N,), NaN without a runner-up, and their standard errors (N,).

    Errors are NaN where all draws of an image are in one half.
    """

    lead: Doubles
    error: Doubles


def margins(scores: ClassScores, geometry: Geometry, settings: SelectSettings) -> Margins:
    """Return the leads of all images of a class on the map that locates."""
    found = Margins(np.full(len(scores.ids), np.nan), np.full(len(scores.ids), np.nan))
    for bucket in scores.buckets:
        for part in chunks(len(bucket.rows), 4 * math.prod(bucket.gap.shape[1:])):
            images = bucket.take(part)
            mine = _margins(images, geometry, settings)
            found.lead[images.rows], found.error[images.rows] = mine.lead, mine.error
    return found


def locating_errors(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings, x: Doubles, y: Doubles
) -> Doubles:
    """Return the standard errors (n, B) of means inside boxes of images of the map that locates.

    x and y (n, B): the corners in pixels. NaN where all draws of an image are in one half.
    """
    cell_px, patch_px = geometry.cell_px, patch_size(settings, geometry)
    noise = _noise(bucket, geometry, settings)  # (n, T, h, w)
    means = _means_inside(noise, x / cell_px, y / cell_px, patch_px / cell_px)
    errors: Doubles = np.sqrt(np.square(means).sum(axis=2))
    return errors


def _margins(bucket: Bucket, geometry: Geometry, settings: SelectSettings) -> Margins:
    how = geometry, settings.timesteps, settings.locate, settings.smooth
    patch_px, cell_px = patch_size(settings, geometry), geometry.cell_px
    stride_px = settings.stride_px or cell_px
    boxes = leading_boxes(combined_map(bucket, *how, locating=True), cell_px, patch_px, stride_px)
    there = np.isfinite(boxes.score[:, 1])
    lead = np.where(there, boxes.score[:, 0] - np.where(there, boxes.score[:, 1], 0.0), np.nan)
    noise = _noise(bucket, geometry, settings)  # (n, T, h, w)
    means = _means_inside(noise, boxes.x / cell_px, boxes.y / cell_px, patch_px / cell_px)
    # A map's noise is linear in its halves, and timesteps are independent.
    error = np.sqrt(np.square(means[:, 0] - means[:, 1]).sum(axis=1))
    return Margins(lead, error)


def _noise(bucket: Bucket, geometry: Geometry, settings: SelectSettings) -> Floats:
    """Return the noise of each timestep's part of the map that locates, (n, T, h, w)."""
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    weights = 1.0 / np.asarray(geometry.losses[columns], np.float32) / len(columns)
    by_difference = settings.locate == "difference"
    stored = bucket.difference_noise if by_difference else bucket.locating_noise
    noise = widened(stored[:, columns])
    if settings.locate == "positive":  # the maps of the halves are clipped
        gap = widened(bucket.locating_gap[:, columns])
        noise = (np.maximum(gap + noise, 0.0) - np.maximum(gap - noise, 0.0)) / np.float32(2)
    np.multiply(noise, weights[:, None, None], out=noise, casting="same_kind")
    return smoothed(noise, settings.smooth)


def _means_inside(maps: Floats, x: Doubles, y: Doubles, side: float) -> Doubles:
    """Return means inside square boxes of images: (n, T, h, w) and (n, B) corners -> (n, B, T)."""
    images, steps = maps.shape[:2]
    tables = summed_area(maps.reshape(images * steps, *maps.shape[2:]))
    table = np.arange(images * steps)
    shape = (images, x.shape[1], steps)
    which = np.broadcast_to(table.reshape(images, 1, steps), shape).ravel()
    at_x, at_y = (np.broadcast_to(one[..., None], shape).ravel() for one in (x, y))
    sides = np.full(len(which), side)
    sums = sums_inside(joined([tables], [table]), which, at_x, at_y, sides, sides)
    means: Doubles = (sums / (side * side)).reshape(shape)
    return means
