"""Maps as colours: which value has which, and where it stands over a picture."""

from __future__ import annotations

import numpy as np
import pytest

from dsel.heat import heat_map, overlay
from dsel.records import Pixels


def scene(width: int, height: int) -> Pixels:
    """A picture whose corners all differ: red grows to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    red, green = columns * 255 // max(width - 1, 1), rows * 255 // max(height - 1, 1)
    return np.stack([red, green, np.full_like(red, 40)], axis=-1).astype(np.uint8)


def test_heat_map__diverging_is_white_at_zero_and_red_above() -> None:
    values = np.array([[-1.0, 0.0], [1.0, np.nan]], np.float32)
    heat = heat_map(values, -0.5, 1.0, diverging=True, size_px=4).astype(int)
    blue, white, red, hole = heat[0, 0], heat[0, 3], heat[3, 0], heat[3, 3]
    assert blue[2] > blue[0] + 50
    assert white.min() > 240
    assert red[0] > red[2] + 50
    assert hole.tolist() == white.tolist()


def test_heat_map__sequential_grows_brighter() -> None:
    values = np.linspace(2, 5, 16, dtype=np.float32)[None]
    heat = heat_map(values, 2, 5, diverging=False, size_px=16)
    assert heat.shape == (1, 16, 3)
    light = heat[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > 0).all()


@pytest.mark.parametrize("smooth", [False, True])
def test_heat_map__constant_values(smooth: bool) -> None:
    heat = heat_map(np.zeros((3, 5), np.float32), 0, 0, True, 50, smooth)
    assert heat.shape == (30, 50, 3)
    assert len(np.unique(heat.reshape(-1, 3), axis=0)) == 1


def test_overlay__leaves_what_has_no_gap() -> None:
    pixels, values = scene(32, 32), np.zeros((4, 4), np.float32)
    assert np.array_equal(overlay(pixels, values, -1, 1), pixels)
    assert np.array_equal(overlay(pixels, values, 0, 0), pixels)
    values[3, 3] = 1
    shown = overlay(pixels, values, -1, 1)
    assert np.array_equal(shown[:8, :8], pixels[:8, :8])
    assert not np.array_equal(shown[28:, 28:], pixels[28:, 28:])


def test_overlay__of_a_wide_picture_stands_where_the_gap_is() -> None:
    pixels, values = scene(64, 32), np.zeros((4, 8), np.float32)
    values[0, 7] = 1
    changed = (overlay(pixels, values, -1, 1) != pixels).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.shape == (32, 64)
    assert rows.max() < 24
    assert columns.min() >= 40
    assert changed[:4, 60:].all()


def test_heat_map__of_a_tall_map_keeps_its_shape() -> None:
    heat = heat_map(np.arange(8, dtype=np.float32).reshape(4, 2), 0, 7, False, 40)
    assert heat.shape == (40, 20, 3)
    assert len(np.unique(heat.reshape(-1, 3), axis=0)) == 8
