"""Which patches stay, by hand for a small class and by property for any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsel.core.ranking import compose_images, in_turn, lowest, rank_patches, within_order

SCORES = np.array([0.1, 0.9, 0.5, 0.7, 0.3, 0.8])
LABELS = np.array([0, 0, 1, 0, 1, 2])
DISTANCE = np.array([0.1, 0.3, 0.2, 0.4, 0.05, 0.5], np.float32)
WITHIN, ACROSS = ("score", "centroid"), ("round-robin", "pooled")

Class = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]


@st.composite
def any_class(draw: st.DrawFn) -> Class:
    """Scores, gapless labels and distances, with ties among the scores."""
    n = draw(st.integers(1, 40))
    clusters = draw(st.integers(1, min(n, 7)))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    labels = np.concatenate([np.arange(clusters), rng.integers(0, clusters, n - clusters)])
    rng.shuffle(labels)
    return rng.integers(0, 9, n) / 8, labels, rng.random(n).astype(np.float32)


@pytest.mark.parametrize(
    ("within", "across", "expected"),
    [
        # clusters by score: 0 holds 1 3 0, 1 holds 2 4, 2 holds 5
        ("score", "round-robin", (1, 2, 5, 3, 4, 0)),
        # clusters by distance: 0 holds 0 1 3, 1 holds 4 2, 2 holds 5
        ("centroid", "round-robin", (0, 4, 5, 1, 2, 3)),
        ("score", "pooled", (1, 5, 3, 2, 4, 0)),
        ("centroid", "pooled", (4, 0, 2, 1, 3, 5)),
    ],
)
def test_rank_patches__by_hand(within: str, across: str, expected: tuple[int, ...]) -> None:
    assert rank_patches(SCORES, LABELS, DISTANCE, within, across) == expected


def test_rank_patches__no_patches() -> None:
    none = np.zeros(0)
    for across in ACROSS:
        assert rank_patches(none, none.astype(int), none, "score", across) == ()
        assert compose_images(none, none.astype(int), none, "score", across, 4) == ()


@settings(max_examples=60, deadline=None)
@given(one=any_class(), within=st.sampled_from(WITHIN), across=st.sampled_from(ACROSS))
def test_rank_patches__each_patch_once(one: Class, within: str, across: str) -> None:
    assert sorted(rank_patches(*one, within, across)) == list(range(len(one[0])))


@settings(max_examples=60, deadline=None)
@given(one=any_class(), within=st.sampled_from(WITHIN))
def test_rank_patches__every_head_holds_all_clusters_evenly(one: Class, within: str) -> None:
    """Clusters with patches left differ by at most one, the earlier one ahead."""
    scores, labels, distance = one
    sizes = Counter(labels.tolist())
    ranked = rank_patches(scores, labels, distance, within, "round-robin")
    for head in range(len(ranked) + 1):
        taken = Counter(labels[list(ranked[:head])].tolist())
        left = [cluster for cluster in sorted(sizes) if taken[cluster] < sizes[cluster]]
        counts = [taken[cluster] for cluster in left]
        assert counts == sorted(counts, reverse=True)
        assert not counts or max(counts) - min(counts) <= 1
        assert not counts or max(taken.values(), default=0) <= min(counts) + 1


@settings(max_examples=60, deadline=None)
@given(one=any_class(), within=st.sampled_from(WITHIN), across=st.sampled_from(ACROSS))
def test_rank_patches__order_inside_each_cluster(one: Class, within: str, across: str) -> None:
    scores, labels, distance = one
    ranked = list(rank_patches(scores, labels, distance, within, across))
    for cluster in set(labels.tolist()):
        mates = [position for position in ranked if labels[position] == cluster]
        keys = [-scores[p] if within == "score" else distance[p] for p in mates]
        assert list(zip(keys, mates, strict=True)) == sorted(zip(keys, mates, strict=True))


def test_within_order__equal_ones_keep_their_order() -> None:
    ones = np.ones(4)
    assert within_order(ones, ones, "score") == [0, 1, 2, 3]
    assert within_order(ones, ones, "centroid") == [0, 1, 2, 3]
    assert within_order(np.array([1, 2, 1, 2.0]), ones, "score") == [1, 3, 0, 2]


def test_lowest__by_hand() -> None:
    assert lowest(SCORES, 0).tolist() == [False] * 6
    assert np.flatnonzero(lowest(SCORES, 0.34)).tolist() == [0, 4]
    assert np.flatnonzero(lowest(SCORES, 0.5)).tolist() == [0, 2, 4]
    assert np.flatnonzero(lowest(SCORES, 0.5, (4, 1))).tolist() == [0, 2]
    assert np.flatnonzero(lowest(np.zeros(10), 0.3)).tolist() == [7, 8, 9]  # 0.3 * 10 is whole
    assert np.flatnonzero(lowest(np.zeros(100), 0.29)).size == 29  # and 0.29 * 100 nearly
    assert lowest(np.zeros(1), 0.95).tolist() == [False]
    assert lowest(np.zeros(0), 0.5).tolist() == []


def test_in_turn__by_hand() -> None:
    assert list(in_turn([[1, 2, 3], [], [4], [5, 6]])) == [1, 4, 5, 2, 6, 3]
    assert list(in_turn([])) == []
    assert list(in_turn([[None, 0], [False]])) == [None, False, 0]


def test_compose_images__one_patch_each_is_the_ranking() -> None:
    for within in WITHIN:
        for across in ACROSS:
            ranked = rank_patches(SCORES, LABELS, DISTANCE, within, across)
            images = compose_images(SCORES, LABELS, DISTANCE, within, across, 1)
            assert images == tuple((position,) for position in ranked)


def test_compose_images__mosaics_by_hand() -> None:
    """Cluster 0 holds 9 patches by falling score, cluster 1 holds 5, cluster 2 two."""
    labels = np.repeat([0, 1, 2], (9, 5, 2))
    scores, distance = -np.arange(16.0), np.arange(16.0)
    expected = (
        (0, 1, 2, 3), (9, 10, 11, 12), (4, 5, 6, 7),  # full ones, in turn
        (8, 0, 1, 2), (13, 9, 10, 11), (14, 15, 14, 15),  # filled up, in turn
    )  # fmt: skip
    assert compose_images(scores, labels, distance, "score", "round-robin", 4) == expected
    assert compose_images(scores, labels, distance, "centroid", "round-robin", 4) == expected


def test_compose_images__pooled_orders_full_mosaics_by_their_mean() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    scores = np.array([5, 1, 4, 2, 9, 8, 1, 0, -9.0])
    # by score: cluster 0 makes (0 2) and (3 1), cluster 1 makes (4 5) and (6 7), and 8 is left over
    images = compose_images(scores, labels, scores, "score", "pooled", 2)
    assert images == ((4, 5), (0, 2), (3, 1), (6, 7), (8, 4))
    distance = np.array([1, 2, 3, 4, 9, 8, 7, 6, 5.0])
    # by distance: cluster 0 makes (0 1) and (2 3), cluster 1 makes (8 7) and (6 5), and 4 is left
    # over
    images = compose_images(scores, labels, distance, "centroid", "pooled", 2)
    assert images == ((0, 1), (2, 3), (8, 7), (6, 5), (4, 8))


@settings(max_examples=80, deadline=None)
@given(
    one=any_class(), within=st.sampled_from(WITHIN), across=st.sampled_from(ACROSS),
    size=st.sampled_from([4, 9]),
)  # fmt: skip
def test_compose_images__full_mosaics_use_each_patch_once(
    one: Class, within: str, across: str, size: int
) -> None:
    scores, labels, distance = one
    images = compose_images(scores, labels, distance, within, across, size)
    sizes = Counter(labels.tolist())
    whole = sum(n // size for n in sizes.values())
    assert len(images) == sum(-(-n // size) for n in sizes.values())
    assert all(len(image) == size for image in images)
    assert all(len(set(labels[list(image)].tolist())) == 1 for image in images)
    used = [position for image in images[:whole] for position in image]
    assert len(used) == len(set(used)) == whole * size
    # each filled-up image begins with what no full one holds, so that every patch has its place
    for image in images[whole:]:
        cluster = int(labels[image[0]])
        rest = sizes[cluster] % size
        assert rest > 0
        assert not set(image[:rest]) & set(used)
        used += image[:rest]
        best = [p for p in within_order(scores, distance, within) if labels[p] == cluster]
        filling = (best * size)[: size - rest]
        assert list(image[rest:]) == filling
    assert sorted(used) == list(range(len(scores)))


def test_rank_patches__pins_come_first_and_the_others_keep_their_order() -> None:
    assert rank_patches(SCORES, LABELS, DISTANCE, "score", "round-robin", (4, 1)) == (
        4, 1, 2, 5, 3, 0,
    )  # fmt: skip
    assert rank_patches(SCORES, LABELS, DISTANCE, "centroid", "pooled", (5,)) == (5, 4, 0, 2, 1, 3)
    images = compose_images(SCORES, LABELS, DISTANCE, "score", "pooled", 1, (0, 4))
    assert images == ((0,), (4,), (1,), (5,), (3,), (2,))


def test_compose_images__pinned_patches_lead_the_first_mosaics() -> None:
    """Cluster 0 holds 9 patches by falling score, cluster 1 holds 5, cluster 2 two."""
    labels = np.repeat([0, 1, 2], (9, 5, 2))
    keys = (-np.arange(16.0), labels, np.arange(16.0), "score", "round-robin", 4)
    # one pin of cluster 1, two of cluster 0, which share an image
    assert compose_images(*keys, (12, 8, 5)) == (
        (12, 9, 10, 11), (8, 5, 0, 1),
        (2, 3, 4, 6), (7, 8, 5, 0), (13, 12, 9, 10), (14, 15, 14, 15),
    )  # fmt: skip
    # a cluster that fills no image, and more pins than an image has places
    assert compose_images(*keys, (15, 8, 7, 6, 5, 4))[:4] == (
        (15, 14, 15, 14), (8, 7, 6, 5), (4, 0, 1, 2), (9, 10, 11, 12),
    )  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    one=any_class(), within=st.sampled_from(WITHIN), across=st.sampled_from(ACROSS),
    size=st.sampled_from([1, 4, 9]), data=st.data(),
)  # fmt: skip
def test_compose_images__pins_of_any_class(
    one: Class, within: str, across: str, size: int, data: st.DataObject
) -> None:
    labels = one[1]
    positions = st.sampled_from(range(len(labels)))
    pins = data.draw(st.lists(positions, unique=True, max_size=12))
    ranked = rank_patches(*one, within, across, pins)
    assert list(ranked[: len(pins)]) == pins
    rest = [p for p in rank_patches(*one, within, across) if p not in pins]
    assert list(ranked[len(pins) :]) == rest
    images = compose_images(*one, within, across, size, pins)
    assert len(images) == len(compose_images(*one, within, across, size))
    assert set(np.concatenate(images).tolist()) == set(range(len(labels)))
    # the pins of a cluster stand together at its front, and fill as many images as they need
    needed = sum(-(-n // size) for n in Counter(labels[pins].tolist()).values())
    leaders = [image[0] for image in images]
    assert all(leader in pins for leader in leaders[:needed])
    assert not set(leaders[needed:]) & set(pins)
    assert set(pins) <= {position for image in images[:needed] for position in image}
    turns = [pins.index(leader) for leader in leaders[:needed]]
    assert turns == sorted(turns)
