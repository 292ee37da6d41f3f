"""Sums of maps inside boxes, where each map has a shape and each box a size of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tables:
    """Summed-area tables of N maps, one behind the other.

    flat: the numbers of all tables, row by row. start, rows, columns: (N,) where each one begins,
    and its sides, with its leading row and column of zeros.
    """

    flat: NDArray[Any]
    start: Ints
    rows: Ints
    columns: Ints


def joined(stacks: Sequence[NDArray[Any]], order: Sequence[Ints]) -> Tables:
    """Tables out of stacks (n, h+1, w+1) of them; `order` (n,) says which of all N each one is."""
    count = sum(map(len, stacks))
    start, rows, columns = (np.zeros(count, np.int64) for _ in range(3))
    begin = 0
    for stack, places in zip(stacks, order, strict=True):
        rows[places], columns[places] = stack.shape[1:]
        start[places] = begin + np.arange(len(stack)) * (stack.shape[1] * stack.shape[2])
        begin += stack.size
    flat = np.concatenate([stack.ravel() for stack in stacks]) if stacks else np.zeros(0)
    return Tables(flat, start, rows, columns)


def sums_inside(
    tables: Tables, which: Ints, x: Doubles, y: Doubles, width: Doubles, height: Doubles
) -> Doubles:
    """Sums inside boxes (M,), in cells of the map `which` (M,) that each one lies on.

    A box may lie beyond its map in part, where there is nothing to add. As `box_means`
    does, it reads the table at fractional positions by linear interpolation.
    """
    left, right = (_column(tables, which, at, y, height) for at in (x, x + width))
    return right - left


def _column(tables: Tables, which: Ints, x: Doubles, y: Doubles, height: Doubles) -> Doubles:
    """The sums left of x, from y on down to y + height."""
    low, share = _split(x, tables.columns[which])
    lower, upper = (_difference(tables, which, column, y, height) for column in (low, low + 1))
    return lower + share * (upper - lower)


def _difference(tables: Tables, which: Ints, column: Ints, y: Doubles, height: Doubles) -> Doubles:
    return _read(tables, which, column, y + height) - _read(tables, which, column, y)


def _read(tables: Tables, which: Ints, column: Ints, y: Doubles) -> Doubles:
    low, share = _split(y, tables.rows[which])
    width = tables.columns[which]
    at = tables.start[which] + low * width + column
    lower = tables.flat[at].astype(np.float64)
    read: Doubles = lower + share * (tables.flat[at + width] - lower)
    return read


def _split(at: Doubles, length: Ints) -> tuple[Ints, Doubles]:
    """A position in a table as the whole one below it and the share of the way to the next."""
    inside = np.clip(at, 0, length - 1)
    low = np.minimum(inside.astype(np.int64), length - 2)
    return low, inside - low
