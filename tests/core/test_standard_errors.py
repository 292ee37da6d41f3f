"""Standard errors of scores: by the slow definition, and against scores drawn many times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import CELL_PX, GEOMETRY, SHAPES, class_scores, squares
from support.slow_maps import slow_mean

from dsel.core.gap_maps import combine_timesteps, image_bucket
from dsel.core.standard_errors import BoxesOf, picture_errors, standard_errors
from dsel.types import ClassScores


def boxes_of(*boxes: tuple[int, float, float, float]) -> BoxesOf:
    """Square boxes: the image, x, y and the side in pixels."""
    image, x, y, side = (np.array(column) for column in zip(*boxes, strict=True))
    return BoxesOf(image, x.astype(float), y.astype(float), side.astype(float), side.astype(float))


def slow_error(scores: ClassScores, row: int, box: tuple[float, float, float], positive: bool):
    """The root of the sum of squares of each timestep's mean noise, as a share of its loss."""
    bucket = image_bucket(scores, row)
    gap, noise = bucket.gap[0].astype(float), bucket.noise[0].astype(float)
    if positive:
        noise = (np.maximum(gap + noise, 0) - np.maximum(gap - noise, 0)) / 2
    x, y, side = (part / CELL_PX for part in box)
    means = [slow_mean(one, x, y, side, side) for one in noise]
    shares = [mean / loss / 2 for mean, loss in zip(means, GEOMETRY.losses, strict=True)]
    return np.sqrt(np.square(shares).sum())


def test_standard_errors__by_hand() -> None:
    scores, bucket = squares(1)
    noise = np.zeros_like(bucket.noise)  # (1, 2, 8, 8), losses of 1 and 2
    noise[0, 0, :4, :4] = 0.5
    noise[0, 1, :4, :2], noise[0, 1, :4, 2:4] = 3.0, -1.0
    scores = replace(scores, buckets=(replace(bucket, noise=noise),))
    boxes = boxes_of((0, 0, 0, 32), (0, 0, 0, 16))
    # The mean noise of the timesteps is 0.5 and 1 in the first box, 0.5 and 3 in the second.
    expected = [np.hypot(0.5, 0.5) / 2, np.hypot(0.5, 1.5) / 2]
    np.testing.assert_allclose(standard_errors(scores, GEOMETRY, (), "signed", boxes), expected)
    only = standard_errors(scores, GEOMETRY, (500,), "signed", boxes)
    np.testing.assert_allclose(only, [0.5, 1.5])
    whole = picture_errors(scores, GEOMETRY, (), "signed")
    np.testing.assert_allclose(whole, [np.hypot(0.5, 0.5) / 2 / 4])


@pytest.mark.parametrize("counted", ["signed", "positive"])
def test_standard_errors__slow_definition_on_mixed_shapes(counted: str) -> None:
    scores = class_scores(9, seed=2, shapes=SHAPES)
    places = [(row, 3.5 * row % 17, 2.25 * row % 13, 20 + row) for row in (0, 3, 3, 8, 1, 5)]
    found = standard_errors(scores, GEOMETRY, (), counted, boxes_of(*places))
    slow = [slow_error(scores, row, box, counted == "positive") for row, *box in places]
    np.testing.assert_allclose(found, slow, rtol=1e-5)


def test_standard_errors__unknown_noise_is_nan() -> None:
    scores, bucket = squares(2)
    noise = bucket.noise.copy()
    noise[1] = np.nan
    scores = replace(scores, buckets=(replace(bucket, noise=noise),))
    found = standard_errors(
        scores, GEOMETRY, (), "positive", boxes_of((0, 0, 0, 16), (1, 0, 0, 16))
    )
    assert np.isnan(found).tolist() == [False, True]
    none = BoxesOf(np.zeros(0, np.int64), *np.zeros((4, 0)))
    assert standard_errors(scores, GEOMETRY, (), "signed", none).shape == (0,)


@pytest.mark.parametrize("counted", ["signed", "positive"])
@pytest.mark.parametrize("strength", [0.0, 0.05, 0.5])
def test_standard_errors__the_spread_of_scores_drawn_again(counted: str, strength: float) -> None:
    """4,000 images of one gap and other noise: their scores spread as far as their errors say."""
    images, draws = 4000, 4
    rng = np.random.default_rng(5)
    true = strength * np.linspace(-1, 2, 8)[:, None] * np.ones((2, 8, 8))
    drawn = true + rng.normal(size=(draws, images, 2, 8, 8)) * [[[0.2]], [[0.6]]]
    gap = drawn.mean(0).astype(np.float16)
    noise = ((drawn[0] + drawn[2] - drawn[1] - drawn[3]) / 4).astype(np.float16)
    scores = class_scores(images)
    bucket = replace(scores.buckets[0], gap=gap, noise=noise)
    scores = replace(scores, buckets=(bucket,))
    corner = np.zeros(images)
    side = np.full(images, 32.0)
    boxes = BoxesOf(np.arange(images), corner, corner, side, side)
    errors = standard_errors(scores, GEOMETRY, (), counted, boxes)
    combined = combine_timesteps(gap, GEOMETRY.losses, counted == "positive")
    spread = combined[:, :4, :4].mean((1, 2)).std()
    assert np.sqrt(np.square(errors).mean()) == pytest.approx(spread, rel=0.05)
