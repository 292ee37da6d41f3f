"""Rows of a class, one page at a time: its gallery, skipped images, clusters and changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.comparison import Change, Comparison
from dsel.analysis.patch_view import (
    PatchView,
    by_image,
    patch_views,
    ranking_error,
    ranking_score,
)
from dsel.config import SelectSettings
from dsel.errors import SettingError, unknown
from dsel.runs.schema import ImageRow
from dsel.types import ClassScores, ClassSelection, Patch

T = TypeVar("T")
Sort: TypeAlias = Literal["rank", "score", "picture_score", "margin", "cluster", "name"]
Keeping: TypeAlias = Literal["any", "both", "a", "b", "neither"]

MOST_ROWS: Final = 100
"""Rows of a page at most: more images make the app slow."""

CARD_ROWS: Final = 6
"""Patches of each kind on the card of a cluster, at most."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Which patches to list, and in what order.

    Each order has its natural direction (highest score first, but lowest rank first), which
    `backwards` reverses; patches without a margin always come last. cluster: only this one, -1 for
    all. image_ids: only of these images, None for all. page counts from 0; if the rows contain the
    image `holding`, its page is taken instead.
    """

    sort: Sort = "rank"
    backwards: bool = False
    cluster: int = -1
    image_ids: Collection[str] | None = None
    page: int = 0
    rows: int = MOST_ROWS
    holding: str = ""


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """An image that was not scored, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of `total` rows: one of `pages` pages, counted from 0.

    A page that does not exist is replaced by the nearest one; without rows there is one empty page.
    """

    rows: tuple[T, ...]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Changing:
    """Which changes to list: of images of these clusters, -1 for all, and kept in these sets.

    keeping: in both distilled sets, in a or b only, in neither. Those that agree least come first,
    or last with `backwards`. page counts from 0.
    """

    cluster_a: int = -1
    cluster_b: int = -1
    keeping: Keeping = "any"
    backwards: bool = False
    page: int = 0
    rows: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Side:
    """One of two selections that are compared, with the settings behind it."""

    selected: ClassSelection
    settings: SelectSettings


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """All patches of an image in A and in B, by rank; overlap as in `Change`."""

    image_id: str
    overlap: float
    a: tuple[PatchView, ...]
    b: tuple[PatchView, ...]
    kept_a: bool
    kept_b: bool


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """A cluster at a glance: its most discriminative and its most central patches, best first.

    median_score: of the scores that patches are ranked by.
    """

    cluster: int
    size: int
    kept: int
    median_score: float
    discriminative: tuple[PatchView, ...]
    central: tuple[PatchView, ...]


@dataclass(frozen=True, slots=True)
class BestPatches:
    """The patch of the best rank of each of N images, as arrays for a plot.

    cluster and rank: (N,) int32, -1 for an image without a patch. score: (N,), the one that ranks,
    its standard error, and box: (N, 4), x, y, width and height in proxy pixels; all NaN without a
    patch. kept: (N,) uint8, 1 if any patch of the image is among the first IPC distilled images.
    """

    cluster: NDArray[np.int32]
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    standard_error: NDArray[np.float32]
    box: NDArray[np.float32]
    kept: NDArray[np.uint8]


def list_patches(
    selected: ClassSelection, scores: ClassScores, settings: SelectSettings, view: Listing
) -> Page[PatchView]:
    """Return a page of a class's patches."""
    if view.sort not in _KEYS:
        raise unknown("order", view.sort, _KEYS)
    wanted = view.image_ids if view.image_ids is None else frozenset(view.image_ids)
    patches = [
        patch
        for patch in selected.patches
        if view.cluster in (-1, patch.cluster) and (wanted is None or patch.image_id in wanted)
    ]
    key = _KEYS[view.sort]
    last = [one for one in patches if view.sort == "margin" and math.isnan(one.margin)]
    if last:
        patches = [one for one in patches if not math.isnan(one.margin)]
    # A stable sort keeps equal patches in their order, by rank, in both directions.
    patches.sort(key=key, reverse=view.backwards != (view.sort in _FALLING))
    ordered = [*patches, *last]
    shown = _page(ordered, _page_of(ordered, view), view.rows)
    views = patch_views(selected, scores, settings, [patch.rank for patch in shown.rows])
    return Page(views, shown.page, shown.pages, shown.total)


def list_skipped(
    images: Iterable[ImageRow], class_index: int, page: int = 0, rows: int = MOST_ROWS
) -> Page[SkippedRow]:
    """Return a page of a class's images that were not scored, in dataset order."""
    skipped = [
        SkippedRow(image.id, image.reason)
        for image in images
        if image.class_index == class_index and image.row < 0
    ]
    return _page(skipped, page, rows)


def list_changes(
    comparison: Comparison, a: Side, b: Side, scores: ClassScores, view: Changing
) -> Page[ChangeRow]:
    """Return a page of the images of a class, by how much two selections differ on them."""
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
    return Page(change_rows(shown.rows, a, b, scores), shown.page, shown.pages, shown.total)


def change_rows(
    changes: Sequence[Change], a: Side, b: Side, scores: ClassScores
) -> tuple[ChangeRow, ...]:
    """Describe some images of a comparison with all their patches on both sides."""
    ids = {change.image_id for change in changes}
    views_a, views_b = (_views_of(side, ids, scores) for side in (a, b))
    return tuple(
        ChangeRow(
            image_id=change.image_id,
            overlap=change.overlap,
            a=views_a.get(change.image_id, ()),
            b=views_b.get(change.image_id, ()),
            kept_a=change.kept_a,
            kept_b=change.kept_b,
        )
        for change in changes
    )


def cluster_cards(
    selected: ClassSelection, scores: ClassScores, settings: SelectSettings
) -> tuple[ClusterCard, ...]:
    """Return a card of each cluster, in their order."""
    views = patch_views(selected, scores, settings)
    members: dict[int, list[Patch]] = {}
    for patch in selected.patches:
        members.setdefault(patch.cluster, []).append(patch)
    return tuple(_card(members[cluster], views, settings) for cluster in sorted(members))


def cluster_counts(selected: ClassSelection, image_ids: Collection[str]) -> Mapping[int, int]:
    """Count the patches of these images in each cluster, 0 for clusters without any."""
    wanted = frozenset(image_ids)
    counts = dict.fromkeys(sorted({patch.cluster for patch in selected.patches}), 0)
    for patch in selected.patches:
        counts[patch.cluster] += patch.image_id in wanted
    return counts


def best_patches(
    selected: ClassSelection, image_ids: Sequence[str], settings: SelectSettings
) -> BestPatches:
    """Gather the patch of the best rank of each of these images."""
    count = len(image_ids)
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    cluster, rank = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    score, error = np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32)
    box = np.full((count, 4), np.nan, np.float32)
    for patch in reversed(selected.patches):  # an image's best patch is set last
        row, corner = row_of[patch.image_id], patch.box
        cluster[row], rank[row] = patch.cluster, patch.rank
        score[row] = ranking_score(patch, settings)
        error[row] = ranking_error(patch, settings)
        box[row] = corner.x, corner.y, corner.width, corner.height
    kept = np.zeros(count, np.uint8)
    kept[[row_of[selected.patches[rank].image_id] for rank in selected.kept(settings.ipc)]] = 1
    return BestPatches(cluster, rank, score, error, box, kept)


_KEYS: Final[Mapping[str, Callable[[Patch], float | str]]] = {
    "rank": lambda patch: patch.rank,
    "score": lambda patch: patch.score,
    "picture_score": lambda patch: patch.picture_score,
    "margin": lambda patch: patch.margin,
    "cluster": lambda patch: patch.cluster,
    "name": lambda patch: patch.image_id,
}
_FALLING: Final = ("score", "picture_score", "margin")
_KEEPING: Final[Mapping[str, Collection[tuple[bool, bool]]]] = {
    "any": ((False, False), (False, True), (True, False), (True, True)),
    "both": ((True, True),),
    "a": ((True, False),),
    "b": ((False, True),),
    "neither": ((False, False),),
}
"""Whether the image is kept in A, and in B."""


def _in_cluster(patch: Patch | None, cluster: int) -> bool:
    return cluster == -1 or (patch is not None and patch.cluster == cluster)


def _views_of(
    side: Side, image_ids: Collection[str], scores: ClassScores
) -> Mapping[str, tuple[PatchView, ...]]:
    """Describe the patches of these images on one side, by rank."""
    ranks = [patch.rank for patch in side.selected.patches if patch.image_id in image_ids]
    return by_image(patch_views(side.selected, scores, side.settings, ranks))


def _card(
    patches: Sequence[Patch], views: Sequence[PatchView], settings: SelectSettings
) -> ClusterCard:
    by_score = sorted(patches, key=lambda patch: -ranking_score(patch, settings))
    central = sorted(patches, key=lambda patch: patch.distance)[:CARD_ROWS]
    return ClusterCard(
        cluster=patches[0].cluster,
        size=len(patches),
        kept=sum(bool(views[patch.rank].kept) for patch in patches),
        median_score=median(ranking_score(patch, settings) for patch in patches),
        discriminative=tuple(views[patch.rank] for patch in by_score[:CARD_ROWS]),
        central=tuple(views[patch.rank] for patch in central),
    )


def _page(items: Sequence[T], page: int, rows: int) -> Page[T]:
    if not 1 <= rows <= MOST_ROWS:
        raise SettingError(f"rows of a page must be between 1 and {MOST_ROWS}, got {rows}")
    pages = max(1, math.ceil(len(items) / rows))
    page = min(max(page, 0), pages - 1)
    return Page(tuple(items[page * rows : (page + 1) * rows]), page, pages, len(items))


def _page_of(patches: Sequence[Patch], view: Listing) -> int:
    """Return the page of the image `holding`, or else the requested one."""
    if view.holding:
        for position, patch in enumerate(patches):
            if patch.image_id == view.holding:
                return position // max(view.rows, 1)
    return view.page
