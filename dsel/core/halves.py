"""The noise of a mean over draws, from the difference between two halves of the draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Halves:
    """The numbers of draws in the two halves."""

    first: int
    second: int

    @property
    def draws(self) -> int:
        """The number of all draws."""
        return self.first + self.second

    @property
    def scale(self) -> float:
        """What the difference between the means of the halves is multiplied by; NaN for one half.

        Means over n and m draws of variance v differ by a number of variance v (n + m) / (n m),
        and the mean over all draws has variance v / (n + m). So the square of the scaled
        difference is an unbiased estimate of the latter: with equal halves, half the difference.
        """
        if not (self.first and self.second):
            return math.nan
        return math.sqrt(self.first * self.second) / self.draws


@dataclass(frozen=True, slots=True)
class Draws:
    """The mean of a map over draws, and its noise: the scaled difference between the halves."""

    mean: Floats
    noise: Floats
    halves: Halves


def in_second_half(draws: range, antithetic: bool) -> list[bool]:
    """Return whether each draw belongs to the second half: every other one.

    Both draws of an antithetic pair belong to the same half, as they are not independent.
    """
    return [bool(draw // 2 % 2 if antithetic else draw % 2) for draw in draws]


def halves_of(draws: range, antithetic: bool) -> Halves:
    """Return how many of these draws are in each half."""
    second = sum(in_second_half(draws, antithetic))
    return Halves(len(draws) - second, second)


def merged(parts: Sequence[Draws]) -> Draws:
    """Return the mean and the noise of several sets of draws together."""
    halves = Halves(sum(p.halves.first for p in parts), sum(p.halves.second for p in parts))
    first, second = zip(*(_sums(part) for part in parts), strict=True)
    sums = sum(first[1:], start=first[0]), sum(second[1:], start=second[0])
    mean = (sums[0] + sums[1]) / np.float32(halves.draws)
    if not (halves.first and halves.second):
        return Draws(mean, np.full_like(mean, np.nan), halves)
    difference = sums[0] / np.float32(halves.first) - sums[1] / np.float32(halves.second)
    return Draws(mean, np.float32(halves.scale) * difference, halves)


def _sums(part: Draws) -> tuple[Floats, Floats]:
    """Return the sums over the draws of each half."""
    n, m = part.halves.first, part.halves.second
    if not (n and m):  # the noise is unknown, and not needed
        return np.float32(n) * part.mean, np.float32(m) * part.mean
    away = np.float32(math.sqrt(n * m)) * part.noise
    return np.float32(n) * part.mean + away, np.float32(m) * part.mean - away
