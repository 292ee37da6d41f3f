"""Two selections side by side: overlap of their boxes, moves between clusters, kept patches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsel.types import Box, ClassSelection, Patch

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
    changes: tuple[Change, ...]
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
    first, second = _by_image(a), _by_image(b)
    kept_a, kept_b = _kept(a, ipc_a), _kept(b, ipc_b)
    ids_a, ids_b = ({patch.image_id for patch in kept} for kept in (kept_a, kept_b))
    changes = [
        _change(image_id, first.get(image_id, []), second.get(image_id, []), ids_a, ids_b)
        for image_id in sorted(first.keys() | second.keys())
    ]
    changes.sort(key=lambda change: change.overlap)
    pairs = [(one.a.cluster, one.b.cluster) for one in changes if one.a and one.b]
    sizes = [1 + max((patch.cluster for patch in one.patches), default=-1) for one in (a, b)]
    moves = _contingency(pairs, sizes[0], sizes[1])
    return Comparison(
        name=a.name,
        changes=tuple(changes),
        moves=moves,
        rand_index=_rand_index(pairs),
        kept=_kept_overlap(kept_a, kept_b),
    )


def compare_overall(classes: Iterable[Comparison]) -> OverallComparison:
    """Combine the comparisons of several classes, weighted by their images."""
    overlaps: list[float] = []
    weights: list[int] = []
    weighted: list[float] = []
    kept: list[tuple[int, int, int, int]] = []
    for one in classes:  # once, so that no more than one class's changes are in memory
        overlaps.extend(change.overlap for change in one.changes)
        weights.append(int(one.moves.sum()))
        if weights[-1]:
            weighted.append(weights[-1] * one.rand_index)
        kept.append((one.kept.a, one.kept.b, one.kept.same_images, one.kept.same_boxes))
    return OverallComparison(
        images=len(overlaps),
        overlap=_share(sum(overlaps), len(overlaps)),
        unchanged=sum(overlap > 1 - 1e-9 for overlap in overlaps),
        rand_index=_share(sum(weighted), sum(weights)),
        kept=KeptOverlap(*np.array(kept, int).reshape(-1, 4).sum(axis=0).tolist()),
    )


def overlap(a: Sequence[Box], b: Sequence[Box]) -> float:
    """Intersection over union of two sets of boxes, none of which overlaps one of its own set."""
    inside = sum(_inside(one, other) for one in a for other in b)
    union = sum(box.width * box.height for box in (*a, *b)) - inside
    return inside / union if union else 0.0


def _change(
    image_id: str, a: Sequence[Patch], b: Sequence[Patch], ids_a: set[str], ids_b: set[str]
) -> Change:
    return Change(
        image_id=image_id,
        overlap=overlap([patch.box for patch in a], [patch.box for patch in b]),
        a=a[0] if a else None,
        b=b[0] if b else None,
        kept_a=image_id in ids_a,
        kept_b=image_id in ids_b,
    )


def _by_image(selected: ClassSelection) -> dict[str, list[Patch]]:
    found: dict[str, list[Patch]] = {}
    for patch in selected.patches:
        found.setdefault(patch.image_id, []).append(patch)
    return found


def _kept(selected: ClassSelection, ipc: int) -> list[Patch]:
    return [selected.patches[rank] for rank in sorted(selected.kept(ipc))]


def _kept_overlap(a: Sequence[Patch], b: Sequence[Patch]) -> KeptOverlap:
    boxes: dict[str, list[Box]] = {}
    for patch in b:
        boxes.setdefault(patch.image_id, []).append(patch.cut_box)
    counts_a, counts_b = (Counter(patch.image_id for patch in kept) for kept in (a, b))
    same = sum(
        any(overlap([patch.cut_box], [box]) > SAME_BOX for box in boxes.get(patch.image_id, ()))
        for patch in a
    )
    return KeptOverlap(len(a), len(b), (counts_a & counts_b).total(), same)


def _contingency(
    pairs: Sequence[tuple[int, int]], clusters_a: int, clusters_b: int
) -> NDArray[np.int64]:
    """Count the images of each pair of clusters; clusters without shared images count 0."""
    table = np.zeros((clusters_a, clusters_b), np.int64)
    if pairs:
        from sklearn.metrics.cluster import contingency_matrix

        labels_a, labels_b = np.array(pairs).T
        shared = np.ix_(np.unique(labels_a), np.unique(labels_b))
        table[shared] = contingency_matrix(labels_a, labels_b)
    return table


def _rand_index(pairs: Sequence[tuple[int, int]]) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985) of two clusterings; NaN without images."""
    if not pairs:
        return float("nan")
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*np.array(pairs).T))


def _inside(a: Box, b: Box) -> float:
    """Return the area that two boxes share."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(width, 0.0) * max(height, 0.0)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
