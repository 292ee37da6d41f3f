"""Summed areas, boxes and features against loops over a fine grid and over all positions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.synthetic import MIXED, synthetic_run

from dsel.core import box_search as patches
from dsel.core.box_search import (
    best_boxes,
    box_means,
    boxes_with,
    check_patch,
    combine_timesteps,
    patch_features,
    positions,
    summed_area,
    timestep_losses,
)
from dsel.errors import SettingError

Doubles = NDArray[np.float64]


def random_maps(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def overlap(start: float, length: float, cell: int) -> float:
    return max(0.0, min(start + length, cell + 1) - max(start, cell))


def slow_mean(
    one_map: NDArray[np.floating], x: float, y: float, width: float, height: float
) -> float:
    """Mean of a map of unit cells inside a box: the definition, cell by cell."""
    total = sum(
        float(one_map[row, column]) * overlap(x, width, column) * overlap(y, height, row)
        for row in range(one_map.shape[0])
        for column in range(one_map.shape[1])
    )
    return total / (width * height)


def test_combine_timesteps__by_hand() -> None:
    gap = np.array([[[[2.0, 4.0]], [[30.0, -10.0]]]], np.float16)  # (1, 2, 1, 2)
    found = combine_timesteps(gap, np.array([2.0, 10.0]))
    np.testing.assert_allclose(found, [[[(1 + 3) / 2, (2 - 1) / 2]]])
    assert found.dtype == np.float32


def test_combine_timesteps__positive_drops_what_misleads_before_the_mean() -> None:
    gap = np.array([[[[2.0, 4.0]], [[30.0, -10.0]]]], np.float16)
    found = combine_timesteps(gap, np.array([2.0, 10.0]), positive=True)
    np.testing.assert_allclose(found, [[[(1 + 3) / 2, (2 - 0) / 2]]])


def test_combine_timesteps__float16_is_not_added_in_float16() -> None:
    gap = np.full((1, 1000, 1, 1), 1e-4, np.float16)
    found = combine_timesteps(gap, np.ones(1000))
    np.testing.assert_allclose(found, np.float32(np.float16(1e-4)), rtol=1e-4)


def test_timestep_losses__by_hand() -> None:
    losses = np.array([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[10.0, 16.0]], [[0.0, 0.0]]]])
    np.testing.assert_allclose(timestep_losses(losses), [(2 + 13) / 2, 1.0])  # of nothing: 1


def test_timestep_losses__are_those_of_a_finished_run(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=5)
    losses = np.concatenate([run.class_scores(index).buckets[0].conditional for index in range(2)])
    np.testing.assert_allclose(run.summary.losses, timestep_losses(losses), rtol=1e-3)


def test_timestep_losses__of_a_run_of_many_shapes_each_image_counts_alike(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=11, sizes=MIXED)
    buckets = [bucket for index in range(2) for bucket in run.class_scores(index).buckets]
    assert len({bucket.gap.shape[2:] for bucket in buckets}) > 3
    images = [one.astype(np.float64) for bucket in buckets for one in bucket.conditional]
    expected = np.mean([one.mean(axis=(1, 2)) for one in images], axis=0)  # of (T, h, w) each
    np.testing.assert_allclose(run.summary.losses, expected, rtol=1e-3)


def test_summed_area__by_hand() -> None:
    table = summed_area(np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32))
    assert table.tolist() == [[[0, 0, 0], [0, 1, 3], [0, 4, 10]]]
    assert table.dtype == np.float64


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 99),
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=4, max_size=4),
)  # fmt: skip
def test_box_means__mean_over_a_fine_grid(
    rows: int, columns: int, seed: int, spans: list[tuple[int, int]]
) -> None:
    """Boxes on eighths of a cell: each cell is drawn as 8 x 8 pixels, and pixels are averaged."""
    maps = random_maps(2, rows, columns, seed=seed)
    fine = maps.repeat(8, axis=1).repeat(8, axis=2).astype(np.float64)
    (x0, x1), (y0, y1) = (
        sorted(v % (8 * n + 1) for v in span)
        for span, n in zip(spans[:2], (columns, rows), strict=True)
    )
    if x0 == x1 or y0 == y1:
        return
    found = box_means(
        summed_area(maps), np.array([x0 / 8]), np.array([y0 / 8]), (x1 - x0) / 8, (y1 - y0) / 8
    )
    np.testing.assert_allclose(found[:, 0, 0], fine[:, y0:y1, x0:x1].mean(axis=(1, 2)), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99), x=st.floats(0, 3), y=st.floats(0, 2),
    width=st.floats(0.1, 2), height=st.floats(0.1, 3),
)  # fmt: skip
def test_box_means__any_fraction_of_a_cell(
    seed: int, x: float, y: float, width: float, height: float
) -> None:
    maps = random_maps(1, 5, 5, seed=seed)
    found = box_means(summed_area(maps), np.array([x]), np.array([y]), width, height)[0, 0, 0]
    assert found == pytest.approx(slow_mean(maps[0], x, y, width, height), abs=1e-7)


def test_box_means__all_pairs_of_corners() -> None:
    maps = random_maps(3, 4, 6)
    x, y = np.array([0.0, 1.5, 4.0]), np.array([0.25, 2.0])
    found = box_means(summed_area(maps), x, y, 2.0, 1.5)
    assert found.shape == (3, 2, 3)
    for n, row, column in np.ndindex(found.shape):
        assert found[n, row, column] == pytest.approx(
            slow_mean(maps[n], x[column], y[row], 2.0, 1.5), abs=1e-9
        )


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
def test_best_boxes__brute_force_over_all_positions(
    rows: int, columns: int, cell_px: float, patch_px: int, stride_px: float, count: int, seed: int
) -> None:
    width, height = int(columns * cell_px), int(rows * cell_px)
    if patch_px > min(width, height) or count > (width // patch_px) * (height // patch_px):
        return
    maps = random_maps(2, rows, columns, seed=seed)
    found = best_boxes(maps, cell_px, patch_px, stride_px, count)
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
def test_best_boxes__lie_inside_and_apart(
    cells: int, patch_px: int, stride_px: int, count: int, seed: int
) -> None:
    side = cells * 8
    if patch_px > side or count > (side // patch_px) ** 2:
        return
    found = best_boxes(random_maps(3, cells, cells, seed=seed), 8, patch_px, stride_px, count)
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
def test_boxes_with__brute_force_over_all_positions(
    rows: int, columns: int, cell_px: int, patch_px: int, stride_px: float, count: int, seed: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    width, height = columns * cell_px, rows * cell_px
    if patch_px > min(width, height) or count > (width // patch_px) * (height // patch_px):
        return
    maps = random_maps(1, rows, columns, seed=seed)
    x = data.draw(st.integers(0, width - patch_px))
    y = data.draw(st.integers(0, height - patch_px))
    found = boxes_with(maps, cell_px, patch_px, stride_px, count, x, y)
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
def test_boxes_with__the_best_box_itself_changes_nothing(count: int) -> None:
    for n, one in enumerate(random_maps(20, 6, 8, seed=count)):
        how = (one[None], 8, 20, 4, count)
        found = best_boxes(*how)
        again = boxes_with(*how, found.x[0, 0], found.y[0, 0])
        for name in ("x", "y", "score", "margin"):
            there, expected = getattr(again, name), getattr(found, name)
            assert np.array_equal(there, expected, equal_nan=True), (n, name)


def test_best_boxes__of_equal_boxes_the_topmost_then_leftmost_wins() -> None:
    found = best_boxes(np.zeros((1, 4, 4)), cell_px=8, patch_px=16, stride_px=8, count=3)
    assert found.x.tolist() == [[0, 16, 0]]
    assert found.y.tolist() == [[0, 0, 16]]
    assert found.margin.tolist() == [0]
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = maps[0, 2, 0] = 1.0
    found = best_boxes(maps, cell_px=1, patch_px=1, stride_px=1)
    assert (found.x.item(), found.y.item()) == (2, 1)


def test_best_boxes__boxes_inside_one_cell_are_equal_but_for_rounding() -> None:
    maps = np.array([[[0.1, 0.7], [0.3, 0.7]]]) / 3
    found = best_boxes(maps, cell_px=7, patch_px=3, stride_px=0.7, count=2)
    assert (found.x[0, 0], found.y[0, 0]) == pytest.approx((7, 0))
    assert (found.x[0, 1], found.y[0, 1]) == pytest.approx((10.5, 0))
    assert found.margin.item() == pytest.approx(0, abs=1e-9)


def test_best_boxes__margin_by_hand() -> None:
    maps = np.array([[[1.0, 5.0, 2.0, 3.0]]])
    maps = maps.repeat(2, axis=1)
    found = best_boxes(maps, cell_px=1, patch_px=2, stride_px=1)
    # boxes hold 3, 3.5 and 2.5; all overlap or touch the best one at x = 1: none is apart
    assert found.x.item() == 1
    assert found.score.item() == pytest.approx(3.5)
    assert np.isnan(found.margin).all()
    single = best_boxes(maps[:, :1], cell_px=1, patch_px=1, stride_px=1)
    assert single.margin.item() == pytest.approx(5 - 3)


def test_best_boxes__the_rest_is_minus_infinity_where_no_more_fit() -> None:
    maps = np.zeros((1, 3, 3))
    maps[0, 1, 1] = 1.0  # a box of 2.0 cells over the centre leaves room for none beside it
    found = best_boxes(maps, cell_px=2, patch_px=3, stride_px=1, count=2)
    assert found.score[0, 0] > 0
    assert np.isfinite(found.score[0, 1]) == (found.x[0, 0] in (0, 3) or found.y[0, 0] in (0, 3))
    crowded = best_boxes(maps, cell_px=2, patch_px=2, stride_px=1, count=9)
    kept = np.isfinite(crowded.score[0]).sum()
    assert crowded.score.shape == (1, 9)
    assert 1 <= kept <= 9


def test_best_boxes__find_the_bright_square() -> None:
    maps = np.zeros((2, 16, 16), np.float32)
    maps[0, 3:7, 9:13] = 1
    maps[1, 12:16, 0:4] = 1
    found = best_boxes(maps, cell_px=8, patch_px=32, stride_px=8)
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
        best_boxes(np.zeros((1, 8, 12)), 8, patch_px, 8)


def test_check_patch__number_says_what_would_be_right() -> None:
    check_patch(32, 6, 96, 64)
    with pytest.raises(SettingError, match="at most 6 patches of 32 px fit side by side in 96 x"):
        check_patch(32, 7, 96, 64)
    with pytest.raises(SettingError, match="at most 1 patches of 33 px"):
        best_boxes(np.zeros((1, 8, 8)), 8, 33, 8, count=2)


def slow_feature(
    grid: NDArray[np.floating], x: float, y: float, patch_px: float, width: float, height: float
) -> Doubles:
    """Mean of the feature under each of many points spread evenly over the box."""
    points = (np.arange(400) + 0.5) / 400 * patch_px
    cells = len(grid)
    rows = ((y + points) / height * cells).astype(int).clip(0, cells - 1)
    columns = ((x + points) / width * cells).astype(int).clip(0, cells - 1)
    return grid[np.ix_(rows, columns)].mean(axis=(0, 1), dtype=np.float64)


@settings(max_examples=25, deadline=None)
@given(
    g=st.integers(1, 6), seed=st.integers(0, 99), patch_px=st.integers(1, 128),
    x=st.floats(0, 1), y=st.floats(0, 1),
)  # fmt: skip
def test_patch_features__mean_under_the_box(
    g: int, seed: int, patch_px: int, x: float, y: float
) -> None:
    """In a square, a wide and a tall picture at once."""
    features = random_maps(3, g, g, 3, seed=seed)
    width, height = np.array([128.0, 240.0, 128.0]), np.array([128.0, 128.0, 192.0])
    xs, ys = x * (width - patch_px), y * (height - patch_px)
    found = patch_features(features, xs, ys, patch_px, width, height)
    assert found.dtype == np.float32
    for n in range(3):
        expected = slow_feature(features[n], xs[n], ys[n], patch_px, width[n], height[n])
        np.testing.assert_allclose(found[n], expected, atol=0.03)


@settings(max_examples=25, deadline=None)
@given(g=st.integers(1, 9), seed=st.integers(0, 99), patch_px=st.integers(1, 100))
def test_patch_features__of_squares_are_what_one_side_gives(
    g: int, seed: int, patch_px: int
) -> None:
    """To the bit what was computed while all pictures were squares of one side."""
    features = random_maps(5, g, g, 4, seed=seed).astype(np.float16)
    x, y = np.random.default_rng(seed).uniform(0, 100 - patch_px, (2, 5))
    scale, edges = g / 100, np.arange(g)[None, :]

    def overlaps(start: Doubles) -> Doubles:
        end = np.minimum(start[:, None] + patch_px * scale, edges + 1)
        return np.clip(end - np.maximum(start[:, None], edges), 0.0, 1.0)

    weights = overlaps(y * scale)[:, :, None] * overlaps(x * scale)[:, None, :]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    mean = np.einsum("nyx,nyxd->nd", weights, np.asarray(features, np.float32), optimize=True)
    found = patch_features(features, x, y, patch_px, np.full(5, 100.0), np.full(5, 100.0))
    assert np.array_equal(found, mean.astype(np.float32))


def test_patch_features__weights_by_hand() -> None:
    features = np.arange(4, dtype=np.float16).reshape(1, 2, 2, 1)  # 0 1 / 2 3 over 64 px
    side = np.array([64.0])
    for x, y, patch_px, expected in (
        (0, 0, 32, 0), (32, 0, 32, 1), (0, 32, 16, 2), (0, 0, 64, 1.5),
        (16, 0, 32, 0.5), (24, 24, 16, 1.5), (0, 8, 32, 0.25 * 2),
    ):  # fmt: skip
        found = patch_features(features, np.array([x]), np.array([y]), patch_px, side, side)
        assert found.item() == pytest.approx(expected)
    # Over 128 x 64 px: the left half is 64 px wide.
    for x, y, patch_px, expected in (
        (0, 0, 32, 0),
        (32, 0, 32, 0),
        (64, 0, 32, 1),
        (48, 0, 32, 0.5),
    ):
        at = np.array([x]), np.array([y])
        found = patch_features(features, *at, patch_px, 2 * side, side)
        assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("dim", [2, 5, 64])
@pytest.mark.parametrize("at_once", [1, 300, 1 << 17])
def test_patch_features__the_bits_do_not_depend_on_how_it_is_cut_up(
    monkeypatch: pytest.MonkeyPatch, dim: int, at_once: int
) -> None:
    """Of several patches per image, each one by the formula over the whole of its grid."""
    rng = np.random.default_rng(dim)
    features = rng.normal(size=(6, 8, 8, dim)).astype(np.float16)
    image = rng.integers(0, 6, 40)
    side, patch_px = np.full(40, 128.0), 41
    x, y = rng.uniform(0, 128 - patch_px, (2, 40))
    monkeypatch.setattr(patches, "AT_ONCE", at_once)
    found = patch_features(features, x, y, patch_px, side, side, image)
    edges = np.arange(8)[None, :]
    across, down = (
        np.clip(
            np.minimum((at / 16 + patch_px / 16)[:, None], edges + 1)
            - np.maximum((at / 16)[:, None], edges), 0.0, 1.0,
        )
        for at in (x, y)
    )  # fmt: skip
    weights = down[:, :, None] * across[:, None, :]
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    whole = np.einsum("nyx,nyxd->nd", weights, features[image].astype(np.float32))
    assert np.array_equal(found, whole.astype(np.float32))


@pytest.mark.parametrize("at_once", [1, 1000, 5000])
@pytest.mark.parametrize(("patch_px", "stride_px", "count"), [(24, 8, 1), (17, 3, 4)])
def test_best_boxes__the_bits_do_not_depend_on_how_it_is_cut_up(
    monkeypatch: pytest.MonkeyPatch, at_once: int, patch_px: int, stride_px: int, count: int
) -> None:
    gap = random_maps(30, 3, 9, 11, seed=1).astype(np.float16)
    losses = np.array([0.5, 0.3, 0.7], np.float32)
    whole = combine_timesteps(gap, losses, positive=True)
    expected = best_boxes(whole, 8, patch_px, stride_px, count)
    monkeypatch.setattr(patches, "AT_ONCE", at_once)
    maps = combine_timesteps(gap, losses, positive=True)
    assert np.array_equal(maps, whole)
    found = best_boxes(maps, 8, patch_px, stride_px, count)
    for name in ("x", "y", "score", "margin"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_patch_features__none_for_no_patches() -> None:
    none = np.zeros(0)
    assert patch_features(np.zeros((0, 4, 4, 7)), none, none, 8, none, none).shape == (0, 7)
