"""Baselines that ask a teacher or know the true objects, with answers given by a formula."""

from __future__ import annotations

import numpy as np
import pytest
from support.pools import pool_of

from dsel.core.baselines.base import Boxes, Ints
from dsel.core.baselines.confidence import easiest, hardest
from dsel.core.baselines.largest_object import largest_object
from dsel.core.baselines.rded import CROPS, rded

FLAT = np.zeros((6, 2), np.float32)


def test_easiest_and_hardest__by_hand() -> None:
    logits = np.array([1.0, 5.0, -2.0, 60.0, 61.0, 0.0])
    pool = pool_of(FLAT, confidence=lambda rows, _: logits[rows])
    assert easiest(pool).positions.tolist() == [4, 3, 1, 0, 5, 2]
    assert hardest(pool).positions.tolist() == [2, 5, 0, 1, 3, 4]
    assert (easiest(pool).boxes, easiest(pool).cut) == (None, None)


def test_easiest__shows_the_teacher_whole_squares() -> None:
    shown: list[Boxes] = []

    def confidence(rows: Ints, boxes: Boxes) -> np.ndarray:
        shown.append(boxes)
        return rows.astype(float)

    easiest(pool_of(FLAT, width_px=96, height_px=64, confidence=confidence))
    assert [boxes.tolist() for boxes in shown] == [[[16, 0, 64]] * 6]


def test_rded__by_the_slow_definition() -> None:
    """The best of each image's crops, and the images by it."""
    seen: list[tuple[int, tuple[float, ...], float]] = []

    def confidence(rows: Ints, boxes: Boxes) -> np.ndarray:
        values = np.random.default_rng(4).normal(size=len(rows))
        seen.extend(zip(rows.tolist(), map(tuple, boxes.tolist()), values.tolist(), strict=True))
        return values

    found = rded(pool_of(FLAT, confidence=confidence))
    assert len(seen) == 6 * CROPS
    best = {row: max((v, box) for r, box, v in seen if r == row) for row in range(6)}
    order = sorted(best, key=lambda row: -best[row][0])
    assert found.positions.tolist() == order
    assert found.boxes is not None
    assert [tuple(box) for box in found.boxes.tolist()] == [best[row][1] for row in order]
    assert found.cut == "patch"


def test_rded__several_patches_are_the_next_best_crops() -> None:
    pool = pool_of(FLAT[:2], per_image=(3, 1), confidence=lambda _, boxes: boxes[:, 2])
    found = rded(pool)
    assert found.boxes is not None
    sides = dict(zip(found.positions.tolist(), found.boxes[:, 2].tolist(), strict=True))
    assert sides[0] >= sides[1] >= sides[2]
    assert set(found.positions.tolist()[:2]) == {0, 3}


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 200)])
def test_rded__crops_cover_8_to_100_percent_of_the_image(size: tuple[int, int]) -> None:
    shown: list[Boxes] = []

    def confidence(rows: Ints, boxes: Boxes) -> np.ndarray:
        shown.append(boxes)
        return rows.astype(float)

    width, height = size
    features = np.zeros((400, 2), np.float32)
    rded(pool_of(features, width_px=width, height_px=height, confidence=confidence))
    sides = shown[0][:, 2]
    assert sides.min() >= (0.08 * width * height) ** 0.5 - 0.5
    assert sides.max() == min(width, height)


def test_largest_object__by_hand_and_unknown_ones_last() -> None:
    shares = np.array([0.1, np.nan, 0.7, 0.0, np.nan, 0.7])
    pool = pool_of(FLAT, object_share=shares)
    assert largest_object(pool).positions.tolist() == [2, 5, 0, 3, 1, 4]
