"""Integral images (summed-area tables) of maps, and sums and means of maps inside boxes.

Maps are piecewise constant on unit cells. Reading an integral image at fractional positions by
linear interpolation integrates such a map exactly, so a box may have any size and any position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.chunks import chunks

Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def summed_area(maps: NDArray[np.floating]) -> Doubles:
    """Integral images with a leading row and column of zeros: (N, h, w) -> (N, h+1, w+1).

    Crow, "Summed-area tables for texture mapping", 1984.
    """
    table = np.empty((maps.shape[0], maps.shape[1] + 1, maps.shape[2] + 1))
    _fill(table, maps)
    return table


def _fill(table: Doubles, maps: NDArray[np.floating]) -> None:
    """Write the integral images of maps (N, h, w) into `table` (N, h+1, w+1).

    Rows and columns are added one after another, which is several times as fast as `cumsum` along
    an axis of few cells.
    """
    table[:, 0], table[:, :, 0] = 0.0, 0.0
    table[:, 1:, 1:] = maps
    for row in range(2, table.shape[1]):
        table[:, row, 1:] += table[:, row - 1, 1:]
    for column in range(2, table.shape[2]):
        table[:, :, column] += table[:, :, column - 1]


def box_means(table: Doubles, x: Doubles, y: Doubles, width: float, height: float) -> Doubles:
    """Mean of each map inside boxes at all pairs of `y` and `x`, in cells: (N, len(y), len(x)).

    table: see `summed_area`.
    """
    rows = _interpolate(table, y + height, axis=1) - _interpolate(table, y, axis=1)  # (N, Y, w+1)
    sums = _interpolate(rows, x + width, axis=2) - _interpolate(rows, x, axis=2)  # (N, Y, X)
    return sums / (width * height)


@dataclass(frozen=True, slots=True)
class Tables:
    """Integral images of N maps of different shapes, stored in one flat array.

    flat: the values of all tables, row by row. start, rows, columns: (N,) the index of each
    table's first value, and its shape, which includes the leading row and column of zeros.
    """

    flat: NDArray[Any]
    start: Ints
    rows: Ints
    columns: Ints

    def stack(self, which: Ints) -> NDArray[Any]:
        """Return the tables (n, h+1, w+1) of maps of one shape that were joined as one stack."""
        if not len(which):
            return np.zeros((0, 1, 1))
        first = which[0]
        shape = len(which), int(self.rows[first]), int(self.columns[first])
        begin = int(self.start[first])
        stack: NDArray[Any] = self.flat[begin : begin + math.prod(shape)].reshape(shape)
        return stack


def summed_areas(stacks: Sequence[NDArray[np.floating]], order: Sequence[Ints]) -> Tables:
    """Return the integral images of stacks (n, h, w) of maps; `order` as of `joined`.

    They are written to their places a part at a time, since a large class takes much memory.
    """
    shapes = [(len(maps), maps.shape[1] + 1, maps.shape[2] + 1) for maps in stacks]
    flat = np.empty(sum(map(math.prod, shapes)))
    start, rows, columns = (np.zeros(sum(map(len, stacks)), np.int64) for _ in range(3))
    begin = 0
    for maps, shape, indices in zip(stacks, shapes, order, strict=True):
        tables = flat[begin : begin + math.prod(shape)].reshape(shape)
        for part in chunks(len(maps), math.prod(shape[1:])):
            _fill(tables[part], maps[part])
        rows[indices], columns[indices] = shape[1:]
        start[indices] = begin + np.arange(len(maps)) * math.prod(shape[1:])
        begin += math.prod(shape)
    return Tables(flat, start, rows, columns)


def joined(stacks: Sequence[NDArray[Any]], order: Sequence[Ints]) -> Tables:
    """Join stacks (n, h+1, w+1) of tables; `order` (n,) holds the index of each table among all N.

    Tables keep the dtype of the stacks.
    """
    count = sum(map(len, stacks))
    start, rows, columns = (np.zeros(count, np.int64) for _ in range(3))
    begin = 0
    for stack, indices in zip(stacks, order, strict=True):
        rows[indices], columns[indices] = stack.shape[1:]
        start[indices] = begin + np.arange(len(stack)) * (stack.shape[1] * stack.shape[2])
        begin += stack.size
    flat = np.concatenate([stack.ravel() for stack in stacks]) if stacks else np.zeros(0)
    return Tables(flat, start, rows, columns)


def sums_inside(
    tables: Tables, which: Ints, x: Doubles, y: Doubles, width: Doubles, height: Doubles
) -> Doubles:
    """Sums inside M boxes (M,), in cells of the map `which` (M,) that each box is on.

    A box may extend beyond its map, where nothing is added. The results have the same bits as
    those of `box_means`.
    """
    left, right = (_sums_left_of(tables, which, at, y, height) for at in (x, x + width))
    return right - left


def _interpolate(table: Doubles, at: Doubles, axis: int) -> Doubles:
    """Read tables at fractional positions along an axis."""
    at = np.clip(at, 0, table.shape[axis] - 1)
    low = np.minimum(at.astype(np.intp), table.shape[axis] - 2)
    lower = _taken(table, low, axis)
    if (at == low).all():
        return lower
    share = (at - low).reshape([-1 if i == axis else 1 for i in range(table.ndim)])
    read: Doubles = lower + share * (_taken(table, low + 1, axis) - lower)
    return read


def _taken(table: Doubles, indices: NDArray[np.intp], axis: int) -> Doubles:
    """Return what is at some indices of an axis, without a copy if they are consecutive."""
    if len(indices) and (np.diff(indices) == 1).all():
        consecutive = slice(int(indices[0]), int(indices[-1]) + 1)
        return table[tuple(consecutive if i == axis else slice(None) for i in range(table.ndim))]
    return np.take(table, indices, axis=axis)


def _sums_left_of(tables: Tables, which: Ints, x: Doubles, y: Doubles, height: Doubles) -> Doubles:
    """Sums over columns before x and over rows from y to y + height."""
    low, share = _whole_and_share(x, tables.columns[which])
    lower, upper = (_column_sums(tables, which, column, y, height) for column in (low, low + 1))
    return lower + share * (upper - lower)


def _column_sums(tables: Tables, which: Ints, column: Ints, y: Doubles, height: Doubles) -> Doubles:
    """Sums over whole columns before `column`, over rows from y to y + height."""
    below, above = (_interpolate_rows(tables, which, column, at) for at in (y + height, y))
    return below - above


def _interpolate_rows(tables: Tables, which: Ints, column: Ints, y: Doubles) -> Doubles:
    low, share = _whole_and_share(y, tables.rows[which])
    width = tables.columns[which]
    at = tables.start[which] + low * width + column
    lower = tables.flat[at].astype(np.float64)
    read: Doubles = lower + share * (tables.flat[at + width] - lower)
    return read


def _whole_and_share(at: Doubles, length: Ints) -> tuple[Ints, Doubles]:
    """Split a position in a table into the index before it and the share of the way to the next."""
    inside = np.clip(at, 0, length - 1)
    low = np.minimum(inside.astype(np.int64), length - 2)
    return low, inside - low
