"""Signed colours are white in the middle and symmetric; unsigned ones grow brighter."""

from __future__ import annotations

import numpy as np

from dsel.app.colormaps import colour_tables


def test_colour_tables__signed_is_blue_white_red() -> None:
    table = colour_tables()["signed"].astype(int)
    assert table.shape == (256, 3)
    assert table[0, 2] > table[0, 0] + 50
    assert table[127:129].min() > 240
    assert table[255, 0] > table[255, 2] + 50


def test_colour_tables__signed_is_symmetric() -> None:
    brightness = colour_tables()["signed"].astype(int).sum(axis=1)
    assert np.all(np.diff(brightness[:128]) >= 0)
    assert np.all(np.diff(brightness[128:]) <= 0)


def test_colour_tables__unsigned_grows_brighter() -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    assert np.all(np.diff(colour_tables()["unsigned"] @ weights) > -0.5)
