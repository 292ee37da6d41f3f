"""From gap maps to the boxes where naming the class helps most.

Maps are piecewise constant: a cell covers `cell_px` pixels. A summed-area table that is read at
fractional positions by linear interpolation integrates such a map exactly, so a box may have any
size and lie anywhere, not only on cell borders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsel.errors import SettingError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


TIE = 1e-9
"""Means that differ by less are equal: many times the rounding of a sum, far below any gap."""

AT_ONCE = 1 << 17
"""Numbers worked on at once: they stay in the processor's cache, and memory in bounds."""


@dataclass(frozen=True, slots=True)
class BestBoxes:
    """The chosen boxes of N images, n per image, best first.

    x and y: (N, n) top left corners in pixels. score: (N, n) mean of the map inside. margin: (N,)
    lead of the first box over the best box that does not overlap it; NaN where there is none.
    Where fewer than n boxes fit around the first ones, the score of the rest is minus infinity.
    """

    x: Doubles
    y: Doubles
    score: Doubles
    margin: Doubles


def combine_timesteps(
    gap: NDArray[np.floating], losses: NDArray[np.floating], positive: bool = False
) -> Floats:
    """Mean over timesteps of gap maps, each divided by its loss: (N, T, h, w) -> (N, h, w).

    losses: (T,), see `timestep_losses`. Timesteps differ in the size of their losses, and some
    would drown the others; after division each speaks with the same voice, and a gap is the share
    of the loss that naming the class saves. With `positive`, cells where naming the class misleads
    count as 0: inside one object it may help here and mislead there, and should not cancel.
    """
    weights = (1.0 / np.asarray(losses, np.float32)) / len(losses)
    mean = np.empty((len(gap), *gap.shape[2:]), np.float32)
    for part in _parts(len(gap), math.prod(gap.shape[1:])):
        maps = np.asarray(gap[part], np.float32)
        counted = np.maximum(maps, 0.0) if positive else maps
        np.einsum("nthw,t->nhw", counted, weights, out=mean[part])
    return mean


def timestep_losses(conditional: NDArray[np.floating]) -> Floats:
    """Per timestep, the mean conditional loss over images and cells: (N, T, h, w) -> (T,).

    Of all that could put timesteps on one scale it is the steadiest: few draws give it already. 1
    where a timestep has no loss at all.
    """
    return losses_of(image_losses(conditional).sum(axis=0), len(conditional))


def image_losses(conditional: NDArray[np.floating]) -> Doubles:
    """The mean over cells: (N, T, h, w) -> (N, T). Sums over parts of a run add up."""
    means: Doubles = np.asarray(conditional, np.float64).mean(axis=(2, 3))
    return means


def losses_of(sums: Doubles, images: int) -> Floats:
    """The mean (T,) of sums (T,) over so many images."""
    mean = np.asarray(sums, np.float64) / max(images, 1)
    return np.where(mean > 0, mean, 1.0).astype(np.float32)


def summed_area(maps: NDArray[np.floating]) -> Doubles:
    """Summed-area tables with a leading row and column of zeros: (N, h, w) -> (N, h+1, w+1).

    Crow, "Summed-area tables for texture mapping", 1984.
    """
    table = np.zeros((maps.shape[0], maps.shape[1] + 1, maps.shape[2] + 1))
    np.cumsum(maps, axis=1, out=table[:, 1:, 1:], dtype=np.float64)
    np.cumsum(table[:, 1:, 1:], axis=2, out=table[:, 1:, 1:])
    return table


def box_means(table: Doubles, x: Doubles, y: Doubles, width: float, height: float) -> Doubles:
    """Mean of each map inside boxes at all pairs of `y` and `x`, in cells: (N, len(y), len(x))."""
    rows = _read(table, y + height, axis=1) - _read(table, y, axis=1)  # (N, Y, w+1)
    sums = _read(rows, x + width, axis=2) - _read(rows, x, axis=2)  # (N, Y, X)
    return sums / (width * height)


def positions(side_px: float, patch_px: float, stride_px: float) -> Doubles:
    """Candidate corners along one side: every stride from 0, and the last one that fits."""
    last = side_px - patch_px
    steps = np.arange(0.0, last + 1e-9, stride_px)
    return steps if last - steps[-1] < 1e-9 else np.append(steps, last)


def best_boxes(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int = 1
) -> BestBoxes:
    """The `count` square boxes with the largest means that do not overlap, best first.

    Greedy: each next box is the best of those that overlap none before it. Of equal boxes the
    topmost, then leftmost wins. Raises `SettingError` where no picture could hold so many.
    """
    size = int(math.prod(maps.shape[1:]) * max(1.0, cell_px / stride_px) ** 2)
    found = [
        _best_boxes(_candidates(maps[part], cell_px, patch_px, stride_px, count), count)
        for part in _parts(len(maps), size)
    ]
    return BestBoxes(
        x=np.concatenate([one.x for one in found]),
        y=np.concatenate([one.y for one in found]),
        score=np.concatenate([one.score for one in found]),
        margin=np.concatenate([one.margin for one in found]),
    )


def boxes_with(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int,
    x: float, y: float,
) -> BestBoxes:  # fmt: skip
    """The boxes of one picture (1, h, w) when the one with this corner takes the best one's place.

    The further ones are the best that overlap neither it nor the box whose place it takes: where
    none of them overlaps it, they are what they were. Its margin may be negative.
    """
    grid = _candidates(maps, cell_px, patch_px, stride_px, count)
    beside = replace(grid, means=grid.means.copy())
    side = patch_px / cell_px
    at_x, at_y = np.array([x], float), np.array([y], float)
    means = box_means(summed_area(maps), at_x / cell_px, at_y / cell_px, side, side)
    given = _Found(at_x, at_y, means[:, 0, 0])
    _strike(beside, given)
    _take_best(grid)
    _strike(grid, given)
    return _stacked([given, *(_take_best(grid) for _ in range(count - 1))], _take_best(beside))


def check_patch(patch_px: float, count: int, width_px: int, height_px: int) -> None:
    """Raise `SettingError` if a patch, or `count` of them, cannot lie in a picture of this size."""
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

    The grid spans the whole of a picture of (N,) `width_px` x `height_px`. A grid position weighs
    as much as its area inside the box. With `image`, (P,) rows of `features`, there are P boxes.
    """
    grid = features.shape[1]
    scale_x, scale_y = grid / width_px, grid / height_px
    across = _overlap(x * scale_x, patch_px * scale_x, grid)  # (N, g)
    down = _overlap(y * scale_y, patch_px * scale_y, grid)  # (N, g)
    weights = down[:, :, None] * across[:, None, :]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    rows = np.arange(len(features)) if image is None else image
    mean = np.empty((len(rows), features.shape[3]), np.float32)
    ys, xs = _touched(down), _touched(across)
    for part in _parts(len(rows), ys.shape[1] * xs.shape[1] * features.shape[3]):
        row, at = rows[part, None, None], (ys[part, :, None], xs[part, None, :])
        inside = features[(row, *at)].astype(np.float32)  # (n, Y, X, d)
        weight = weights[(np.arange(len(rows))[part, None, None], *at)]
        np.einsum("nyx,nyxd->nd", weight, inside, out=mean[part], casting="same_kind")
    return mean


@dataclass(frozen=True, slots=True)
class _Found:
    """One box of each of N images."""

    x: Doubles
    y: Doubles
    score: Doubles


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Boxes at all pairs of `y` and `x`: means (N, Y, X), minus infinity where struck out."""

    x: Doubles
    y: Doubles
    means: Doubles
    patch_px: float


def _candidates(
    maps: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int
) -> _Candidates:
    height, width = maps.shape[1] * cell_px, maps.shape[2] * cell_px
    check_patch(patch_px, count, int(width), int(height))
    x, y = positions(width, patch_px, stride_px), positions(height, patch_px, stride_px)
    side = patch_px / cell_px
    means = box_means(summed_area(maps), x / cell_px, y / cell_px, side, side)
    return _Candidates(x, y, means, patch_px)


def _best_boxes(grid: _Candidates, count: int) -> BestBoxes:
    chosen = [_take_best(grid) for _ in range(count)]
    return _stacked(chosen, chosen[1] if count > 1 else _best(grid))


def _take_best(grid: _Candidates) -> _Found:
    """The best box of each image; what overlaps it is struck out."""
    found = _best(grid)
    _strike(grid, found)
    return found


def _best(grid: _Candidates) -> _Found:
    means, x, y = grid.means, grid.x, grid.y
    flat = means.reshape(len(means), len(y) * len(x))  # a class may have no image
    # The first of those that are equal but for rounding, as boxes inside one cell are.
    best = (flat >= flat.max(axis=1, initial=-np.inf, keepdims=True) - TIE).argmax(axis=1)
    row, column = np.divmod(best, len(x))
    return _Found(x[column], y[row], flat[np.arange(len(means)), best])


def _strike(grid: _Candidates, found: _Found) -> None:
    """Strike out the boxes that overlap those found."""
    near_x = np.abs(grid.x[None, :] - found.x[:, None]) < grid.patch_px - 1e-9  # (N, X)
    near_y = np.abs(grid.y[None, :] - found.y[:, None]) < grid.patch_px - 1e-9  # (N, Y)
    grid.means[near_y[:, :, None] & near_x[:, None, :]] = -np.inf


def _stacked(chosen: Sequence[_Found], runner_up: _Found) -> BestBoxes:
    second = np.where(np.isneginf(runner_up.score), np.nan, runner_up.score)
    return BestBoxes(
        x=np.stack([found.x for found in chosen], axis=1),
        y=np.stack([found.y for found in chosen], axis=1),
        score=np.stack([found.score for found in chosen], axis=1),
        margin=chosen[0].score - second,
    )


def _read(table: Doubles, at: Doubles, axis: int) -> Doubles:
    """Read a table at fractional positions along an axis."""
    at = np.clip(at, 0, table.shape[axis] - 1)
    low = np.minimum(at.astype(np.intp), table.shape[axis] - 2)
    share = (at - low).reshape([-1 if i == axis else 1 for i in range(table.ndim)])
    lower = np.take(table, low, axis=axis)
    read: Doubles = lower + share * (np.take(table, low + 1, axis=axis) - lower)
    return read


def _touched(cover: Doubles) -> NDArray[np.intp]:
    """The grid positions that intervals cover, (N, cells) -> (N, n): as many for each, in a row."""
    cells = cover.shape[1]
    first = (cover > 0).argmax(axis=1)
    end = cells - (cover[:, ::-1] > 0).argmax(axis=1)
    longest = int((end - first).max(initial=1))
    start: NDArray[np.intp] = np.minimum(first, cells - longest)
    return start[:, None] + np.arange(longest)


def _parts(count: int, size: int) -> Iterator[slice]:
    """Slices of `count` items of `size` numbers, about `AT_ONCE` numbers each; at least one."""
    step = max(1, AT_ONCE // max(size, 1))
    return (slice(start, start + step) for start in range(0, max(count, 1), step))


def _overlap(start: Doubles, length: Doubles, cells: int) -> Doubles:
    """How much of each unit cell an interval covers: (N,) and (N,) -> (N, cells)."""
    edges = np.arange(cells)[None, :]
    end = np.minimum((start + length)[:, None], edges + 1)
    covered: Doubles = np.clip(end - np.maximum(start[:, None], edges), 0.0, 1.0)
    return covered
