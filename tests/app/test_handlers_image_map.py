"""Requests of the map."""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from support.synthetic import synthetic_run

from dsel.analysis import image_map
from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.pipeline.score import fit_layouts
from dsel.runs import open_run
from dsel.runs.image_map import FILE


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("mapped") / "run"
    list(fit_layouts(synthetic_run(path, classes=2, per_class=8)))
    return AppState(path)


def ask(state: AppState, method: str, view: Mapping[str, Any] = {}, **params: Any) -> Any:
    query = urlencode(view, doseq=True)
    text = json.dumps({"method": method, "view": query, "params": params})
    return json.loads(respond(state, text))["result"]


def unpacked(packed: Mapping[str, Any]) -> np.ndarray:
    data = base64.b64decode(packed["data"])
    return np.frombuffer(data, np.dtype(packed["type"])).reshape(packed["shape"])


def test_map_points__positions_in_the_unit_square(state: AppState) -> None:
    found = ask(state, "map_points")
    assert found["status"]["ready"]
    positions = unpacked(found["positions"])
    assert (positions.shape, positions.dtype) == ((16, 2), np.uint16)
    assert (positions.min(axis=0).tolist(), positions.max()) == ([0, 0], 65535)
    assert unpacked(found["counts"]).tolist() == [8, 8]
    assert unpacked(found["sizes"]).tolist() == [[128, 128]]
    assert (found["fitted"], found["problem"]) == (16, "")


def test_map_ids__of_all_images(state: AppState) -> None:
    ids = json.loads(zlib.decompress(unpacked(ask(state, "map_ids")["ids"]).tobytes()))
    assert ids == [*state.first.images(0).ids, *state.first.images(1).ids]


def test_map_marks__stored_ones_are_those_that_would_be_computed(
    state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = ask(state, "map_marks", classes=["square", "disc"])
    assert stored["classes"] == ["square", "disc"]
    monkeypatch.setattr(image_map, "_stored", lambda *_: None)
    assert ask(state, "map_marks", classes=["square", "disc"]) == stored
    assert ask(state, "map_marks", classes=[]) == {"classes": []}


def test_map_marks__follow_settings_and_overrides(state: AppState) -> None:
    usual = unpacked(ask(state, "map_marks", classes=["disc"])["kept"])
    few = ask(state, "map_marks", {"ipc": 1}, classes=["disc"])
    assert (usual.sum(), unpacked(few["kept"]).sum()) == (8, 1)
    banned = ask(state, "map_marks", {"bans": "disc/000002"}, classes=["disc", "square"])
    assert unpacked(banned["rank"])[2] == -1
    assert unpacked(banned["box"])[2].tolist() == [-1] * 4
    assert np.isnan(unpacked(banned["score"])[2])
    assert (unpacked(banned["rank"]) >= 0).sum() == 15


def test_map_marks__as_many_classes_as_there_is_time_for(
    state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_map.map_marks, "__defaults__", (-1.0,))
    assert ask(state, "map_marks", classes=["disc", "square"])["classes"] == ["disc"]


def test_map_points__fitted_on_demand_and_stored(tmp_path: Path) -> None:
    path = tmp_path / "run"
    synthetic_run(path, classes=2, per_class=8)
    state = AppState(path)
    found = ask(state, "map_points")
    assert not found["status"]["ready"]
    end = time.monotonic() + 600
    while "positions" not in found and time.monotonic() < end:
        assert found["status"]["failed"] == ""
        time.sleep(0.05)
        found = ask(state, "map_points")
    assert unpacked(found["counts"]).tolist() == [8, 8]
    while not (path / FILE).exists() and time.monotonic() < end:
        time.sleep(0.05)
    list(fit_layouts(open_run(path)))
    assert ask(state, "map_points")["positions"] == found["positions"]
