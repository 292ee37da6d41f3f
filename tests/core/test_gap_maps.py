"""Gap maps combined over timesteps, and the losses that they are divided by."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from support.drawn_class import GEOMETRY, SHAPES, class_scores, squares
from support.slow_maps import random_maps
from support.synthetic import MIXED, synthetic_run

from dsel.core import chunks
from dsel.core.gap_maps import (
    MapKind,
    combine_timesteps,
    combined_map,
    combined_maps,
    image_bucket,
    image_losses,
    mean_losses,
    smoothed,
    timestep_columns,
)
from dsel.errors import SettingError


def timestep_losses(conditional: np.ndarray) -> np.ndarray:
    return mean_losses(image_losses(conditional).sum(axis=0), len(conditional))


def test_combined_maps__of_each_bucket() -> None:
    scores = class_scores(9, shapes=SHAPES)
    found = combined_maps(scores, GEOMETRY, (500,), "positive")
    assert len(found) == len(scores.buckets) == 4
    for bucket, maps in zip(scores.buckets, found, strict=True):
        expected = np.maximum(bucket.gap[:, 1].astype(np.float32), 0) / 2
        np.testing.assert_allclose(maps, expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["difference", "positive", "signed"])
def test_combined_maps__each_kind_smoothed_after_it_is_combined(kind: MapKind) -> None:
    scores = class_scores(9, shapes=SHAPES)
    plain = combined_maps(scores, GEOMETRY, (), kind)
    smooth = combined_maps(scores, GEOMETRY, (), kind, 1.5)
    for bucket, rough, fine in zip(scores.buckets, plain, smooth, strict=True):
        stored = bucket.difference if kind == "difference" else bucket.gap
        counted = np.maximum(stored, 0) if kind == "positive" else stored
        expected = (counted.astype(np.float64) / np.array([1, 2])[:, None, None]).mean(axis=1)
        np.testing.assert_allclose(rough, expected, rtol=1e-5, atol=1e-6)
        assert fine.dtype == np.float32
        for one, whole in zip(fine, rough, strict=True):  # each image on its own
            np.testing.assert_allclose(one, slow_smooth(whole, 1.5), atol=1e-6)


def slow_smooth(one: np.ndarray, cells: float) -> np.ndarray:
    """The definition: weights exp(-d^2 / 2 s^2) up to 4 s along each axis, mirrored edges."""
    reach = int(4 * cells + 0.5)
    weights = {d: math.exp(-(d**2) / (2 * cells**2)) for d in range(-reach, reach + 1)}
    total = sum(weights.values())

    def mirrored(at: int, size: int) -> int:
        turn = at % (2 * size)  # ... b a | a b c | c b ...
        return turn if turn < size else 2 * size - 1 - turn

    rows, columns = one.shape
    found = np.zeros(one.shape)
    for row, column in np.ndindex(rows, columns):
        found[row, column] = sum(
            weights[i] * weights[j] / total**2
            * one[mirrored(row + i, rows), mirrored(column + j, columns)]
            for i in weights for j in weights
        )  # fmt: skip
    return found


@pytest.mark.parametrize("cells", [0.3, 1.0, 2.0])
def test_smoothed__slow_definition(cells: float) -> None:
    maps = random_maps(2, 5, 7, seed=3)
    found = smoothed(maps, cells)
    for one, expected in zip(found, maps, strict=True):
        np.testing.assert_allclose(one, slow_smooth(expected, cells), atol=1e-6)


def test_smoothed__keeps_the_mean_and_spreads_a_single_cell_as_a_gaussian() -> None:
    maps = random_maps(3, 9, 11, seed=4)
    for cells in (0.5, 2.0, 8.0):
        np.testing.assert_allclose(
            smoothed(maps, cells).mean(axis=(1, 2)), maps.mean(axis=(1, 2)), atol=1e-6
        )
    assert smoothed(maps, 0) is maps
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    spread = smoothed(point, 2.0)
    offsets = np.arange(41) - 20
    variance = (spread.sum(axis=0) * offsets**2).sum()
    assert variance == pytest.approx(2.0**2, rel=0.01)
    assert spread[20, 22] / spread[20, 20] == pytest.approx(math.exp(-0.5), rel=1e-4)


@pytest.mark.parametrize("at_once", [1, 1000, 5000])
def test_combine_timesteps__the_bits_do_not_depend_on_how_it_is_cut_up(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    gap = random_maps(30, 3, 9, 11, seed=1).astype(np.float16)
    losses = np.array([0.5, 0.3, 0.7], np.float32)
    whole = combine_timesteps(gap, losses, positive=True)
    monkeypatch.setattr(chunks, "AT_ONCE", at_once)
    assert np.array_equal(combine_timesteps(gap, losses, positive=True), whole)


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


def test_mean_losses__by_hand() -> None:
    losses = np.array([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[10.0, 16.0]], [[0.0, 0.0]]]])
    np.testing.assert_allclose(timestep_losses(losses), [(2 + 13) / 2, 1.0])  # of nothing: 1


def test_mean_losses__are_those_of_a_finished_run(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=5)
    losses = np.concatenate([run.class_scores(index).buckets[0].conditional for index in range(2)])
    np.testing.assert_allclose(run.summary.losses, timestep_losses(losses), rtol=1e-3)


def test_mean_losses__of_a_run_of_many_shapes_each_image_counts_alike(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=11, sizes=MIXED)
    buckets = [bucket for index in range(2) for bucket in run.class_scores(index).buckets]
    assert len({bucket.gap.shape[2:] for bucket in buckets}) > 3
    images = [one.astype(np.float64) for bucket in buckets for one in bucket.conditional]
    expected = np.mean([one.mean(axis=(1, 2)) for one in images], axis=0)  # of (T, h, w) each
    np.testing.assert_allclose(run.summary.losses, expected, rtol=1e-3)


def test_combined_map__each_timestep_on_its_own_scale() -> None:
    _, bucket = squares(3)
    gap = bucket.gap.astype(np.float64)
    np.testing.assert_allclose(
        combined_map(bucket, GEOMETRY, (), "signed"),
        gap[:, 0] / 2 + gap[:, 1] / 4,
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        combined_map(bucket, GEOMETRY, (500,), "signed"),
        gap[:, 1] / 2,
        rtol=1e-5,
        atol=1e-6,
    )


def test_timestep_columns__by_hand() -> None:
    assert timestep_columns((), (7, 3, 9)) == [0, 1, 2]
    assert timestep_columns((9, 7), (7, 3, 9)) == [2, 0]
    with pytest.raises(SettingError, match="timestep 4 was not scored in this run; scored are 7,"):
        timestep_columns((9, 4), (7, 3, 9))


def test_image_bucket__by_hand() -> None:
    scores = class_scores(9, shapes=SHAPES)
    for row in range(9):
        bucket = image_bucket(scores, row)
        assert bucket.rows.tolist() == [row]
        assert bucket.gap.shape == bucket.conditional.shape == (1, 2, *SHAPES[row % 4])
    with pytest.raises(IndexError, match="has 9 scored images, no row 9"):
        image_bucket(scores, 9)
