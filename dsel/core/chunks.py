"""Slices of a long computation whose intermediate arrays fit the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

AT_ONCE = 1 << 17
"""Numbers per slice; this also bounds the memory that intermediate arrays take."""


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of `count` items of `size` numbers, about `AT_ONCE` numbers each; at least one.

    Without items the one slice is empty, so that callers need no special case for empty classes.
    """
    step = max(1, AT_ONCE // max(size, 1))
    return (slice(start, start + step) for start in range(0, max(count, 1), step))
