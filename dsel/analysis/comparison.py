"""Two selections side by side: overlap of their boxes, moves between clusters, kept patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from dsel.patches import Boxes, Doubles, Ints, Patches
from dsel.types import ClassSelection, Patch

SAME_BOX: Final = 0.5
"""Boxes of one image that overlap by more than this are the same choice."""


@dataclass(frozen=True, slots=True)
class Change:
    """How one image differs from A to B.

    overlap: of its boxes in A with its boxes in B, intersection over union; 0 where it has none in
    one of them. a and b: its first patch by rank, None where it has none. kept_a and kept_b:
    whether a patch of it is kept.
    """

    image_id: str
    overlap: float
    a: Patch | None
    b: Patch | None
    kept_a: bool
    kept_b: bool


@dataclass(frozen=True, slots=True, eq=False)
class Changes(Sequence[Change]):
    """N images under A and B as columns; a `Change` is made when it is asked for.

    a and b: the patches of both sides, which the selections share. first_a and first_b: (N,) the
    position of each image's first patch among them, -1 where it has none. The other columns, (N,),
    are those of `Change`.
    """

    ids: tuple[str, ...]
    a: Patches
    b: Patches
    first_a: Ints
    first_b: Ints
    overlap: Doubles
    kept_a: NDArray[np.bool_]
    kept_b: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Change: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Change, ...]: ...
    def __getitem__(self, at: int | slice) -> Change | tuple[Change, ...]:
        if isinstance(at, slice):
            return tuple(self[row] for row in range(*at.indices(len(self))))
        first_a, first_b = int(self.first_a[at]), int(self.first_b[at])
        return Change(
            image_id=self.ids[at],
            overlap=float(self.overlap[at]),
            a=self.a[first_a] if first_a >= 0 else None,
            b=self.b[first_b] if first_b >= 0 else None,
            kept_a=bool(self.kept_a[at]),
            kept_b=bool(self.kept_b[at]),
        )

    @property
    def cluster_a(self) -> Ints:
        """The cluster of each image's first patch in A, -1 where it has none, (N,)."""
        return _cluster(self.a, self.first_a)

    @property
    def cluster_b(self) -> Ints:
        """The cluster of each image's first patch in B, -1 where it has none, (N,)."""
        return _cluster(self.b, self.first_b)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns; ids and patches are those of the selections."""
        columns = self.first_a, self.first_b, self.overlap, self.kept_a, self.kept_b
        return sum(column.nbytes for column in columns) + 8 * len(self.ids)


@dataclass(frozen=True, slots=True)
class KeptOverlap:
    """How much of two distilled sets is the same, counted in distinct patches.

    same_images: patches of A with a patch of the same image in B. same_boxes: those whose cuts
    overlap by more than `SAME_BOX`. Shares are of the larger set.
    """

    a: int
    b: int
    same_images: int
    same_boxes: int

    @property
    def image_share(self) -> float:
        """Share of the set that shows the same images; NaN if both are empty."""
        return _share(self.same_images, max(self.a, self.b))

    @property
    def box_share(self) -> float:
        """Share of the set that shows the same parts of the same images; NaN if both are empty."""
        return _share(self.same_boxes, max(self.a, self.b))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One class under A and B. Images whose boxes agree least come first.

    moves[g, h]: how many images of A's cluster g are in B's cluster h, of those that have a patch
    in both. rand_index: the adjusted Rand index of the two clusterings (1 the same, 0 as by
    chance), NaN without such images.
    """

    name: str
    changes: Changes
    moves: NDArray[np.int64]
    rand_index: float
    kept: KeptOverlap


@dataclass(frozen=True, slots=True)
class OverallComparison:
    """Several classes under A and B: means over their images, sums over their kept patches."""

    images: int
    overlap: float
    unchanged: int
    rand_index: float
    kept: KeptOverlap


def compare(a: ClassSelection, b: ClassSelection, ipc_a: int, ipc_b: int) -> Comparison:
    """Compare two selections of one class."""
    changes, (image_a, image_b) = _changes(a, b, ipc_a, ipc_b)
    clusters = np.stack([changes.cluster_a, changes.cluster_b])
    shared = clusters[:, (clusters >= 0).all(axis=0)]
    sizes = [1 + int(one.patches.cluster.max(initial=-1)) for one in (a, b)]
    kept = [np.array(sorted(side.kept(ipc)), int) for side, ipc in ((a, ipc_a), (b, ipc_b))]
    return Comparison(
        name=a.name,
        changes=changes,
        moves=_contingency(shared, sizes[0], sizes[1]),
        rand_index=_rand_index(shared),
        kept=_kept_overlap(
            image_a[kept[0]], a.patches.cut_box[kept[0]],
            image_b[kept[1]], b.patches.cut_box[kept[1]],
        ),
    )  # fmt: skip


def compare_overall(classes: Iterable[Comparison]) -> OverallComparison:
    """Combine the comparisons of several classes, weighted by their images."""
    images, overlapping, unchanged = 0, 0.0, 0
    weights: list[int] = []
    weighted: list[float] = []
    kept: list[tuple[int, int, int, int]] = []
    for one in classes:  # once, so that no more than one class's changes are in memory
        overlaps = one.changes.overlap
        images, overlapping = images + len(overlaps), overlapping + float(overlaps.sum())
        unchanged += int((overlaps > 1 - 1e-9).sum())
        weights.append(int(one.moves.sum()))
        if weights[-1]:
            weighted.append(weights[-1] * one.rand_index)
        kept.append((one.kept.a, one.kept.b, one.kept.same_images, one.kept.same_boxes))
    return OverallComparison(
        images=images,
        overlap=_share(overlapping, images),
        unchanged=unchanged,
        rand_index=_share(sum(weighted), sum(weights)),
        kept=KeptOverlap(*np.array(kept, int).reshape(-1, 4).sum(axis=0).tolist()),
    )


def overlaps(image_a: Ints, a: Boxes, image_b: Ints, b: Boxes, images: int) -> Doubles:
    """Intersection over union of the boxes of each image in A and in B, (images,).

    image_a: (P,) the image of each box of A; no two boxes of one side overlap in an image. 0 for
    images that have boxes in one of them alone, or in none.
    """
    left, right = _pairs(image_a, image_b)
    inside = _sums(image_a[left], _shared(a[left], b[right]), images)
    areas = _sums(image_a, _area(a), images) + _sums(image_b, _area(b), images)
    return _ratio(inside, areas - inside)


def _changes(
    a: ClassSelection, b: ClassSelection, ipc_a: int, ipc_b: int
) -> tuple[Changes, tuple[Ints, Ints]]:
    """Return all changes, and which image of all of both sides each patch of A and of B shows."""
    names = sorted({*a.patches.image_ids, *b.patches.image_ids})
    places = {name: place for place, name in enumerate(names)}
    image_a, image_b = (_places(one.patches, places) for one in (a, b))
    overlap = overlaps(image_a, a.patches.box, image_b, b.patches.box, len(names))
    order = np.argsort(overlap, kind="stable")
    changes = Changes(
        ids=tuple(names[place] for place in order.tolist()),
        a=a.patches,
        b=b.patches,
        first_a=_first(image_a, len(names))[order],
        first_b=_first(image_b, len(names))[order],
        overlap=overlap[order],
        kept_a=_holding(image_a[list(a.kept(ipc_a))], len(names))[order],
        kept_b=_holding(image_b[list(b.kept(ipc_b))], len(names))[order],
    )
    return changes, (image_a, image_b)


def _places(patches: Patches, places: Mapping[str, int]) -> Ints:
    """Return the place of each patch's image, (P,)."""
    found = np.array([places.get(image_id, -1) for image_id in patches.ids], np.int64)
    return found[patches.image]


def _first(image: Ints, images: int) -> Ints:
    """Return the position of the first patch of each image, -1 where it has none, (images,)."""
    first = np.full(images, -1, np.int64)
    found, at = np.unique(image, return_index=True)
    first[found] = at
    return first


def _holding(image: Ints, images: int) -> NDArray[np.bool_]:
    """Return which of all images are among these, (images,)."""
    flags = np.zeros(images, bool)
    flags[image] = True
    return flags


def _cluster(patches: Patches, first: Ints) -> Ints:
    clusters = np.full(len(first), -1, np.int64)
    clusters[first >= 0] = patches.cluster[first[first >= 0]]
    return clusters


def _kept_overlap(image_a: Ints, a: Boxes, image_b: Ints, b: Boxes) -> KeptOverlap:
    """Compare what is cut of the kept patches, each of which shows an image."""
    images = 1 + max(image_a.max(initial=-1), image_b.max(initial=-1))
    counts = [np.bincount(image, minlength=images) for image in (image_a, image_b)]
    left, right = _pairs(image_a, image_b)
    inside = _shared(a[left], b[right])
    same = _ratio(inside, _area(a[left]) + _area(b[right]) - inside) > SAME_BOX
    return KeptOverlap(len(a), len(b), int(np.minimum(*counts).sum()), len(np.unique(left[same])))


def _contingency(clusters: Ints, clusters_a: int, clusters_b: int) -> Ints:
    """Count the images of each pair of clusters (2, N); clusters without shared images count 0."""
    table = np.zeros((clusters_a, clusters_b), np.int64)
    np.add.at(table, tuple(clusters), 1)
    return table


def _rand_index(clusters: Ints) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985) of two clusterings; NaN without images."""
    if not clusters.size:
        return float("nan")
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*clusters))


def _pairs(image_a: Ints, image_b: Ints) -> tuple[Ints, Ints]:
    """Return the positions in A and in B of all pairs of patches of one image."""
    order = np.argsort(image_b, kind="stable")
    starts, ends = (np.searchsorted(image_b[order], image_a, side) for side in ("left", "right"))
    counts = ends - starts
    left = np.repeat(np.arange(len(image_a)), counts)
    nth = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, order[starts[left] + nth]


def _shared(a: Boxes, b: Boxes) -> Doubles:
    """Return the areas that pairs of boxes share, (N,)."""
    starts = np.maximum(a[:, :2], b[:, :2])
    ends = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    sides: Doubles = np.maximum(ends - starts, 0.0)
    return _product(sides)


def _area(boxes: Boxes) -> Doubles:
    return _product(boxes[:, 2:])


def _product(sides: Doubles) -> Doubles:
    product: Doubles = sides[:, 0] * sides[:, 1]
    return product


def _sums(image: Ints, values: Doubles, images: int) -> Doubles:
    """Return the sum of the values of each image, (images,)."""
    return np.bincount(image, values, images).astype(float)  # without values they are integers


def _ratio(part: Doubles, whole: Doubles) -> Doubles:
    """Return part / whole, 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
