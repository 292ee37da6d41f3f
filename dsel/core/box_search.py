"""Find the square boxes with the largest mean gap on an image's map.

Cells of the map cover `cell_px` pixels; boxes may have any size and any position in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.chunks import chunks
from dsel.core.integral_image import box_means, summed_area
from dsel.errors import SettingError
from dsel.types import Geometry

Doubles: TypeAlias = NDArray[np.float64]

TIE = 1e-9
"""Means that differ by less are equal: far above the rounding of a sum, far below any gap."""


@dataclass(frozen=True, slots=True)
class BestBoxes:
    """The n boxes with the largest means on each of N images, best first.

    x and y: (N, n) top left corners in pixels. score: (N, n) mean of the map inside. margin: (N,)
    lead of the first box over the best box that does not overlap it; NaN where there is none.
    Where fewer than n boxes fit beside the first ones, the score of the missing ones is minus
    infinity.
    """

    x: Doubles
    y: Doubles
    score: Doubles
    margin: Doubles


def largest_mean_boxes(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int = 1
) -> BestBoxes:
    """Find the `count` square boxes with the largest means that do not overlap, best first.

    Greedy: each next box is the best of those that overlap none before it. Of equal boxes, the
    topmost and then the leftmost wins. Raises `SettingError` where no image could hold so many.
    """
    return largest_boxes_in(summed_area(maps), cell_px, patch_px, stride_px, count)


def leading_boxes(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float
) -> BestBoxes:
    """Find the best box of each image and its runner-up, as `largest_mean_boxes` does.

    Where no second box fits beside the first one, its score is minus infinity, and the margin NaN:
    patches of more than half the side have no runner-up.
    """
    return _largest(_all_boxes(summed_area(maps), cell_px, patch_px, stride_px, 1), 2)


def largest_boxes_in(
    tables: Doubles, cell_px: float, patch_px: float, stride_px: float, count: int = 1
) -> BestBoxes:
    """Find the boxes of `largest_mean_boxes` on maps whose integral images (N, h+1, w+1) these are.

    The tables do not depend on the size of the patch, so that they serve every size.
    """
    size = int(math.prod(tables.shape[1:]) * max(1.0, cell_px / stride_px) ** 2)
    found = [
        _largest(_all_boxes(tables[part], cell_px, patch_px, stride_px, count), count)
        for part in chunks(len(tables), size)
    ]
    return BestBoxes(
        x=np.concatenate([one.x for one in found]),
        y=np.concatenate([one.y for one in found]),
        score=np.concatenate([one.score for one in found]),
        margin=np.concatenate([one.margin for one in found]),
    )


def largest_mean_boxes_with(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int,
    x: float, y: float,
) -> BestBoxes:  # fmt: skip
    """Find the boxes of one image (1, h, w) when a given corner replaces that of the best box.

    The other boxes are the best that overlap neither the given box nor the one that it replaces:
    where none of them overlaps the given box, they do not change. The margin may be negative.
    """
    tables = summed_area(maps)
    boxes = _all_boxes(tables, cell_px, patch_px, stride_px, count)
    apart = replace(boxes, means=boxes.means.copy())
    side = patch_px / cell_px
    at_x, at_y = np.array([x], float), np.array([y], float)
    means = box_means(tables, at_x / cell_px, at_y / cell_px, side, side)
    given = _OnePerImage(at_x, at_y, means[:, 0, 0])
    _exclude_overlapping(apart, given)
    _take_largest(boxes)
    _exclude_overlapping(boxes, given)
    others = [_take_largest(boxes) for _ in range(count - 1)]
    return _stacked([given, *others], _take_largest(apart))


def positions(side_px: float, patch_px: float, stride_px: float) -> Doubles:
    """Candidate corners along one side: every stride from 0, and the last one that fits."""
    last = side_px - patch_px
    steps = np.arange(0.0, last + 1e-9, stride_px)
    return steps if last - steps[-1] < 1e-9 else np.append(steps, last)


def patch_size(settings: SelectSettings, geometry: Geometry) -> int:
    """Return the patch's side in proxy pixels; raises `SettingError` if it does not fit."""
    patch_px = settings.patch_px or geometry.resolution_px // 2
    check_patch(patch_px, settings.per_image, geometry.resolution_px, geometry.resolution_px)
    return patch_px


def check_patch(patch_px: float, count: int, width_px: int, height_px: int) -> None:
    """Raise `SettingError` if a patch, or `count` of them, do not fit into images of this size."""
    side = min(width_px, height_px)
    if not 1 <= patch_px <= side:
        raise SettingError(
            f"patch size must be between 1 and {side} px for {width_px} x {height_px} px images, "
            f"got {patch_px:g}"
        )
    most = int(width_px // patch_px) * int(height_px // patch_px)
    if count > most:
        raise SettingError(
            f"at most {most} patches of {patch_px:g} px fit side by side in {width_px} x "
            f"{height_px} px, got {count} per image"
        )


@dataclass(frozen=True, slots=True)
class _OnePerImage:
    """One box of each of N images, (N,) each."""

    x: Doubles
    y: Doubles
    score: Doubles


@dataclass(frozen=True, slots=True)
class _AllBoxes:
    """Boxes at all pairs of `y` and `x`: means (N, Y, X), minus infinity for excluded boxes."""

    x: Doubles
    y: Doubles
    means: Doubles
    patch_px: float


def _all_boxes(
    tables: Doubles, cell_px: float, patch_px: float, stride_px: float, count: int
) -> _AllBoxes:
    height, width = ((side - 1) * cell_px for side in tables.shape[1:])
    check_patch(patch_px, count, int(width), int(height))
    x, y = positions(width, patch_px, stride_px), positions(height, patch_px, stride_px)
    side = patch_px / cell_px
    means = box_means(tables, x / cell_px, y / cell_px, side, side)
    return _AllBoxes(x, y, means, patch_px)


def _largest(boxes: _AllBoxes, count: int) -> BestBoxes:
    chosen = [_take_largest(boxes) for _ in range(count)]
    return _stacked(chosen, chosen[1] if count > 1 else _largest_mean(boxes))


def _take_largest(boxes: _AllBoxes) -> _OnePerImage:
    """Return the best box of each image, and exclude the boxes that overlap it."""
    found = _largest_mean(boxes)
    _exclude_overlapping(boxes, found)
    return found


def _largest_mean(boxes: _AllBoxes) -> _OnePerImage:
    means, x, y = boxes.means, boxes.x, boxes.y
    flat = means.reshape(len(means), len(y) * len(x))  # a class may have no image
    # The first of those that are equal but for rounding, as boxes inside one cell are.
    best = (flat >= flat.max(axis=1, initial=-np.inf, keepdims=True) - TIE).argmax(axis=1)
    row, column = np.divmod(best, len(x))
    return _OnePerImage(x[column], y[row], flat[np.arange(len(means)), best])


def _exclude_overlapping(boxes: _AllBoxes, found: _OnePerImage) -> None:
    near_x = np.abs(boxes.x[None, :] - found.x[:, None]) < boxes.patch_px - 1e-9  # (N, X)
    near_y = np.abs(boxes.y[None, :] - found.y[:, None]) < boxes.patch_px - 1e-9  # (N, Y)
    boxes.means[near_y[:, :, None] & near_x[:, None, :]] = -np.inf


def _stacked(chosen: Sequence[_OnePerImage], runner_up: _OnePerImage) -> BestBoxes:
    second = np.where(np.isneginf(runner_up.score), np.nan, runner_up.score)
    return BestBoxes(
        x=np.stack([found.x for found in chosen], axis=1),
        y=np.stack([found.y for found in chosen], axis=1),
        score=np.stack([found.score for found in chosen], axis=1),
        margin=chosen[0].score - second,
    )
