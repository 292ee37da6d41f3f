"""The ranges of a class's maps, so that all its images can be coloured on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsel.types import ClassScores

PART_CELLS = 1 << 19
"""Cells of maps that are read at once, which bounds the memory that a large class takes."""


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest finite value of some maps; both 0 without one."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one class's maps, means over the chosen timesteps; see `explorer.Maps`."""

    conditional: Range
    unconditional: Range
    gap: Range
    difference: Range
    combined: Range


def class_ranges(
    scores: ClassScores, columns: Sequence[int], combined: Sequence[NDArray[np.float32]]
) -> Ranges:
    """Compute the ranges over all images of a class; `combined` are its combined maps by bucket."""
    losses: list[Range] = []
    unconditional: list[Range] = []
    gaps: list[Range] = []
    differences: list[Range] = []
    for bucket in scores.buckets:
        for part in _parts(*bucket.gap.shape):
            conditional = _mean(bucket.conditional[part], columns)
            gap = _mean(bucket.gap[part], columns)
            losses.append(_range(conditional))
            unconditional.append(_range(conditional + gap))
            gaps.append(_range(gap))
            differences.append(_range(_mean(bucket.difference[part], columns)))
    return Ranges(
        conditional=_joined(losses),
        unconditional=_joined(unconditional),
        gap=_joined(gaps),
        difference=_joined(differences),
        combined=_joined([_range(maps) for maps in combined]),
    )


def _mean(maps: NDArray[np.float16], columns: Sequence[int]) -> NDArray[np.float32]:
    """Average over some timesteps, (n, T, h, w) -> (n, h, w), map by map to avoid a large copy."""
    mean = np.zeros((len(maps), *maps.shape[2:]), np.float32)
    for column in columns:
        mean += maps[:, column]
    mean /= len(columns)
    return mean


def _range(maps: NDArray[np.float32]) -> Range:
    low, high = float(maps.min()), float(maps.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        numbers = maps[np.isfinite(maps)]
        if not numbers.size:
            return Range(np.inf, -np.inf)
        low, high = float(numbers.min()), float(numbers.max())
    return Range(low, high)


def _joined(ranges: Sequence[Range]) -> Range:
    low = min((one.low for one in ranges), default=np.inf)
    high = max((one.high for one in ranges), default=-np.inf)
    return Range(low, high) if low <= high else Range(0.0, 0.0)


def _parts(images: int, timesteps: int, rows: int, columns: int) -> Iterator[slice]:
    size = max(1, PART_CELLS // max(1, timesteps * rows * columns))
    return (slice(start, start + size) for start in range(0, images, size))
