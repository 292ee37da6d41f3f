"""Features of patches against means over many points inside the box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.slow_maps import random_maps

from dsel.core import chunks
from dsel.core.patch_features import patch_features

Doubles = NDArray[np.float64]


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
    monkeypatch.setattr(chunks, "AT_ONCE", at_once)
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


def test_patch_features__none_for_no_patches() -> None:
    none = np.zeros(0)
    assert patch_features(np.zeros((0, 4, 4, 7)), none, none, 8, none, none).shape == (0, 7)
