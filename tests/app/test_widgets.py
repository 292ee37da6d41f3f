"""Widgets have the ranges that a run allows."""

from __future__ import annotations

import numpy as np

from dsel.app.widgets import widgets_of
from dsel.types import Geometry


def test_widgets__reach_their_default_in_the_smallest_run() -> None:
    geometry = Geometry((500,), np.ones(1, np.float32), cell_px=8, resolution_px=128)
    one = {widget["name"]: widget for widget in widgets_of(geometry, largest=1)["select"]}
    assert one["ipc"]["low"] <= one["ipc"]["default"] <= one["ipc"]["high"]
