"""Requests get the result of their method, or an error with a code and one line."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.page import ask, error_of, refused, unpacked
from support.synthetic import MIXED, synthetic_run

from dsel.app import build_app
from dsel.app.rpc import BUG, respond
from dsel.app.state import AppState
from dsel.app.widgets import widgets_of
from dsel.config import SelectSettings
from dsel.config.url import View, query_of
from dsel.errors import RunError
from dsel.types import Geometry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("ui") / "run"
    synthetic_run(path, classes=2, per_class=15, sizes=MIXED)
    return AppState(path)


def test_start__the_run_its_widgets_and_the_view(state: AppState) -> None:
    start = ask(state, "start", "class=square&patch_px=32&pins=square/000001")
    assert [one["scored"] for one in start["classes"]] == [15, 15]
    assert start["view"]["class_name"] == "square"
    assert start["view"]["select"]["patch_px"] == 32
    assert start["view"]["select"]["pins"] == ["square/000001"]
    assert start["defaults"]["select"]["patch_px"] == 0
    names = [widget["name"] for widget in start["widgets"]["select"]]
    assert names[:4] == ["timesteps", "patch_px", "clusters", "ipc"]
    patch = start["widgets"]["select"][1]
    assert (patch["low"], patch["high"], patch["step"], patch["shown"]) == (8, 128, 8, 64)
    assert unpacked(start["colours"]["signed"]).shape == (256, 3)


def test_widgets__reach_their_default_in_the_smallest_run() -> None:
    geometry = Geometry((500,), np.ones(1, np.float32), cell_px=8, resolution_px=128)
    one = {widget["name"]: widget for widget in widgets_of(geometry, largest=1)["select"]}
    assert one["ipc"]["low"] <= one["ipc"]["default"] <= one["ipc"]["high"]


def test_gallery__pages_orders_and_lassos(state: AppState) -> None:
    every = ask(state, "gallery", rows=10)
    assert (every["total"], every["pages"], len(every["rows"])) == (15, 2, 10)
    assert sum(every["counts"]) == 15
    scores = [row["score"] for row in ask(state, "gallery", sort="score")["rows"]]
    assert scores == sorted(scores, reverse=True)
    places = state.first.layout(0)
    left, low = places.min(axis=0) - 1
    right, high = places.max(axis=0) + 1
    around = [float(one) for one in (left, low, right, low, right, high, left, high)]
    assert ask(state, "gallery", polygon=around)["total"] == 15
    assert ask(state, "gallery", polygon=[9e9, 9e9, 9e9, 9e9 + 1, 9e9 + 1, 9e9])["total"] == 0


def test_image__maps_and_explanation_are_the_explorers(state: AppState) -> None:
    query = query_of(View(class_name="disc", image_id="disc/000003", select=SelectSettings(ipc=3)))
    found = ask(state, "image", query)
    maps = state.first.maps(0, 3, SelectSettings(ipc=3))
    assert np.array_equal(unpacked(found["maps"]["gap"]), maps.gap)
    assert np.array_equal(unpacked(found["maps"]["combined"]), maps.combined)
    explanation = state.first.explanation(0, "disc/000003", SelectSettings(ipc=3))
    assert found["explanation"]["sentence"] == explanation.sentence
    box, source = explanation.patch.box, explanation.patch.source_box
    assert found["explanation"]["patch"]["box"] == [box.x, box.y, box.width, box.height]
    assert list(found["explanation"]["patch"]["source_box"].values()) == [
        source.x, source.y, source.width, source.height,
    ]  # fmt: skip
    assert unpacked(found["strip"]).shape == (6, *maps.gap.shape)


def test_image__of_another_class_is_the_best_of_this_one(state: AppState) -> None:
    best = state.first.select(1, SelectSettings()).patches[0].image_id
    assert ask(state, "image", "class=square&image=disc/000003")["image_id"] == best


def test_images__as_stored(state: AppState) -> None:
    found = ask(state, "images", "class=disc", kind="proxy", ids=["disc/000001"])
    stored = state.first.files(0, ["disc/000001"], "proxy")[0]
    assert base64.b64decode(found["disc/000001"]) == stored


def test_values__of_the_cell_under_a_pixel(state: AppState) -> None:
    found = ask(state, "values", "class=disc&image=disc/000000", x=9.0, y=17)
    assert (found["row"], found["column"]) == (2, 1)
    assert len(found["values"]) == 6


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[", "a request must be JSON"),
        ("[]", "a request must be an object with a method"),
        ("{}", "method must be a text, got None"),
        ('{"ask": "start", "method": "start"}', "unknown parameter 'ask'; known are: method, run"),
        ('{"method": "stars"}', "unknown method 'stars'; known are: start"),
        ('{"method": "start", "params": []}', "params must be an object of values by name"),
        ('{"method": "gallery", "view": "patch_px=3.5"}', "patch_px in the link must be a whole"),
        ('{"method": "gallery", "view": "class=cat"}', "unknown class 'cat'"),
        ('{"method": "gallery", "params": {"sort": 3}}', "sort must be one of rank, score"),
        ('{"method": "images", "params": {"ids": ["../../etc/passwd"]}}', "has no scored image"),
        ('{"method": "values", "params": {"x": NaN, "y": 1}}', "x must be a finite number"),
        (
            '{"method": "values", "params": {"x": 1' + "0" * 400 + ', "y": 1}}',
            "x must be a finite number",
        ),
        ('{"method": "gallery", "params": {"polygon": [1, 1e999]}}', "polygon must be a list"),
        ('{"method": "gallery", "view": "bans=stars"}', "unknown image 'stars' in bans"),
        ('{"method": "gallery", "view": "timesteps=200&timesteps=200"}', "different numbers"),
        ('{"method": "start", "run": "abc"}', "this app shows one run only and has no jobs"),
        ('{"method": "gallery", "view": "' + "y" * (1 << 20) + '"}', "at most 1048576 letters"),
    ],
)
def test_respond__an_invalid_request_is_one_line(state: AppState, text: str, line: str) -> None:
    error = error_of(json.loads(respond(state, text)))
    assert error["code"] == "setting"
    assert line in error["message"]


def test_respond__an_error_has_the_code_and_fields_of_its_class(
    state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RunError("two images are gone", image_ids=("disc/1", "disc/2"))

    monkeypatch.setattr(type(state.first), "gallery", fail)
    assert refused(state, "gallery") == {
        "code": "run",
        "message": "two images are gone",
        "fields": {"image_ids": ["disc/1", "disc/2"]},
    }


def test_respond__a_bug_is_reported_without_details(
    state: AppState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(type(state.first), "gallery", fail)
    assert refused(state, "gallery") == {"code": "bug", "message": BUG, "fields": {}}
    assert "ZeroDivisionError: secret" in caplog.text


def test_respond__paths_are_for_local_visitors_only(state: AppState) -> None:
    text = json.dumps({"method": "export_summary", "view": "pixels=source"})
    path = str(state.first.run.path)
    assert path in respond(state, text, local=True)
    assert path not in respond(state, text)
    assert "cannot be had" in respond(state, text)


def test_respond__sizes_that_remote_visitors_may_not_request(state: AppState) -> None:
    for setting in ("ipc", "clusters", "image_px"):
        view = {setting: 2000 if setting != "image_px" else 4096}
        error = refused(state, "gallery", view)
        assert "must be at most 1024 from outside" in error["message"]
        assert error["fields"] == {"setting": setting}
        assert ask(state, "gallery", view, local=True)["rows"]


def test_build_app__refuses_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        build_app(AppState(tmp_path))


def test_launch_app__a_taken_port_is_one_line(state: AppState) -> None:
    # In a process of its own: Gradio leaves an event loop behind when it cannot listen.
    code = """
import sys
from pathlib import Path
from dsel.errors import DselError
from dsel.app import launch_app
try:
    launch_app(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
except DselError as error:
    print(error)
"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = _python(code, str(state.first.run.path), port)
    assert line == f"port {port} cannot be listened on, it may be taken: choose another port"


def test_app__loads_no_model_libraries(state: AppState) -> None:
    code = """
import sys
from pathlib import Path
from dsel.app import build_app
from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.app.widgets import widgets_of
state = AppState(Path(sys.argv[1]))
build_app(state)
for name in ("start", "gallery", "image"):
    assert '"result"' in respond(state, '{"method": "' + name + '"}')
print(sorted({"torch", "diffusers", "transformers", "umap", "ray"} & set(sys.modules)))
"""
    assert _python(code, str(state.first.run.path)) == "[]"


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
