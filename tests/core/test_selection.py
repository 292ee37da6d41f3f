"""Locating the patches of one class, on drawn gap maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import CELL_PX, GEOMETRY, PX, SHAPES, alone, class_scores, squares

from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_gap, combined_maps, image_bucket
from dsel.core.selection import Located, locate_class, ranking_scores, without_banned
from dsel.types import ClassScores


def locate(scores: ClassScores, settings: SelectSettings) -> Located:
    return locate_class(scores, GEOMETRY, settings, combined_maps(scores, GEOMETRY, settings))


def test_locate_class__finds_the_bright_square() -> None:
    scores, bucket = squares(6)
    located = locate(scores, SelectSettings())
    maps = combined_gap(bucket, GEOMETRY, SelectSettings())
    for n in range(6):
        assert located.image[n] == n
        row, column = int(located.y[n] / 8), int(located.x[n] / 8)
        inside = maps[n, row : row + 4, column : column + 4]
        assert inside.min() > 0.5
        assert located.score[n] == pytest.approx(inside.mean(), rel=1e-5)
        assert np.isfinite(located.margin[n]) == any(  # is there room for another box beside it?
            place in (0, 4) for place in (row, column)
        )


def test_locate_class__stride_of_one_pixel_is_never_worse() -> None:
    scores = class_scores(6)
    coarse = locate(scores, SelectSettings(patch_px=20))
    fine = locate(scores, SelectSettings(patch_px=20, stride_px=1))
    assert (fine.score >= coarse.score - 1e-9).all()


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
        SelectSettings(patch_px=64, gap="signed"),
    ],
)
def test_locate_class__each_image_as_it_would_be_alone(settings: SelectSettings) -> None:
    scores = class_scores(13, seed=3, shapes=SHAPES)
    located = locate(scores, settings)
    assert (np.diff(located.image) >= 0).all()
    for row in range(13):
        one = locate(alone(scores, row), settings)
        mine = located.image == row
        for name in ("x", "y", "score", "margin", "features"):
            there, expected = getattr(located, name)[mine], getattr(one, name)
            assert np.array_equal(there, expected, equal_nan=True), (row, name)


def test_locate_class__boxes_by_the_slow_definition() -> None:
    """All boxes of whole cells on each map, one by one: the first of the largest means wins."""
    scores = class_scores(12, seed=5, shapes=SHAPES)
    located = locate(scores, SelectSettings(patch_px=24))
    assert located.image.tolist() == list(range(12))
    for row in range(12):
        maps = combined_gap(image_bucket(scores, row), GEOMETRY, SelectSettings())[0]
        rows, columns = SHAPES[row % len(SHAPES)]
        assert maps.shape == (rows, columns)
        means = {
            (8 * x, 8 * y): maps[y : y + 3, x : x + 3].mean(dtype=np.float64)
            for y in range(rows - 2)
            for x in range(columns - 2)
        }
        best = max(means, key=means.__getitem__)
        assert (located.x[row], located.y[row]) == best
        assert located.score[row] == pytest.approx(means[best], abs=1e-6)


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
        found = locate(scores, SelectSettings(moves=moves))
        maps = combined_gap(image_bucket(scores, row), GEOMETRY, SelectSettings())[0]
        pixels = maps.astype(np.float64).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        assert (found.x[row], found.y[row]) == (x, y)
        mean = pixels[y : y + 32, x : x + 32].mean()
        assert found.score[row] == pytest.approx(mean, abs=1e-9)
        beside = [
            pixels[top : top + 32, left : left + 32].mean()
            for top in range(0, pixels.shape[0] - 31, CELL_PX)
            for left in range(0, pixels.shape[1] - 31, CELL_PX)
            if abs(top - y) >= 32 or abs(left - x) >= 32
        ]
        lead = mean - max(beside) if beside else np.nan
        assert found.margin[row] == pytest.approx(lead, abs=1e-8, nan_ok=True)


def test_without_banned__by_hand() -> None:
    scores = class_scores(4)
    located = locate(scores, SelectSettings(patch_px=24, per_image=2))
    found = without_banned(located, scores.ids, ("cat/1", "dog/1", "cat/3"))
    assert set(found.image.tolist()) == {0, 2}
    allowed = np.isin(located.image, [0, 2])
    for name in ("image", "x", "y", "score", "ranking_score", "margin", "features"):
        expected = getattr(located, name)[allowed]
        assert np.array_equal(getattr(found, name), expected, equal_nan=True), name
    assert without_banned(located, scores.ids, ("dog/1",)) is located
