"""Samples that are spread evenly over many items."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from dsel.patches import Patches
from dsel.types import Patch

T = TypeVar("T")


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return up to `most` items, from the first to the last, evenly apart."""
    count = min(len(items), most)
    return [items[at * (len(items) - 1) // max(count - 1, 1)] for at in range(count)]


def spread_patches(classes: Sequence[Patches], most: int) -> list[Patch]:
    """Return up to `most` of the patches of all classes, evenly apart."""
    starts = [0, *accumulate(map(len, classes))]
    chosen = spread(range(starts[-1]), most)
    of_class = [bisect_right(starts, at) - 1 for at in chosen]
    return [classes[n][at - starts[n]] for n, at in zip(of_class, chosen, strict=True)]
