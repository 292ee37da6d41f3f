"""Random images and boxes: uniform, and the same images in the same order for one seed."""

from __future__ import annotations

import numpy as np
from support.pools import pool_of

from dsel.core.baselines.base import Pool
from dsel.core.baselines.centre_crop import centre_crop
from dsel.core.baselines.random_crop import random_crop
from dsel.core.baselines.random_whole import random_whole


def images(count: int = 6, **fields: object) -> Pool:
    return pool_of(np.zeros((count, 2), np.float32), **fields)


def test_random_whole__takes_the_largest_square_in_the_middle() -> None:
    found = random_whole(images(width_px=96, height_px=64))
    assert found.cut == "whole"
    assert found.boxes is not None
    assert found.boxes.tolist() == [[16, 0, 64]] * 6


def test_centre_crop__takes_the_patch_in_the_middle() -> None:
    found = centre_crop(images(width_px=96, height_px=64, patch_px=20))
    assert found.cut == "patch"
    assert found.boxes is not None
    assert found.boxes.tolist() == [[38, 22, 20]] * 6


def test_random_crop__places_are_uniform() -> None:
    """Five columns and three rows of places: each is taken about as often as the others."""
    found = random_crop(images(15_000, width_px=8, height_px=6, patch_px=4))
    assert found.cut == "patch"
    assert found.boxes is not None
    places, counts = np.unique(found.boxes, axis=0, return_counts=True)
    assert len(places) == 15
    assert (np.abs(counts - 1000) < 6 * 1000**0.5).all()


def test_random__all_three_take_the_same_images() -> None:
    """What differs between them is then the cut alone."""
    orders = [one(images(20, seed=3)).positions.tolist() for one in (random_whole, random_crop)]
    assert orders[0] == orders[1] == centre_crop(images(20, seed=3)).positions.tolist()


def test_random__first_images_are_uniform() -> None:
    first = [random_whole(images(5, seed=seed)).positions[0] for seed in range(2000)]
    counts = np.bincount(first)
    assert (np.abs(counts - 400) < 6 * 400**0.5).all()
