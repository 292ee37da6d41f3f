"""Two selections of one class, compared pixel by pixel and pair by pair."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn import patch_of, selection_of
from support.lazy import LazyModule

from dsel.analysis.comparison import KeptOverlap, compare, compare_overall, overlaps
from dsel.types import Box, ClassSelection

metrics = LazyModule("sklearn.metrics")


def overlap(a: list[Box], b: list[Box]) -> float:
    """The overlap of the boxes of one image; there are others beside it, in both sides alike."""
    beside = Box(0, 0, 5, 5)
    rows = [
        [(one.x, one.y, one.width, one.height) for one in (beside, *side, beside)]
        for side in (a, b)
    ]
    places = [np.array([0, *[1] * len(side), 2]) for side in (a, b)]
    found = overlaps(places[0], np.array(rows[0]), places[1], np.array(rows[1]), 4)
    assert found[[0, 2, 3]].tolist() == [1, 1, 0]
    return float(found[1])


def pixels_of(boxes: list[Box]) -> set[tuple[int, int]]:
    return {
        (x, y)
        for box in boxes
        for x in range(int(box.x), int(box.x + box.width))
        for y in range(int(box.y), int(box.y + box.height))
    }


def separate(seed: int) -> list[Box]:
    """Up to three boxes of a size that do not overlap."""
    rng = np.random.default_rng(seed)
    side = int(rng.integers(2, 7))
    boxes: list[Box] = []
    for x, y in rng.integers(0, 12, (6, 2)).tolist():
        box = Box(x, y, side, side)
        if len(boxes) < 3 and not pixels_of(boxes) & pixels_of([box]):
            boxes.append(box)
    return boxes


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_overlap__pixel_by_pixel(seed: int) -> None:
    a, b = separate(seed), separate(seed + 1)
    inside, union = pixels_of(a) & pixels_of(b), pixels_of(a) | pixels_of(b)
    assert overlap(a, b) == pytest.approx(len(inside) / len(union))
    assert overlap(a, b) == overlap(b, a)
    assert overlap(a, a) == 1


def test_compare__kept_overlap_is_of_what_is_exported() -> None:
    """Patches apart from each other whose cuts are the same, and the other way round."""
    whole, corner = Box(0, 0, 64, 64), Box(0, 0, 16, 16)
    one = selection_of([patch_of("p", 0, x=0, cut=whole)])
    apart = selection_of([patch_of("p", 0, x=40, cut=whole)])
    tight = selection_of([patch_of("p", 0, x=0, cut=corner)])
    found = compare(one, apart, 1, 1)
    assert (found.changes[0].overlap, found.kept.same_boxes) == (0, 1)
    found = compare(one, tight, 1, 1)
    assert (found.changes[0].overlap, found.kept.same_boxes) == (1, 0)


def test_overlap__fractions_and_nothing() -> None:
    assert overlap([Box(0, 0, 2, 2)], [Box(0.5, 0, 2, 2)]) == pytest.approx(3 / 5)
    assert overlap([], [Box(0, 0, 2, 2)]) == overlap([], []) == 0
    assert overlap([Box(0, 0, 2, 2)], [Box(2, 0, 2, 2)]) == 0


def some(*patches: tuple[str, int, float], images: list[tuple[int, ...]] | None = None) -> (
    ClassSelection
):  # fmt: skip
    """Patches of (image, cluster, x), all 16 px wide."""
    made = [patch_of(name, n, cluster, x=x) for n, (name, cluster, x) in enumerate(patches)]
    return selection_of(made, images)


def test_compare__by_hand() -> None:
    a = some(("p", 0, 0), ("q", 1, 0), ("r", 0, 0), ("s", 1, 0))
    b = some(("q", 0, 4), ("p", 0, 0), ("s", 1, 12), ("t", 2, 0))
    found = compare(a, b, 2, 3)
    ids = [change.image_id for change in found.changes]
    overlaps = [change.overlap for change in found.changes]
    assert ids == ["r", "t", "s", "q", "p"]
    assert overlaps == pytest.approx([0, 0, 4 / 28, 12 / 20, 1])
    only_a, only_b, moved = found.changes[:3]
    assert only_a.a == a.patches[2]
    assert (only_a.b, only_b.a) == (None, None)
    assert (moved.a, moved.b) == (a.patches[3], b.patches[2])
    assert [(change.kept_a, change.kept_b) for change in found.changes] == [
        (False, False), (False, False), (False, True), (True, True), (True, True),
    ]  # fmt: skip
    assert found.moves.tolist() == [[1, 0, 0], [1, 1, 0]]  # p; q and s
    assert found.kept == KeptOverlap(2, 3, 2, 2)
    assert found.kept.image_share == found.kept.box_share == pytest.approx(2 / 3)


def test_compare__with_itself() -> None:
    a = some(("p", 0, 0), ("p", 1, 40), ("q", 1, 0), images=[(0, 1), (2, 0)])
    found = compare(a, a, 2, 2)
    assert [change.overlap for change in found.changes] == [1, 1]
    assert found.rand_index == 1
    assert found.kept == KeptOverlap(3, 3, 3, 3)
    assert found.kept.box_share == 1


def test_compare__several_patches_of_an_image() -> None:
    """Two of three boxes stay; a patch that fills up two images is counted once."""
    a = some(("p", 0, 0), ("p", 0, 20), ("p", 0, 40), images=[(0, 1), (2, 0)])
    b = some(("p", 0, 40), ("p", 0, 60), ("p", 0, 0), images=[(0, 1), (2, 0)])
    found = compare(a, b, 2, 2)
    assert [change.overlap for change in found.changes] == [pytest.approx(2 / 4)]
    assert found.kept == KeptOverlap(3, 3, 3, 2)
    assert compare(a, b, 1, 2).kept == KeptOverlap(2, 3, 2, 1)


def plain_overlap(a: list[Box], b: list[Box]) -> float:
    """Intersection over union of two sets of boxes, pair by pair."""
    inside = sum(
        max(0.0, min(one.x + one.width, other.x + other.width) - max(one.x, other.x))
        * max(0.0, min(one.y + one.height, other.y + other.height) - max(one.y, other.y))
        for one in a
        for other in b
    )
    union = sum(box.width * box.height for box in (*a, *b)) - inside
    return inside / union if union else 0.0


def drawn(seed: int) -> ClassSelection:
    """Up to nine patches of up to four images, those of an image apart, as mosaics or not."""
    rng = np.random.default_rng(seed)
    patches: list[tuple[str, int, float]] = []
    for name in rng.permutation(list("pqrs")).tolist():
        places = rng.permutation(4)[: rng.integers(0, 4)] * 20 + rng.integers(0, 8)
        patches += [(name, int(rng.integers(0, 3)), float(x)) for x in places]
    order = rng.permutation(len(patches)).tolist()
    tiles = int(rng.integers(1, 3))
    images = [tuple(range(n, n + tiles)) for n in range(0, len(order) - tiles + 1, tiles)]
    return some(*(patches[n] for n in order), images=images)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(0, 4))
def test_compare__slow_definition(seed: int, ipc_a: int, ipc_b: int) -> None:
    a, b = drawn(seed), drawn(seed + 1)
    found = compare(a, b, ipc_a, ipc_b)
    kept_a = [a.patches[rank] for rank in a.kept(ipc_a)]
    kept_b = [b.patches[rank] for rank in b.kept(ipc_b)]
    assert sorted(found.changes.ids) == sorted({*a.patches.image_ids, *b.patches.image_ids})
    assert (np.diff(found.changes.overlap) >= 0).all()
    for change in found.changes:
        mine, other = ([one for one in side.patches if one.image_id == change.image_id]
                       for side in (a, b))  # fmt: skip
        boxes = [[one.box for one in side] for side in (mine, other)]
        assert change.overlap == pytest.approx(plain_overlap(*boxes))
        assert (change.a, change.b) == tuple(next(iter(side), None) for side in (mine, other))
        assert change.kept_a == any(one.image_id == change.image_id for one in kept_a)
        assert change.kept_b == any(one.image_id == change.image_id for one in kept_b)
    counts = [Counter(one.image_id for one in kept) for kept in (kept_a, kept_b)]
    same = [
        one for one in kept_a
        if any(
            other.image_id == one.image_id and plain_overlap([one.cut_box], [other.cut_box]) > 0.5
            for other in kept_b
        )
    ]  # fmt: skip
    moves = Counter((one.a.cluster, one.b.cluster) for one in found.changes if one.a and one.b)
    assert {(g, h): int(n) for (g, h), n in np.ndenumerate(found.moves) if n} == dict(moves)
    shared = (counts[0] & counts[1]).total()
    assert found.kept == KeptOverlap(len(kept_a), len(kept_b), shared, len(same))


def test_compare__half_an_overlap_is_not_the_same_box() -> None:
    wide, half = selection_of([patch_of("p", 0, side=16)]), selection_of([patch_of("p", 0, side=8)])
    assert compare(wide, half, 1, 1).kept == KeptOverlap(1, 1, 1, 0)  # a quarter
    third = selection_of([patch_of("p", 0, x=16 / 3, side=16)])
    assert compare(wide, third, 1, 1).changes[0].overlap == pytest.approx(0.5)
    nearer = selection_of([patch_of("p", 0, x=5, side=16)])
    assert compare(wide, nearer, 1, 1).kept.same_boxes == 1


def test_compare__empty_classes() -> None:
    nothing = selection_of([])
    found = compare(nothing, nothing, 3, 3)
    assert (len(found.changes), found.moves.shape) == (0, (0, 0))
    assert isnan(found.rand_index)
    assert isnan(found.kept.image_share)
    assert isnan(found.kept.box_share)
    one_sided = compare(some(("p", 0, 0)), nothing, 3, 3)
    assert isnan(one_sided.rand_index)
    assert one_sided.kept == KeptOverlap(1, 0, 0, 0)
    assert one_sided.kept.image_share == 0


def slow_rand_index(a: list[int], b: list[int]) -> float:
    """Agreements over pairs of images, less what chance gives, over its most."""
    pairs = list(combinations(range(len(a)), 2))
    together_a = sum(a[i] == a[j] for i, j in pairs)
    together_b = sum(b[i] == b[j] for i, j in pairs)
    both = sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)
    chance, most = together_a * together_b / len(pairs), (together_a + together_b) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_compare__rand_index_slow_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, k, m = rng.integers(2, 12), rng.integers(1, 5), rng.integers(1, 5)
    a, b = rng.integers(0, k, count).tolist(), rng.integers(0, m, count).tolist()
    found = compare(
        some(*((str(n), cluster, 0) for n, cluster in enumerate(a))),
        some(*((str(n), cluster, 0) for n, cluster in enumerate(b))), 3, 3,
    )  # fmt: skip
    assert found.rand_index == pytest.approx(slow_rand_index(a, b))


def test_compare__rand_index_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 90)
    b = np.where(rng.random(90) < 0.5, a, rng.integers(0, 6, 90))
    found = compare(
        some(*((str(n), int(cluster), 0) for n, cluster in enumerate(a))),
        some(*((str(n), int(cluster), 0) for n, cluster in enumerate(b))), 3, 3,
    )  # fmt: skip
    assert found.rand_index == pytest.approx(metrics.adjusted_rand_score(a, b))
    assert found.moves.tolist() == [
        [int(((a == i) & (b == j)).sum()) for j in range(6)] for i in range(4)
    ]


def test_compare_overall__by_hand() -> None:
    first = compare(some(("p", 0, 0), ("q", 0, 0)), some(("p", 0, 0), ("q", 1, 4)), 2, 1)
    second = compare(some(("p", 0, 0)), some(("p", 0, 0)), 1, 1)
    third = compare(selection_of([]), selection_of([]), 1, 1)
    found = compare_overall([first, second, third])
    assert (found.images, found.unchanged) == (3, 2)
    assert found.overlap == pytest.approx((1 + 12 / 20 + 1) / 3)
    assert found.rand_index == pytest.approx((2 * 0 + 1) / 3)
    assert found.kept == KeptOverlap(3, 2, 2, 2)
    nothing = compare_overall([])
    assert (nothing.images, nothing.kept) == (0, KeptOverlap(0, 0, 0, 0))
    assert str((nothing.overlap, nothing.rand_index)) == str((nan, nan))
