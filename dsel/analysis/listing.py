"""Rows of a class, one page at a time: its gallery, skipped images, clusters and changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.comparison import Change, Comparison
from dsel.analysis.patch_view import PatchView, by_image, patch_views
from dsel.config import SelectSettings
from dsel.core.best_patches import ranking_scores
from dsel.errors import SettingError, unknown
from dsel.patches import ClassImages, Patches
from dsel.runs.schema import ImageRow
from dsel.types import ClassSelection

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


def list_patches(
    selected: ClassSelection, images: ClassImages, settings: SelectSettings, view: Listing
) -> Page[PatchView]:
    """Return a page of a class's patches."""
    if view.sort not in _KEYS:
        raise unknown("order", view.sort, _KEYS)
    ranks = _ordered(selected.patches, view)
    page = _page_of(selected.patches, ranks, view)
    shown = page_of(ranks, page, view.rows)
    views = patch_views(selected, images, settings, shown.rows)
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
    return page_of(skipped, page, rows)


def list_changes(
    comparison: Comparison, a: Side, b: Side, images: ClassImages, view: Changing
) -> Page[ChangeRow]:
    """Return a page of the images of a class, by how much two selections differ on them."""
    if view.keeping not in _KEEPING:
        raise unknown("way of keeping", view.keeping, _KEEPING)
    changes = comparison.changes
    chosen = np.zeros(len(changes), bool)
    for kept_a, kept_b in _KEEPING[view.keeping]:
        chosen |= (changes.kept_a == kept_a) & (changes.kept_b == kept_b)
    for wanted, clusters in (
        (view.cluster_a, changes.cluster_a),
        (view.cluster_b, changes.cluster_b),
    ):
        chosen &= (wanted == -1) | (clusters == wanted)
    rows = np.flatnonzero(chosen)
    if view.backwards:
        rows = rows[np.argsort(-changes.overlap[rows], kind="stable")]
    shown = page_of(rows.tolist(), view.page, view.rows)
    found = change_rows([changes[row] for row in shown.rows], a, b, images)
    return Page(found, shown.page, shown.pages, shown.total)


def change_rows(
    changes: Sequence[Change], a: Side, b: Side, images: ClassImages
) -> tuple[ChangeRow, ...]:
    """Describe some images of a comparison with all their patches on both sides."""
    ids = {change.image_id for change in changes}
    views_a, views_b = (_views_of(side, ids, images) for side in (a, b))
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
    selected: ClassSelection, images: ClassImages, settings: SelectSettings
) -> tuple[ClusterCard, ...]:
    """Return a card of each cluster, in their order."""
    clusters = np.unique(selected.patches.cluster).tolist()
    return tuple(_card(selected, images, settings, cluster) for cluster in clusters)


def cluster_counts(
    selected: ClassSelection, image_ids: Collection[str] | None = None
) -> Mapping[int, int]:
    """Count the patches of these images, or of all, in each cluster, 0 for clusters without any."""
    patches = selected.patches
    inside = slice(None) if image_ids is None else patches.of_images(image_ids)
    clusters, place = np.unique(patches.cluster, return_inverse=True)
    counts = np.bincount(place[inside], minlength=len(clusters))
    return dict(zip(clusters.tolist(), counts.tolist(), strict=True))


def page_of(items: Sequence[T], page: int, rows: int) -> Page[T]:
    """Return a page of items."""
    if not 1 <= rows <= MOST_ROWS:
        raise SettingError(f"rows of a page must be between 1 and {MOST_ROWS}, got {rows}")
    pages = max(1, math.ceil(len(items) / rows))
    page = min(max(page, 0), pages - 1)
    return Page(tuple(items[page * rows : (page + 1) * rows]), page, pages, len(items))


_KEYS: Final[Mapping[str, Callable[[Patches], NDArray[Any]]]] = {
    "rank": lambda patches: np.arange(len(patches)),
    "score": lambda patches: patches.score,
    "picture_score": lambda patches: patches.picture_score,
    "margin": lambda patches: patches.margin,
    "cluster": lambda patches: patches.cluster,
    "name": lambda patches: _places(patches.ids)[patches.image],
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


def _ordered(patches: Patches, view: Listing) -> list[int]:
    """Return the ranks of the patches that are listed, in the order of the view."""
    chosen = np.ones(len(patches), bool)
    if view.cluster != -1:
        chosen &= patches.cluster == view.cluster
    if view.image_ids is not None:
        chosen &= patches.of_images(view.image_ids)
    ranks, key = np.flatnonzero(chosen), _KEYS[view.sort](patches)[chosen]
    last = np.isnan(key) if view.sort == "margin" else np.zeros(len(ranks), bool)
    falling = view.backwards != (view.sort in _FALLING)
    # Stable, so that equal patches keep their order, by rank, in both directions.
    order = np.argsort(-key[~last] if falling else key[~last], kind="stable")
    listed: list[int] = np.concatenate([ranks[~last][order], ranks[last]]).tolist()
    return listed


def _places(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each id among all of them in the order of names."""
    places = np.empty(len(ids), np.int64)
    places[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids))
    return places


def _views_of(
    side: Side, image_ids: Collection[str], images: ClassImages
) -> Mapping[str, tuple[PatchView, ...]]:
    """Describe the patches of these images on one side, by rank."""
    ranks = np.flatnonzero(side.selected.patches.of_images(image_ids)).tolist()
    return by_image(patch_views(side.selected, images, side.settings, ranks))


def _card(
    selected: ClassSelection, images: ClassImages, settings: SelectSettings, cluster: int
) -> ClusterCard:
    patches = selected.patches
    ranks = np.flatnonzero(patches.cluster == cluster)
    score = ranking_scores(patches, settings)[ranks]
    orders = (np.argsort(key, kind="stable") for key in (-score, patches.distance[ranks]))
    best, central = (ranks[order[:CARD_ROWS]].tolist() for order in orders)
    return ClusterCard(
        cluster=cluster,
        size=len(ranks),
        kept=int(np.isin(ranks, list(selected.kept(settings.ipc))).sum()),
        median_score=float(np.median(score)),
        discriminative=patch_views(selected, images, settings, best),
        central=patch_views(selected, images, settings, central),
    )


def _page_of(patches: Patches, ranks: Sequence[int], view: Listing) -> int:
    """Return the page of the image `holding`, or else the requested one."""
    if not view.holding:
        return view.page
    found = np.flatnonzero(np.isin(ranks, patches.of_image(view.holding)))
    return int(found[0]) // max(view.rows, 1) if len(found) else view.page
