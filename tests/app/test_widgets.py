"""Widgets have the ranges that a run allows."""

from __future__ import annotations

import re

import numpy as np

from dsel.app.widgets import widgets_of
from dsel.types import Geometry


def test_widgets__reach_their_default_in_the_smallest_run() -> None:
    geometry = Geometry((500,), np.ones(1, np.float32), cell_px=8, resolution_px=128)
    one = {widget["name"]: widget for widget in widgets_of(geometry, largest=1)["select"]}
    assert one["ipc"]["low"] <= one["ipc"]["default"] <= one["ipc"]["high"]


def test_widgets__help_speaks_of_what_the_widget_shows() -> None:
    """No widget shows 0, nothing, or the word of a flag where it shows a label."""
    geometry = Geometry((300, 500), np.ones(2, np.float32), cell_px=8, resolution_px=128)
    for widget in [one for part in widgets_of(geometry, largest=40).values() for one in part]:
        text = widget["help"]
        assert not re.search(r"\b0 is\b|\bempty\b|\b1 is\b|Below 1\b|\bauto\b", text), text
        labels = {str(one["value"]): one["label"] for one in widget["choices"]}
        words = re.findall(r"\((\w+)\)", text)
        hidden = [w for w in words if w in labels and labels[w].split()[0].lower() != w]
        assert not hidden, text
