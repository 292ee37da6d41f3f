"""Orders, boxes and log odds by hand."""

from __future__ import annotations

import numpy as np
import pytest
from support.pools import pool_of

from dsel.core.baselines.base import (
    by_image,
    centred_boxes,
    log_odds,
    nth_of_image,
    random_boxes,
    whole_boxes,
)

FLAT = np.zeros((3, 2), np.float32)


def test_by_image__by_hand() -> None:
    """Image 0 has positions 0 and 1, image 1 has 2, image 2 has 3, 4 and 5."""
    pool = pool_of(FLAT, per_image=(2, 1, 3))
    assert nth_of_image(pool).tolist() == [0, 1, 0, 0, 1, 2]
    assert by_image(np.array([2, 0, 1]), pool).tolist() == [3, 0, 2, 4, 1, 5]


def test_centred_boxes__by_hand() -> None:
    pool = pool_of(FLAT, width_px=96, height_px=64)
    assert centred_boxes(pool, 32).tolist() == [[32, 16, 32]] * 3
    assert whole_boxes(pool).tolist() == [[16, 0, 64]] * 3


def test_random_boxes__reach_every_whole_pixel_and_none_beyond() -> None:
    pool = pool_of(FLAT, width_px=6, height_px=4)
    rows = np.zeros(2000, np.int64)
    found = random_boxes(np.random.default_rng(0), rows, np.full(2000, 3.0), pool)
    assert {tuple(box) for box in found.tolist()} == {(x, y, 3) for x in range(4) for y in (0, 1)}


def test_log_odds__by_hand() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.25, 0.75, 0.0]], np.float32)
    assert log_odds(probabilities, 1) == pytest.approx([0, np.log(3)], abs=1e-6)


def test_log_odds__tells_apart_what_rounds_to_one() -> None:
    probabilities = np.array([[1e-20, 1], [1e-12, 1], [0, 1], [1, 0]], np.float32)
    found = log_odds(probabilities, 1)
    assert np.argsort(-found).tolist() == [2, 0, 1, 3]
    assert np.isfinite(found).all()


def test_generator__depends_on_seed_and_class_alone() -> None:
    def drawn(**fields: object) -> float:
        return float(pool_of(FLAT, **fields).generator().random())

    assert drawn(seed=1) == drawn(seed=1, k=9)
    assert len({drawn(seed=1), drawn(seed=2), drawn(seed=1, name="dog")}) == 3
