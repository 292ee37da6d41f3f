"""Palettes: even in lightness, and told apart with colour vision deficiency."""

from __future__ import annotations

import numpy as np
import pytest

from dsel.core.colormaps import PALETTES, colour_tables, lightness

TABLES = colour_tables()
SEQUENTIAL = [(name, kind) for name in PALETTES for kind in ("positive", "unsigned")]

# Machado, Oliveira and Fernandes 2009, severity 1, on linear sRGB.
DEFICIENCIES = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def seen(colours: np.ndarray, deficiency: str) -> np.ndarray:
    """The colours as somebody with a deficiency sees them, 0 to 255."""
    shares = colours.astype(float) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    changed = np.clip(linear @ np.array(DEFICIENCIES[deficiency]).T, 0, 1)
    coded = np.where(changed <= 0.0031308, 12.92 * changed, 1.055 * changed ** (1 / 2.4) - 0.055)
    return 255 * coded


def test_lightness__of_black_white_and_a_gray() -> None:
    found = lightness(np.array([[0, 0, 0], [255, 255, 255], [119, 119, 119]]))
    assert found == pytest.approx([0, 1, 0.18447 ** (1 / 3)], abs=1e-3)


def test_colour_tables__the_first_palette_is_blue_white_red() -> None:
    table = TABLES["red"]["signed"].astype(int)
    assert table.shape == (256, 3)
    assert table[0, 2] > table[0, 0] + 50
    assert table[127:129].min() > 240
    assert table[255, 0] > table[255, 2] + 50


@pytest.mark.parametrize("name", PALETTES)
def test_colour_tables__signed_ones_are_symmetric_around_white(name: str) -> None:
    levels = lightness(TABLES[name]["signed"])
    assert np.all(np.diff(levels[:128]) >= 0)
    assert np.all(np.diff(levels[128:]) <= 0)
    assert levels[127] == levels[128] > 0.95
    for half in (levels[:128], levels[128:]):
        steps = np.abs(np.diff(half))
        assert steps.max() < 3 * steps.mean() + 0.004  # colours are whole numbers


@pytest.mark.parametrize(("name", "kind"), SEQUENTIAL)
def test_colour_tables__sequential_ones_are_even_in_lightness(name: str, kind: str) -> None:
    levels = lightness(TABLES[name][kind])
    steps = np.diff(levels) * np.sign(levels[-1] - levels[0])
    assert steps.min() > -0.004
    assert levels == pytest.approx(np.linspace(levels[0], levels[-1], 256), abs=0.02)
    assert abs(levels[-1] - levels[0]) > 0.5


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("name", PALETTES)
def test_colour_tables__are_read_with_colour_vision_deficiency(name: str, deficiency: str) -> None:
    """Sequential tables keep their order; the two sides of a signed one differ in hue."""
    for kind in ("positive", "unsigned"):
        levels = lightness(seen(TABLES[name][kind], deficiency))
        assert np.all(np.diff(levels[::16]) * np.sign(levels[-1] - levels[0]) > 0)
    left, right = seen(TABLES[name]["signed"][[48, 207]], deficiency)
    assert np.abs(left - right).max() > 40
