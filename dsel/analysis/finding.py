"""Find images of a run: filters over columns, in an order, one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.image_columns import Flags, ImageColumns, Ints
from dsel.analysis.listing import MOST_ROWS, Page, page_of
from dsel.errors import unknown

Status: TypeAlias = Literal[
    "scored", "kept", "not_kept", "pinned", "banned", "moved", "copy", "skipped", "any"
]
Hit: TypeAlias = Literal["any", "hit", "miss"]
FindSort: TypeAlias = Literal["score", "margin", "error", "rank", "looks", "name"]

ANY_OTHER: Final = -2
"""In `Filter.looks`: like any other class."""

OFF: Final = -1


@dataclass(frozen=True, slots=True)
class Span:
    """A range of values, both ends included; None leaves an end open."""

    low: float | None = None
    high: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds every value, also an unknown one."""
        return self.low is None and self.high is None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which images to find; all conditions must hold.

    text: words that the id contains. classes: their indices, all if there are none. score: the one
    that ranks. near_duplicates: only images with one in their class. looks: only images whose
    patch's features are nearer to this other class than to their own, `ANY_OTHER` for any, `OFF`
    for all images.
    """

    text: str = ""
    classes: tuple[int, ...] = ()
    status: Status = "scored"
    score: Span = Span()
    margin: Span = Span()
    error: Span = Span()
    hit: Hit = "any"
    near_duplicates: bool = False
    looks: int = OFF


@dataclass(frozen=True, slots=True)
class Order:
    """The order of what is found, and the page of it.

    Scores, margins, errors and likenesses fall, ranks and names rise; `backwards` reverses that.
    What is unknown comes last.
    """

    sort: FindSort = "score"
    backwards: bool = False
    page: int = 0
    rows: int = MOST_ROWS


def find(columns: ImageColumns, wanted: Filter) -> Ints:
    """Return the rows of the images that a filter lets through, in dataset order."""
    if wanted.status not in _STATUS:
        raise unknown("status", wanted.status, _STATUS)
    of_class, known = columns.images.class_index, columns.ready[columns.images.class_index]
    found = _STATUS[wanted.status](columns) & known
    if wanted.classes:
        chosen = np.zeros(len(columns.ready), bool)
        chosen[list(wanted.classes)] = True
        found &= chosen[of_class]
    for name in ("score", "margin", "error"):
        _narrow(found, getattr(columns, name), getattr(wanted, name))
    if wanted.hit != "any":
        found &= columns.hit == (wanted.hit == "hit")
    if wanted.near_duplicates:
        found &= columns.twin >= 0
    if wanted.looks != OFF:
        found &= _looks(columns, wanted.looks)
    if wanted.text.strip():
        found &= columns.images.matching(wanted.text)
    return np.flatnonzero(found)


def ordered(columns: ImageColumns, rows: Ints, order: Order) -> Ints:
    """Return rows in an order; equal ones keep the order of the dataset."""
    if order.sort not in _KEYS:
        raise unknown("order", order.sort, _KEYS)
    key = np.asarray(_KEYS[order.sort](columns)[rows], np.float64)
    if (order.sort not in _RISING) != order.backwards:
        key = -key
    return rows[np.argsort(key, kind="stable")]  # NaN comes last


def found_page(columns: ImageColumns, wanted: Filter, order: Order) -> Page[int]:
    """Return a page of the rows that a filter lets through."""
    rows = ordered(columns, find(columns, wanted), order)
    shown = page_of(range(len(rows)), order.page, order.rows)
    return Page(tuple(rows[list(shown.rows)].tolist()), shown.page, shown.pages, shown.total)


def _narrow(found: Flags, values: NDArray[np.float32], span: Span) -> None:
    """Leave out, in place, what is outside a range, and what is unknown."""
    if span.low is not None:
        found &= values >= span.low
    if span.high is not None:
        found &= values <= span.high


def _looks(columns: ImageColumns, looks: int) -> Flags:
    if not columns.complete:
        return np.zeros(len(columns.images), bool)
    likeness = columns.likeness
    nearer: Flags = likeness.lead > 0
    return nearer if looks == ANY_OTHER else nearer & (likeness.other == looks)


def _ranks(columns: ImageColumns) -> NDArray[np.float64]:
    return np.where(columns.rank >= 0, columns.rank, np.nan)


def _leads(columns: ImageColumns) -> NDArray[np.floating]:
    return columns.likeness.lead if columns.complete else np.zeros(len(columns.images))


_STATUS: Final[Mapping[str, Callable[[ImageColumns], Flags]]] = {
    "scored": lambda columns: columns.images.is_scored.copy(),
    "kept": lambda columns: columns.kept.copy(),
    "not_kept": lambda columns: columns.images.is_scored & ~columns.kept,
    "pinned": lambda columns: columns.pinned.copy(),
    "banned": lambda columns: columns.banned.copy(),
    "moved": lambda columns: columns.moved.copy(),
    "copy": lambda columns: columns.copy.copy(),
    "skipped": lambda columns: ~columns.images.is_scored,
    "any": lambda columns: np.ones(len(columns.images), bool),
}
_KEYS: Final[Mapping[str, Callable[[ImageColumns], NDArray[Any]]]] = {
    "score": lambda columns: columns.score,
    "margin": lambda columns: columns.margin,
    "error": lambda columns: columns.error,
    "rank": _ranks,
    "looks": _leads,
    "name": lambda columns: np.arange(len(columns.images)),
}
_RISING: Final = ("rank", "name")
