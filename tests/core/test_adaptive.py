"""The rule that spends further draws: by hand, and against a slow simulation draw by draw."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.drawn_class import GEOMETRY, class_scores

from dsel.config import ScoreSettings, SelectSettings
from dsel.core.adaptive import (
    contested,
    needing_draws,
    next_draws,
    pooled_errors,
    unsteady_boxes,
)
from dsel.core.gap_maps import combined_maps
from dsel.core.ranking import rank_patches
from dsel.core.selection import locate_class
from dsel.types import ClassScores

FIRST, MOST = 4, 16
KEEP = 5


def chance_of_error(kept: float, left: float, kept_error: float, left_error: float) -> float:
    """The chance that what is left out is better than what is kept, by the normal distribution."""
    spread = math.sqrt(kept_error**2 + left_error**2)
    if spread == 0:
        return 0.0 if kept > left else 0.5 if kept == left else 1.0
    return 0.5 * (1 - math.erf((kept - left) / spread / math.sqrt(2)))


def slow_contested(
    score: list[float], error: list[float], cluster: list[int], kept: list[bool], tolerance: float
) -> list[bool]:
    competes = [False] * len(score)
    for i in range(len(score)):
        for j in range(len(score)):
            rivals = kept[i] and not kept[j] and cluster[i] == cluster[j]
            if rivals and chance_of_error(score[i], score[j], error[i], error[j]) > tolerance:
                competes[i] = competes[j] = True
    return competes


def test_contested__by_hand() -> None:
    """Errors of 3 and 4 are one of 5 for a difference; at 10 % it must be 1.2816 of these."""
    score = np.array([10.0, 4.0, 3.0, 10.0, 9.9])
    error = np.array([3.0, 4.0, 4.0, 3.0, 4.0])
    cluster = np.array([0, 0, 0, 1, 1])
    kept = np.array([True, False, False, True, True])
    found = contested(score, error, cluster, kept, 0.1)
    assert found.tolist() == [True, True, False, False, False]  # 6 < 6.41 < 7; 1 is all kept
    assert not contested(score, error, cluster, kept, 0.12).any()  # 1.175 x 5 = 5.87
    assert contested(score, error, cluster, kept, 0.05).tolist() == [True] * 3 + [False] * 2


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 12), tolerance=st.floats(0.01, 0.5))
def test_contested__by_the_slow_definition(seed: int, count: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    score, error = rng.normal(size=count), rng.uniform(0.1, 1, count)
    cluster, kept = rng.integers(0, 3, count), rng.random(count) < 0.5
    found = contested(score, error, cluster, kept, tolerance)
    lists = (one.tolist() for one in (score, error, cluster, kept))
    assert found.tolist() == slow_contested(*lists, tolerance)


def test_contested__equal_images_with_noise_all_do_and_without_none_does() -> None:
    same, cluster = np.ones(6), np.zeros(6, int)
    kept = np.arange(6) < 2
    assert contested(same, np.full(6, 0.1), cluster, kept, 0.1).all()
    assert not contested(same, np.zeros(6), cluster, kept, 0.1).any()


def test_contested__unknown_errors_are_the_last_kept_and_the_next_one() -> None:
    score = np.array([9.0, 7.0, 6.0, 5.0, 1.0, 0.0])
    cluster = np.array([0, 0, 0, 0, 1, 1])
    kept = np.array([True, True, False, False, True, False])
    found = contested(score, np.full(6, np.nan), cluster, kept, 0.1)
    assert found.tolist() == [False, True, True, False, True, True]


def test_contested__none_where_all_or_none_are_kept() -> None:
    score, error, cluster = np.arange(4.0), np.ones(4), np.array([0, 0, 1, 1])
    assert not contested(score, error, cluster, np.ones(4, bool), 0.1).any()
    assert not contested(score, error, cluster, cluster == 0, 0.1).any()
    nothing = np.zeros(0)
    assert contested(nothing, nothing, np.zeros(0, int), np.zeros(0, bool), 0.1).shape == (0,)


def test_pooled_errors__by_hand() -> None:
    """Variances of one draw are 4 x 1, 4 x 4 and 16 x 1: their mean is 12."""
    error, draws = np.array([1.0, 2.0, 1.0, np.nan]), np.array([4, 4, 16, 3])
    np.testing.assert_allclose(pooled_errors(error, draws), np.sqrt([3, 3, 0.75, 4]))
    assert np.isnan(pooled_errors(np.full(2, np.nan), np.array([2, 2]))).all()


def test_unsteady_boxes__two_standard_errors() -> None:
    margin = np.array([1.9, 2.1, -0.1, np.nan, 0.5])
    error = np.array([1.0, 1.0, 0.1, 1.0, np.nan])
    assert unsteady_boxes(margin, error).tolist() == [True, False, True, False, False]


def test_next_draws__double_up_to_the_most() -> None:
    assert next_draws(4, 16) == range(4, 8)
    assert next_draws(8, 16) == range(8, 16)
    assert next_draws(8, 10) == range(8, 10)


# A simulation: N images in clusters, whose draws are their true score and noise.


def slow_kept(score: list[float], cluster: list[int]) -> set[int]:
    """The best of each cluster in turn, by falling median, until enough are kept."""
    names = sorted(set(cluster))
    members = {
        name: sorted((i for i in range(len(score)) if cluster[i] == name), key=lambda i: -score[i])
        for name in names
    }
    kept: list[int] = []
    for turn in range(len(score)):
        kept += [members[name][turn] for name in names if turn < len(members[name])]
    return set(kept[:KEEP])


def slow_error(draws: list[float]) -> float:
    """The scaled difference between the two halves of the draws, pairs in turn; NaN for one."""
    halves: tuple[list[float], list[float]] = ([], [])
    for n, value in enumerate(draws):
        halves[n // 2 % 2].append(value)
    n, m = map(len, halves)
    if not m:
        return math.nan
    first, second = (sum(half) / len(half) for half in halves)
    return math.sqrt(n * m) / (n + m) * abs(first - second)


def slow_simulation(values: NDArray[np.float64], cluster: list[int], tolerance: float) -> list[int]:
    """How many draws each image gets, (N, D) values of draws, one image and one pair at a time."""
    count = [FIRST] * len(values)
    while True:
        mine = [values[i, : count[i]].tolist() for i in range(len(values))]
        score = [sum(draws) / len(draws) for draws in mine]
        variances = [slow_error(draws) ** 2 * len(draws) for draws in mine]
        variance = sum(variances) / len(variances)
        error = [math.sqrt(variance / n) for n in count]
        kept = [i in slow_kept(score, cluster) for i in range(len(values))]
        competes = slow_contested(score, error, cluster, kept, tolerance)
        chosen = [i for i in range(len(values)) if competes[i] and count[i] < MOST]
        if not chosen:
            return count
        for i in chosen:
            count[i] = min(2 * count[i], MOST)


def simulation(
    values: NDArray[np.float64], cluster: NDArray[np.int64], tolerance: float, first: int = FIRST
) -> NDArray[np.int64]:
    """The same by the rule's own functions."""
    count = np.full(len(values), first)
    while True:
        score = np.array([values[i, :n].mean() for i, n in enumerate(count)])
        error = np.array([slow_error(values[i, :n].tolist()) for i, n in enumerate(count)])
        error = pooled_errors(error, count)
        ranked = rank_patches(score, cluster, np.zeros(len(score)), "score", "round-robin")
        kept = np.isin(np.arange(len(values)), ranked[:KEEP])
        competes = contested(score, error, cluster, kept, tolerance)
        chosen = np.flatnonzero(competes & (count < MOST))
        if not len(chosen):
            return count
        count[chosen] = [next_draws(int(n), MOST).stop for n in count[chosen]]


def simulated(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """30 images in 5 clusters; the noise of a draw is 0.8 of the spread of scores, as on toybox."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 1)) + 0.8 * rng.normal(size=(30, MOST))
    return values, np.sort(rng.integers(0, 5, 30))


@pytest.mark.parametrize("tolerance", [0.02, 0.1, 0.3])
def test_rule__against_the_slow_simulation(tolerance: float) -> None:
    for seed in range(15):
        values, cluster = simulated(seed)
        slow = slow_simulation(values, cluster.tolist(), tolerance)
        assert simulation(values, cluster, tolerance).tolist() == slow


@pytest.mark.parametrize("first", [FIRST, 2])
def test_rule__keeps_what_four_times_the_draws_keep(first: int) -> None:
    """At least 95 % of what 16 draws of every image keep, at 60 % of their number.

    After one pair, all errors are unknown: the few images of the first round make them known.
    """
    same = spent = 0.0
    for seed in range(200):
        values, cluster = simulated(seed)
        count = simulation(values, cluster, 0.1, first)
        scores = [[float(values[i, :n].mean()) for i, n in enumerate(c)] for c in
                  (count, np.full(30, MOST))]  # fmt: skip
        found, wanted = (slow_kept(score, cluster.tolist()) for score in scores)
        same += len(found & wanted) / KEEP / 200
        spent += count.mean() / MOST / 200
    assert same > 0.95
    assert spent < 0.6


# On the maps of a class.


def with_noise(scores: ClassScores, size: float) -> ClassScores:
    """The scores with noise maps of one value, and the differences of their gaps."""
    buckets = tuple(
        replace(
            bucket, difference=np.abs(bucket.gap), noise=np.full_like(bucket.gap, size),
            difference_noise=np.zeros_like(bucket.gap),
        )
        for bucket in scores.buckets
    )  # fmt: skip
    return replace(scores, buckets=buckets)


NEAR = ScoreSettings(keep=3, most_draws=16)


def test_needing_draws__of_the_default_selection() -> None:
    """With the largest noise, all images of clusters of which some are kept; with none, none."""
    scores = class_scores(12)
    noisy = needing_draws(with_noise(scores, 1e3), GEOMETRY, NEAR).place
    assert noisy.sum() > 6
    assert not needing_draws(with_noise(scores, 0.0), GEOMETRY, NEAR).place.any()
    for keep in (12, 50):
        all_kept = NEAR.replace(keep=keep)
        assert not needing_draws(with_noise(scores, 1e3), GEOMETRY, all_kept).place.any()


def test_needing_draws__copies_take_no_part() -> None:
    scores = with_noise(class_scores(12), 1e3)
    copies = {scores.ids[3], scores.ids[7]}
    found = needing_draws(scores, GEOMETRY, NEAR, copies).place
    assert not found[[3, 7]].any()
    assert found.any()


def test_needing_draws__of_a_box_whose_lead_is_noise() -> None:
    """The noise of one image's map is its best box's alone."""
    scores = with_noise(class_scores(6), 0.0)
    select = SelectSettings()
    maps = combined_maps(scores, GEOMETRY, (), select.locate, select.smooth)
    at = locate_class(scores, GEOMETRY, select, maps)
    bucket, one = scores.buckets[0], int(np.flatnonzero(np.isfinite(at.margin))[0])
    kind = "difference_noise" if select.locate == "difference" else "noise"
    noise = np.zeros_like(bucket.noise)
    x, y = int(at.x[one]) // 8, int(at.y[one]) // 8
    noise[one, :, y : y + 4, x : x + 4] = 5.0
    scores = replace(scores, buckets=(replace(bucket, **{kind: noise}),))
    found = needing_draws(scores, GEOMETRY, NEAR.replace(keep=6))
    assert found.box.tolist() == [row == one for row in range(6)]
    assert not found.place.any()
