"""Rows of a class, a page at a time: its gallery, its skipped images, what two settings change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.comparison import Change, Comparison
from dsel.errors import SettingError, unknown
from dsel.runs.schema import ImageRow
from dsel.types import Box, ClassSelection, Frame, Patch

T = TypeVar("T")
Sort: TypeAlias = Literal["rank", "score", "margin", "cluster", "name"]
Keeping: TypeAlias = Literal["any", "both", "a", "b", "neither"]

MOST_ROWS: Final = 100
"""Rows on a page at most: pictures beyond that make a page slow."""

CARD_ROWS: Final = 6
"""Patches that a cluster's card shows of a kind, at most."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which rows are wanted, and in what order.

    Every order has its natural sense (highest score first, but lowest rank first), which
    `backwards` turns round; patches without a margin come last either way. cluster: of this cluster
    alone, all for -1. image_ids: of these images alone, all for None. page counts from 0; where
    the rows have the image `holding`, it is the page that holds it.
    """

    sort: Sort = "rank"
    backwards: bool = False
    cluster: int = -1
    image_ids: Collection[str] | None = None
    page: int = 0
    rows: int = MOST_ROWS
    holding: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One patch of the gallery, in a proxy of this size.

    images: the distilled images among the first IPC ones that it is part of, numbered from 0.
    """

    patch: Patch
    width_px: int
    height_px: int
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """An image that was not scored, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of `total` rows: those of the `page`-th of so many pages, from 0.

    The page is the nearest to the one asked for that there is; with no rows there is one, empty.
    """

    rows: tuple[T, ...]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Changing:
    """Which changes are wanted: of images of these clusters, of all for -1, and kept like this.

    keeping: in both distilled sets, in a or b alone, in neither. Those that agree least come first,
    or last if `backwards`. page counts from 0.
    """

    cluster_a: int = -1
    cluster_b: int = -1
    keeping: Keeping = "any"
    backwards: bool = False
    page: int = 0
    rows: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What becomes of an image, with all of its boxes in both, in a proxy of this size."""

    change: Change
    boxes_a: tuple[Box, ...]
    boxes_b: tuple[Box, ...]
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """A cluster at a glance: its most discriminative and its most central patches, best first."""

    cluster: int
    size: int
    kept: int
    median_score: float
    discriminative: tuple[Patch, ...]
    central: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """What a plot shows of each of N images: its patch of the best rank.

    cluster and rank: (N,) int32, -1 for an image that has no patch. score: (N,), box: (N, 4), its
    x, y, width and height in proxy pixels; both nan for no patch. kept: (N,) uint8, 1 where any of
    the image's patches is among the first IPC images.
    """

    cluster: NDArray[np.int32]
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    box: NDArray[np.float32]
    kept: NDArray[np.uint8]


def list_patches(
    selected: ClassSelection, frames: Mapping[str, Frame], ipc: int, view: Listing
) -> Page[Row]:
    """A page of a class's patches; `frames` by image id."""
    if view.sort not in _KEYS:
        raise unknown("order", view.sort, _KEYS)
    wanted = view.image_ids if view.image_ids is None else frozenset(view.image_ids)
    patches = [
        (place, patch)
        for place, patch in enumerate(selected.patches)
        if view.cluster in (-1, patch.cluster) and (wanted is None or patch.image_id in wanted)
    ]
    key = _KEYS[view.sort]
    last = [one for one in patches if view.sort == "margin" and math.isnan(one[1].margin)]
    if last:
        patches = [one for one in patches if not math.isnan(one[1].margin)]
    # Python's sort keeps equal ones in their order, forwards and backwards: by rank.
    patches.sort(key=lambda one: key(one[1]), reverse=view.backwards != (view.sort in _FALLING))
    shown = _page([*patches, *last], _page_of([*patches, *last], view), view.rows)
    images = selected.kept(ipc)
    rows = (
        Row(patch, *_sides(frames[patch.image_id]), images.get(place, ()))
        for place, patch in shown.rows
    )
    return Page(tuple(rows), shown.page, shown.pages, shown.total)


def list_skipped(
    images: Iterable[ImageRow], class_index: int, page: int = 0, rows: int = MOST_ROWS
) -> Page[SkippedRow]:
    """A page of a class's images that were not scored, in dataset order."""
    skipped = [
        SkippedRow(image.id, image.reason)
        for image in images
        if image.class_index == class_index and image.row < 0
    ]
    return _page(skipped, page, rows)


def list_changes(
    comparison: Comparison,
    a: ClassSelection,
    b: ClassSelection,
    frames: Mapping[str, Frame],
    view: Changing,
) -> Page[ChangeRow]:
    """A page of what differs between two selections of a class; `frames` by image id."""
    if view.keeping not in _KEEPING:
        raise unknown("way of keeping", view.keeping, _KEEPING)
    changes = [
        change
        for change in comparison.changes
        if _in_cluster(change.a, view.cluster_a)
        and _in_cluster(change.b, view.cluster_b)
        and (change.kept_a, change.kept_b) in _KEEPING[view.keeping]
    ]
    if view.backwards:
        changes.sort(key=lambda change: -change.overlap)
    shown = _page(changes, view.page, view.rows)
    return Page(_change_rows(shown.rows, a, b, frames), shown.page, shown.pages, shown.total)


def change_row(
    comparison: Comparison,
    a: ClassSelection,
    b: ClassSelection,
    frames: Mapping[str, Frame],
    image_id: str,
) -> ChangeRow | None:
    """What becomes of one image; None where it has no patch in either."""
    found = [change for change in comparison.changes if change.image_id == image_id]
    return next(iter(_change_rows(found, a, b, frames)), None)


def cluster_cards(selected: ClassSelection, ipc: int) -> tuple[ClusterCard, ...]:
    """A card of each cluster, in their order."""
    members: dict[int, list[Patch]] = {}
    for patch in selected.patches:
        members.setdefault(patch.cluster, []).append(patch)
    kept = Counter(selected.patches[place].cluster for place in selected.kept(ipc))
    return tuple(_card(cluster, members[cluster], kept[cluster]) for cluster in sorted(members))


def cluster_counts(selected: ClassSelection, image_ids: Collection[str]) -> Mapping[int, int]:
    """How many patches of these images each cluster has; clusters of none count 0."""
    wanted = frozenset(image_ids)
    counts = dict.fromkeys(sorted({patch.cluster for patch in selected.patches}), 0)
    for patch in selected.patches:
        counts[patch.cluster] += patch.image_id in wanted
    return counts


def marks_of(selected: ClassSelection, image_ids: Sequence[str], ipc: int) -> Marks:
    """What a plot shows of these images."""
    count = len(image_ids)
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    cluster, rank = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    score, box = np.full(count, np.nan, np.float32), np.full((count, 4), np.nan, np.float32)
    for patch in reversed(selected.patches):  # an image's best patch is set last
        row, corner = row_of[patch.image_id], patch.box
        cluster[row], rank[row], score[row] = patch.cluster, patch.rank, patch.score
        box[row] = corner.x, corner.y, corner.width, corner.height
    kept = np.zeros(count, np.uint8)
    kept[[row_of[selected.patches[place].image_id] for place in selected.kept(ipc)]] = 1
    return Marks(cluster, rank, score, box, kept)


_KEYS: Final[Mapping[str, Callable[[Patch], float | str]]] = {
    "rank": lambda patch: patch.rank,
    "score": lambda patch: patch.score,
    "margin": lambda patch: patch.margin,
    "cluster": lambda patch: patch.cluster,
    "name": lambda patch: patch.image_id,
}
_FALLING: Final = ("score", "margin")
_KEEPING: Final[Mapping[str, Collection[tuple[bool, bool]]]] = {
    "any": ((False, False), (False, True), (True, False), (True, True)),
    "both": ((True, True),),
    "a": ((True, False),),
    "b": ((False, True),),
    "neither": ((False, False),),
}
"""Kept in A, kept in B."""


def _in_cluster(patch: Patch | None, cluster: int) -> bool:
    return cluster == -1 or (patch is not None and patch.cluster == cluster)


def _change_rows(
    changes: Sequence[Change],
    a: ClassSelection,
    b: ClassSelection,
    frames: Mapping[str, Frame],
) -> tuple[ChangeRow, ...]:
    boxes_a, boxes_b = _boxes_of(a), _boxes_of(b)
    return tuple(
        ChangeRow(
            change,
            boxes_a.get(change.image_id, ()),
            boxes_b.get(change.image_id, ()),
            *_sides(frames[change.image_id]),
        )
        for change in changes
    )


def _boxes_of(selected: ClassSelection) -> Mapping[str, tuple[Box, ...]]:
    """Each image's boxes, by rank."""
    found: dict[str, tuple[Box, ...]] = {}
    for patch in selected.patches:
        found[patch.image_id] = (*found.get(patch.image_id, ()), patch.box)
    return found


def _card(cluster: int, patches: Sequence[Patch], kept: int) -> ClusterCard:
    discriminative = sorted(patches, key=lambda patch: -patch.score)
    central = sorted(patches, key=lambda patch: patch.distance)
    return ClusterCard(
        cluster=cluster,
        size=len(patches),
        kept=kept,
        median_score=median(patch.score for patch in patches),
        discriminative=tuple(discriminative[:CARD_ROWS]),
        central=tuple(central[:CARD_ROWS]),
    )


def _page(items: Sequence[T], page: int, rows: int) -> Page[T]:
    if not 1 <= rows <= MOST_ROWS:
        raise SettingError(f"rows of a page must be between 1 and {MOST_ROWS}, got {rows}")
    pages = max(1, math.ceil(len(items) / rows))
    page = min(max(page, 0), pages - 1)
    return Page(tuple(items[page * rows : (page + 1) * rows]), page, pages, len(items))


def _page_of(patches: Sequence[tuple[int, Patch]], view: Listing) -> int:
    places = (n for n, (_, patch) in enumerate(patches) if patch.image_id == view.holding)
    place = next(places, -1) if view.holding else -1
    return view.page if place < 0 else place // max(view.rows, 1)


def _sides(frame: Frame) -> tuple[int, int]:
    return frame.proxy_width, frame.proxy_height
