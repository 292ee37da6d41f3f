"""Locating the patches of one class, on drawn gap maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import (
    CELL_PX,
    GEOMETRY,
    PX,
    SHAPES,
    alone,
    class_scores,
    squares,
    with_gap,
)
from support.selecting import BY_PATCH
from support.slow_patches import slow_patches, slow_repeated

from dsel.config import SelectSettings
from dsel.core.clustering import Clusters
from dsel.core.gap_maps import combined_map, combined_maps, image_bucket
from dsel.core.selection import (
    Located,
    Scored,
    locate_class,
    ranked_patches,
    ranking_scores,
    repeated,
    score_class,
    without_images,
)
from dsel.types import Box, ClassScores


def locate(scores: ClassScores, settings: SelectSettings) -> Located:
    how = settings.timesteps, settings.locate, settings.smooth
    maps = combined_maps(scores, GEOMETRY, *how)
    return locate_class(scores, GEOMETRY, settings, maps)


def score(scores: ClassScores, settings: SelectSettings = BY_PATCH) -> Scored:
    maps = combined_maps(scores, GEOMETRY, settings.timesteps, settings.score)
    return score_class(scores, locate(scores, settings), GEOMETRY, settings, maps)


def test_locate_class__finds_the_bright_square() -> None:
    scores, bucket = squares(6)
    scored = score(scores)
    located = scored.located
    maps = combined_map(bucket, GEOMETRY, (), "positive")
    for n in range(6):
        assert located.image[n] == n
        row, column = int(located.y[n] / 8), int(located.x[n] / 8)
        inside = maps[n, row : row + 4, column : column + 4]
        assert inside.min() > 0.5
        assert scored.patch[n] == pytest.approx(inside.mean(), rel=1e-5)
        assert np.isfinite(located.margin[n]) == any(  # is there room for another box beside it?
            place in (0, 4) for place in (row, column)
        )


def test_locate_class__stride_of_one_pixel_is_never_worse() -> None:
    scores = class_scores(6)
    coarse = score(scores, BY_PATCH.replace(patch_px=20))
    fine = score(scores, BY_PATCH.replace(patch_px=20, stride_px=1))
    assert (fine.patch >= coarse.patch - 1e-9).all()


def test_ranking_scores__by_hand() -> None:
    score = np.array([5.0, 1.0, 4.0, 2.0])
    refined = np.array([False, True, False, True])
    np.testing.assert_allclose(ranking_scores(score, refined), [1, 1, 0, 2], atol=1e-6)
    assert np.argsort(-ranking_scores(score, refined)).tolist() == [3, 1, 0, 2]
    apart = np.array([0.5, 1.0, 0.2, 2.0])
    np.testing.assert_allclose(ranking_scores(apart, refined), apart, atol=1e-6)
    for all_alike in (np.zeros(4, bool), np.ones(4, bool)):
        assert ranking_scores(score, all_alike) is score


@pytest.mark.parametrize(
    "settings",
    [
        SelectSettings(),
        SelectSettings(patch_px=20, stride_px=4, per_image=2, timesteps=(500,)),
        SelectSettings(patch_px=64, locate="signed"),
    ],
)
def test_locate_class__each_image_as_it_would_be_alone(settings: SelectSettings) -> None:
    scores = class_scores(13, seed=3, shapes=SHAPES)
    scored = score(scores, settings)
    mine = scored.located.image
    assert (np.diff(mine) >= 0).all()
    for row in range(13):
        one = score(alone(scores, row), settings)
        for name in ("x", "y", "margin", "features"):
            there = getattr(scored.located, name)[mine == row]
            assert np.array_equal(there, getattr(one.located, name), equal_nan=True), (row, name)
        for name in ("patch", "picture", "patch_error", "picture_error", "ranking"):
            there = getattr(scored, name)[mine == row]
            assert np.array_equal(there, getattr(one, name)), (row, name)


def test_locate_class__boxes_by_the_slow_definition() -> None:
    """All boxes of whole cells on each map, one by one: the first of the largest means wins."""
    scores = class_scores(12, seed=5, shapes=SHAPES)
    scored = score(scores, BY_PATCH.replace(patch_px=24))
    located = scored.located
    assert located.image.tolist() == list(range(12))
    for row in range(12):
        maps = combined_map(image_bucket(scores, row), GEOMETRY, (), "positive")[0]
        rows, columns = SHAPES[row % len(SHAPES)]
        assert maps.shape == (rows, columns)
        means = {
            (8 * x, 8 * y): maps[y : y + 3, x : x + 3].mean(dtype=np.float64)
            for y in range(rows - 2)
            for x in range(columns - 2)
        }
        best = max(means, key=means.__getitem__)
        assert (located.x[row], located.y[row]) == best
        assert scored.patch[row] == pytest.approx(means[best], abs=1e-6)


def test_locate_class__features_come_from_under_the_box() -> None:
    """Each feature names its grid column and row: the middle of the box, as a share, comes back."""
    scores = class_scores(12, seed=7, shapes=SHAPES)
    grid = 16
    columns, rows = np.meshgrid(np.arange(grid) + 0.5, np.arange(grid) + 0.5)
    spread = np.stack([columns, rows], axis=-1) / grid  # (g, g, 2)
    scores = replace(scores, features=np.repeat(spread[None], 12, axis=0).astype(np.float16))
    located = locate(scores, SelectSettings())
    for row, one in enumerate(scores.frames):
        middle = (located.x[row] + 16) / one.proxy_width, (located.y[row] + 16) / one.proxy_height
        assert located.features[row] == pytest.approx(middle, abs=0.02)
    assert max(located.x) > PX - 32  # some lie where a square has no place


def test_locate_class__a_moved_box_by_the_slow_definition() -> None:
    """At any pixel, on maps of any shape: mean over its pixels, lead over all boxes beside it."""
    scores = class_scores(8, seed=2, shapes=SHAPES)
    for row, (x, y) in enumerate([(0, 0), (17, 3), (32, 32), (5, 31), (1, 2), (96, 32), (8, 16)]):
        moves = (f"cat/{row}@{x},{y}",)
        scored = score(scores, BY_PATCH.replace(moves=moves))
        found = scored.located
        maps = combined_map(image_bucket(scores, row), GEOMETRY, (), "positive")[0]
        pixels = maps.astype(np.float64).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        assert (found.x[row], found.y[row]) == (x, y)
        mean = pixels[y : y + 32, x : x + 32].mean()
        assert scored.patch[row] == pytest.approx(mean, abs=1e-9)
        beside = [
            pixels[top : top + 32, left : left + 32].mean()
            for top in range(0, pixels.shape[0] - 31, CELL_PX)
            for left in range(0, pixels.shape[1] - 31, CELL_PX)
            if abs(top - y) >= 32 or abs(left - x) >= 32
        ]
        lead = mean - max(beside) if beside else np.nan
        assert found.margin[row] == pytest.approx(lead, abs=1e-8, nan_ok=True)


def test_score_class__by_hand() -> None:
    """The signed mean inside the box that the positive gap located, and over the whole picture."""
    scores, bucket = squares(1)
    gap = np.zeros_like(bucket.gap)  # (1, 2, 8, 8), losses of 1 and 2
    gap[0, :, 0:4, 0:4] = [[[1.0]], [[2.0]]]  # 1 as a share of the loss, at both timesteps
    gap[0, :, 0:2, 0:4] -= [[[3.0]], [[6.0]]]  # -2 in the upper half
    gap[0, :, 7, 7] = [-16.0, -32.0]
    by_gap = SelectSettings(locate="positive", smooth=0)
    found = score(with_gap(scores, gap), by_gap.replace(rank_by="patch"))
    assert (found.located.x[0], found.located.y[0]) == (0, 0)
    assert found.patch.tolist() == [(8 * 1 + 8 * -2) / 16]
    assert found.picture.tolist() == [(8 * 1 + 8 * -2 - 16) / 64]
    assert found.ranking.tolist() == found.patch.tolist()
    positive = score(with_gap(scores, gap), by_gap.replace(score="positive"))
    assert positive.patch.tolist() == [8 / 16]
    assert positive.picture.tolist() == [8 / 64]
    assert positive.ranking.tolist() == positive.picture.tolist()


@pytest.mark.parametrize("settings", [BY_PATCH, SelectSettings(patch_px=24, per_image=2)])
def test_score_class__slow_definition(settings: SelectSettings) -> None:
    scores = class_scores(9, seed=4, shapes=SHAPES)
    found = score(scores, settings)
    at = found.located
    for n, row in enumerate(at.image.tolist()):
        maps = combined_map(image_bucket(scores, row), GEOMETRY, (), settings.score)[0]
        pixels = maps.astype(np.float64).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        x, y = int(at.x[n]), int(at.y[n])
        inside = pixels[y : y + at.patch_px, x : x + at.patch_px]
        assert found.patch[n] == pytest.approx(inside.mean(), abs=1e-9)
        assert found.picture[n] == pytest.approx(pixels.mean(), abs=1e-9)


def test_score_class__refined_images_come_first_by_either_score() -> None:
    scores = class_scores(8)
    refined = np.arange(8) % 2 == 1
    for rank_by in ("patch", "picture"):
        found = score(replace(scores, refined=refined), SelectSettings(rank_by=rank_by))
        assert found.ranking[refined].min() > found.ranking[~refined].max()


def test_repeated__the_same_cut_of_the_same_image() -> None:
    one, other = [0.0, 0, 8, 8], [1.0, 0, 8, 8]
    image = np.array([0, 0, 0, 1, 1])
    assert repeated(image, np.array([one, other, one, one, one])).tolist() == [
        False, False, True, False, True,
    ]  # fmt: skip
    assert repeated(np.zeros(0, np.int64), np.zeros((0, 4))).tolist() == []


def test_repeated__by_the_slow_definition() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 5, 40):
        image, cuts = rng.integers(0, 4, size), rng.integers(0, 2, (size, 4)).astype(float)
        boxes = [Box(*row) for row in cuts.tolist()]
        assert repeated(image, cuts).tolist() == slow_repeated(image, boxes)


@pytest.mark.parametrize("cut", ["patch", "context", "whole"])
def test_ranked_patches__by_the_slow_definition(cut: str) -> None:
    """The same bits, so that stored selections are the same bytes."""
    scores = class_scores(12, shapes=SHAPES)
    settings = SelectSettings(patch_px=24, per_image=2, cut=cut, context=1.7)
    scored = score(scores, settings)
    count = len(scored.patch)
    rng = np.random.default_rng(1)
    clusters = Clusters(rng.integers(0, 3, count), rng.random(count).astype(np.float32))
    ranked = rng.permutation(count)
    found = ranked_patches(scores, scored, clusters, ranked, settings)
    assert repr(found) == repr(slow_patches(scores, scored, clusters, ranked.tolist(), settings))


def test_without_images__by_hand() -> None:
    scores = class_scores(4)
    scored = score(scores, SelectSettings(patch_px=24, per_image=2))
    found = without_images(scored, scores.ids, ("cat/1", "dog/1", "cat/3"))
    assert set(found.located.image.tolist()) == {0, 2}
    allowed = np.isin(scored.located.image, [0, 2])
    for name in ("image", "x", "y", "margin", "features"):
        expected = getattr(scored.located, name)[allowed]
        assert np.array_equal(getattr(found.located, name), expected, equal_nan=True), name
    for name in ("patch", "picture", "ranking"):
        assert np.array_equal(getattr(found, name), getattr(scored, name)[allowed]), name
    assert without_images(scored, scores.ids, ("dog/1",)) is scored
