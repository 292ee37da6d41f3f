"""The boxes with the largest means, against loops over all positions with exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from support.drawn_class import GEOMETRY, SHAPES, class_scores
from support.selecting import select_class
from support.slow_maps import random_maps, slow_mean

from dsel.config import SelectSettings
from dsel.core import chunks
from dsel.core.box_search import (
    check_patch,
    largest_mean_boxes,
    largest_mean_boxes_with,
    leading_boxes,
    patch_size,
    positions,
)
from dsel.errors import SettingError


@pytest.mark.parametrize(
    ("side", "patch", "stride", "expected"),
    [
        (10, 4, 3, [0, 3, 6]),
        (10, 4, 4, [0, 4, 6]),
        (10, 10, 1, [0]),
        (10, 4, 100, [0, 6]),
        (1.0, 0.5, 0.2, [0, 0.2, 0.4, 0.5]),
        (64, 32, 8, [0, 8, 16, 24, 32]),
        (0.9, 0.3, 0.1, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ],
)
def test_positions__by_hand(
    side: float, patch: float, stride: float, expected: list[float]
) -> None:
    np.testing.assert_allclose(positions(side, patch, stride), expected, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(side=st.integers(1, 600), patch=st.integers(1, 600), stride=st.integers(1, 600))
def test_positions__reach_both_ends_and_stay_inside(side: int, patch: int, stride: int) -> None:
    if patch > side:
        return
    found = positions(side, patch, stride)
    assert found[0] == 0
    assert found[-1] == side - patch
    steps = np.diff(found)
    assert (steps > 0).all()
    assert (steps <= stride).all()


def brute_force(
    one_map: NDArray[np.floating], cell_px: float, patch_px: float, stride_px: float, count: int,
    taken: Sequence[tuple[float, float]] = (),
) -> list[tuple[float, float, float]]:  # fmt: skip
    """Greedy choice over all positions, with exact fractions deciding what overlaps.

    Boxes with corners in `taken` are there already.
    """
    rows, columns = one_map.shape
    step, side = Fraction(stride_px), Fraction(patch_px)

    def corners(length: Fraction) -> list[Fraction]:
        last = length - side
        found = [step * i for i in range(int(last // step) + 1)]
        return found if found[-1] == last else [*found, last]

    places = [
        (x, y)
        for y in corners(rows * Fraction(cell_px))
        for x in corners(columns * Fraction(cell_px))
    ]
    places = [
        p for p in places
        if all(abs(p[0] - x) >= side or abs(p[1] - y) >= side for x, y in taken)
    ]  # fmt: skip
    unit = patch_px / cell_px
    means = {p: slow_mean(one_map, p[0] / cell_px, p[1] / cell_px, unit, unit) for p in places}
    chosen: list[tuple[float, float, float]] = []
    for _ in range(count):
        if not places:
            chosen.append((0.0, 0.0, -np.inf))
            continue
        top = max(means[p] for p in places) - 1e-9
        best = next(p for p in places if means[p] >= top)  # row by row, from the left
        chosen.append((float(best[0]), float(best[1]), means[best]))
        places = [p for p in places if abs(p[0] - best[0]) >= side or abs(p[1] - best[1]) >= side]
    return chosen


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 6), columns=st.integers(1, 6), cell_px=st.sampled_from([1, 4, 8, 7, 2.5]),
    patch_px=st.integers(1, 30), stride_px=st.sampled_from([1.5, 2, 3, 4, 7, 8, 16]),
    count=st.integers(1, 3), seed=st.integers(0, 999),
)  # fmt: skip
def test_largest_mean_boxes__brute_force_over_all_positions(
    rows: int, columns: int, cell_px: float, patch_px: int, stride_px: float, count: int, seed: int
) -> None:
    width, height = int(columns * cell_px), int(rows * cell_px)
    if patch_px > min(width, height) or count > (width // patch_px) * (height // patch_px):
        return
    maps = random_maps(2, rows, columns, seed=seed)
    found = largest_mean_boxes(maps, cell_px, patch_px, stride_px, count)
    assert found.x.shape == found.y.shape == found.score.shape == (2, count)
    for n in range(2):
        expected = brute_force(maps[n], cell_px, patch_px, stride_px, count + 1)
        for nth, (x, y, score) in enumerate(expected[:count]):
            assert found.score[n, nth] == pytest.approx(score, abs=1e-6)
            assert np.isinf(score) or (found.x[n, nth], found.y[n, nth]) == pytest.approx((x, y))
        lead = expected[0][2] - expected[1][2]
        assert np.isnan(found.margin[n]) == np.isinf(lead)
        assert np.isinf(lead) or found.margin[n] == pytest.approx(lead, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    cells=st.integers(2, 12), patch_px=st.integers(1, 96), stride_px=st.integers(1, 20),
    count=st.integers(2, 6), seed=st.integers(0, 99),
)  # fmt: skip
def test_largest_mean_boxes__lie_inside_and_apart(
    cells: int, patch_px: int, stride_px: int, count: int, seed: int
) -> None:
    side = cells * 8
    if patch_px > side or count > (side // patch_px) ** 2:
        return
    found = largest_mean_boxes(
        random_maps(3, cells, cells, seed=seed), 8, patch_px, stride_px, count
    )
    for xs, ys, scores in zip(found.x, found.y, found.score, strict=True):
        there = np.isfinite(scores)
        assert there[0]
        assert (np.diff(scores[there]) <= 0).all()
        xs, ys = xs[there], ys[there]
        assert min(xs.min(), ys.min()) >= 0
        assert max(xs.max(), ys.max()) + patch_px <= side
        for one in range(len(xs)):
            for other in range(one):
                apart = max(abs(xs[one] - xs[other]), abs(ys[one] - ys[other]))
                assert apart >= patch_px - 1e-9


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6), columns=st.integers(1, 6), cell_px=st.sampled_from([1, 4, 8, 7]),
    patch_px=st.integers(1, 30), stride_px=st.sampled_from([1.5, 2, 3, 4, 7, 8, 16]),
    count=st.integers(1, 3), seed=st.integers(0, 999), data=st.data(),
)  # fmt: skip
def test_largest_mean_boxes_with__brute_force_over_all_positions(
    rows: int, columns: int, cell_px: int, patch_px: int, stride_px: float, count: int, seed: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    width, height = columns * cell_px, rows * cell_px
    if patch_px > min(width, height) or count > (width // patch_px) * (height // patch_px):
        return
    maps = random_maps(1, rows, columns, seed=seed)
    x = data.draw(st.integers(0, width - patch_px))
    y = data.draw(st.integers(0, height - patch_px))
    found = largest_mean_boxes_with(maps, cell_px, patch_px, stride_px, count, x, y)
    how = (maps[0], cell_px, patch_px, stride_px)
    unit = patch_px / cell_px
    mean = slow_mean(maps[0], x / cell_px, y / cell_px, unit, unit)
    best = brute_force(*how, 1)[0][:2]
    further = brute_force(*how, count - 1, [best, (x, y)])
    for nth, (at_x, at_y, score) in enumerate([(x, y, mean), *further]):
        assert found.score[0, nth] == pytest.approx(score, abs=1e-6)
        assert np.isinf(score) or (found.x[0, nth], found.y[0, nth]) == pytest.approx((at_x, at_y))
    lead = mean - brute_force(*how, 1, [(x, y)])[0][2]
    assert np.isnan(found.margin[0]) == np.isinf(lead)
    assert np.isinf(lead) or found.margin[0] == pytest.approx(lead, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_largest_mean_boxes_with__the_best_box_itself_changes_nothing(count: int) -> None:
    for n, one in enumerate(random_maps(20, 6, 8, seed=count)):
        how = (one[None], 8, 20, 4, count)
        found = largest_mean_boxes(*how)
        again = largest_mean_boxes_with(*how, found.x[0, 0], found.y[0, 0])
        for name in ("x", "y", "score", "margin"):
            there, expected = getattr(again, name), getattr(found, name)
            assert np.array_equal(there, expected, equal_nan=True), (n, name)


def test_largest_mean_boxes__of_equal_boxes_the_topmost_then_leftmost_wins() -> None:
    found = largest_mean_boxes(np.zeros((1, 4, 4)), cell_px=8, patch_px=16, stride_px=8, count=3)
    assert found.x.tolist() == [[0, 16, 0]]
    assert found.y.tolist() == [[0, 0, 16]]
    assert found.margin.tolist() == [0]
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = maps[0, 2, 0] = 1.0
    found = largest_mean_boxes(maps, cell_px=1, patch_px=1, stride_px=1)
    assert (found.x.item(), found.y.item()) == (2, 1)


def test_largest_mean_boxes__boxes_inside_one_cell_are_equal_but_for_rounding() -> None:
    maps = np.array([[[0.1, 0.7], [0.3, 0.7]]]) / 3
    found = largest_mean_boxes(maps, cell_px=7, patch_px=3, stride_px=0.7, count=2)
    assert (found.x[0, 0], found.y[0, 0]) == pytest.approx((7, 0))
    assert (found.x[0, 1], found.y[0, 1]) == pytest.approx((10.5, 0))
    assert found.margin.item() == pytest.approx(0, abs=1e-9)


def test_largest_mean_boxes__margin_by_hand() -> None:
    maps = np.array([[[1.0, 5.0, 2.0, 3.0]]])
    maps = maps.repeat(2, axis=1)
    found = largest_mean_boxes(maps, cell_px=1, patch_px=2, stride_px=1)
    # boxes hold 3, 3.5 and 2.5; all overlap or touch the best one at x = 1: none is apart
    assert found.x.item() == 1
    assert found.score.item() == pytest.approx(3.5)
    assert np.isnan(found.margin).all()
    single = largest_mean_boxes(maps[:, :1], cell_px=1, patch_px=1, stride_px=1)
    assert single.margin.item() == pytest.approx(5 - 3)


def test_largest_mean_boxes__the_rest_is_minus_infinity_where_no_more_fit() -> None:
    maps = np.zeros((1, 3, 3))
    maps[0, 1, 1] = 1.0  # a box of 2.0 cells over the centre leaves room for none beside it
    found = largest_mean_boxes(maps, cell_px=2, patch_px=3, stride_px=1, count=2)
    assert found.score[0, 0] > 0
    assert np.isfinite(found.score[0, 1]) == (found.x[0, 0] in (0, 3) or found.y[0, 0] in (0, 3))
    crowded = largest_mean_boxes(maps, cell_px=2, patch_px=2, stride_px=1, count=9)
    kept = np.isfinite(crowded.score[0]).sum()
    assert crowded.score.shape == (1, 9)
    assert 1 <= kept <= 9


@pytest.mark.parametrize(("patch_px", "fits_twice"), [(16.0, True), (17.0, False), (32.0, False)])
def test_leading_boxes__have_a_runner_up_where_one_fits(patch_px: float, fits_twice: bool) -> None:
    maps = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)
    found = leading_boxes(maps, 8.0, patch_px, 8.0)
    best = largest_mean_boxes(maps, 8.0, patch_px, 8.0)
    for name in ("x", "y", "score"):
        assert_array_equal(getattr(found, name)[:, :1], getattr(best, name))
    if fits_twice:
        two = largest_mean_boxes(maps, 8.0, patch_px, 8.0, 2)
        assert_array_equal(found.score, two.score)
        assert_array_equal(found.margin, two.margin)
    else:
        assert np.isneginf(found.score[:, 1]).all()
        assert np.isnan(found.margin).all()


def test_largest_mean_boxes__find_the_bright_square() -> None:
    maps = np.zeros((2, 16, 16), np.float32)
    maps[0, 3:7, 9:13] = 1
    maps[1, 12:16, 0:4] = 1
    found = largest_mean_boxes(maps, cell_px=8, patch_px=32, stride_px=8)
    assert found.x.ravel().tolist() == [72, 0]
    assert found.y.ravel().tolist() == [24, 96]
    np.testing.assert_allclose(found.score, 1)
    np.testing.assert_allclose(found.margin, 1)


@pytest.mark.parametrize("patch_px", [0, 0.5, -8, 65, 1000])
def test_check_patch__size_says_what_would_be_right(patch_px: float) -> None:
    expected = rf"between 1 and 64 px for 96 x 64 px images, got {patch_px:g}$"
    with pytest.raises(SettingError, match=expected):
        check_patch(patch_px, 1, 96, 64)
    with pytest.raises(SettingError, match=expected):
        largest_mean_boxes(np.zeros((1, 8, 12)), 8, patch_px, 8)


def test_check_patch__number_says_what_would_be_right() -> None:
    check_patch(32, 6, 96, 64)
    with pytest.raises(SettingError, match="at most 6 patches of 32 px fit side by side in 96 x"):
        check_patch(32, 7, 96, 64)
    with pytest.raises(SettingError, match="at most 1 patches of 33 px"):
        largest_mean_boxes(np.zeros((1, 8, 8)), 8, 33, 8, count=2)


@pytest.mark.parametrize("at_once", [1, 1000, 5000])
@pytest.mark.parametrize(("patch_px", "stride_px", "count"), [(24, 8, 1), (17, 3, 4)])
def test_largest_mean_boxes__the_bits_do_not_depend_on_how_it_is_cut_up(
    monkeypatch: pytest.MonkeyPatch, at_once: int, patch_px: int, stride_px: int, count: int
) -> None:
    maps = random_maps(30, 9, 11, seed=1)
    expected = largest_mean_boxes(maps, 8, patch_px, stride_px, count)
    monkeypatch.setattr(chunks, "AT_ONCE", at_once)
    found = largest_mean_boxes(maps, 8, patch_px, stride_px, count)
    for name in ("x", "y", "score", "margin"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_patch_size__half_by_default() -> None:
    assert patch_size(SelectSettings(), GEOMETRY) == 32
    assert patch_size(SelectSettings(patch_px=20), GEOMETRY) == 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch_px": 65}, "patch size must be between 1 and 64 px for 64 x 64 px images, got 65"),
        ({"per_image": 5}, "at most 4 patches of 32 px fit side by side in 64 x 64 px, got 5"),
        ({"patch_px": 33, "per_image": 2}, "at most 1 patches of 33 px"),
    ],
)
def test_patch_size__says_what_would_be_right(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        select_class(class_scores(3), GEOMETRY, SelectSettings(**settings))


def test_patch_size__is_held_against_the_shorter_side() -> None:
    scores = class_scores(8, shapes=SHAPES[1:])
    with pytest.raises(SettingError, match="between 1 and 64 px for 64 x 64 px images, got 65"):
        select_class(scores, GEOMETRY, SelectSettings(patch_px=65))
    found = select_class(scores, GEOMETRY, SelectSettings(patch_px=64))
    assert len(found.patches) == 8
