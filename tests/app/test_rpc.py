"""The app's Python: requests are read strictly, answered whole, and wrong ones in one line."""

from __future__ import annotations

import base64
import json
import math
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.synthetic import MIXED, synthetic_run

from dsel.app import build_app
from dsel.app.public_api import functions
from dsel.app.requests import Request, packed, patch_plain, plain
from dsel.app.rpc import BUG, answer
from dsel.app.state import AppState
from dsel.app.widgets import widgets_of
from dsel.config import SelectSettings
from dsel.config.url import View, query_of
from dsel.errors import RunError, SettingError
from dsel.types import Box, Geometry

ROOT = Path(__file__).parents[2]
KINDS = {"f4": np.float32, "f2": np.float16, "u1": np.uint8, "i4": np.int32}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("ui") / "run"
    synthetic_run(path, classes=2, per_class=15, sizes=MIXED)
    return AppState(path)


def ask(state: AppState, name: str, query: str = "", **more: Any) -> Any:
    said = json.loads(answer(state, json.dumps({"ask": name, "view": query, **more})))
    assert set(said) == {"answer"}, said
    return said["answer"]


def refused(state: AppState, text: str) -> str:
    said = json.loads(answer(state, text))
    assert set(said) == {"error"}, said
    return str(said["error"])


def unpacked(value: dict[str, Any]) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(value["data"]), KINDS[value["type"]])
    return data.reshape(value["shape"])


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


def test_image__maps_and_story_are_the_explorers(state: AppState) -> None:
    query = query_of(View(class_name="disc", image_id="disc/000003", select=SelectSettings(ipc=3)))
    found = ask(state, "image", query)
    maps = state.first.maps(0, 3, SelectSettings(ipc=3))
    assert np.array_equal(unpacked(found["maps"]["gap"]), maps.gap)
    assert np.array_equal(unpacked(found["maps"]["combined"]), maps.combined)
    explanation = state.first.explanation(0, "disc/000003", SelectSettings(ipc=3))
    assert found["explanation"]["sentence"] == explanation.sentence
    assert found["explanation"]["patch"] == patch_plain(explanation.patch)
    assert unpacked(found["strip"]).shape == (6, *maps.gap.shape)


def test_image__of_another_class_is_the_best_of_this_one(state: AppState) -> None:
    best = state.first.select(1, SelectSettings()).patches[0].image_id
    assert ask(state, "image", "class=square&image=disc/000003")["image_id"] == best


def test_pictures__as_stored(state: AppState) -> None:
    found = ask(state, "pictures", "class=disc", kind="proxy", ids=["disc/000001"])
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
        ("[]", "a request must say what it asks"),
        ('{"ask": "stars"}', "unknown request 'stars'; known are: start"),
        ('{"ask": "gallery", "view": "patch_px=3.5"}', "patch_px in the link must be a whole"),
        ('{"ask": "gallery", "view": "class=cat"}', "unknown class 'cat'"),
        ('{"ask": "gallery", "sort": 3}', "sort must be a text, got 3"),
        ('{"ask": "gallery", "sort": "size"}', "unknown order 'size'"),
        ('{"ask": "gallery", "page": true}', "page must be a whole number, got True"),
        ('{"ask": "gallery", "polygon": [1, 2, 3]}', "polygon must be a list of x and y"),
        ('{"ask": "pictures", "ids": ["../../etc/passwd"]}', "has no scored image"),
        ('{"ask": "values", "x": NaN, "y": 1}', "x must be a finite number"),
        ('{"ask": "values", "x": 1' + "0" * 400 + ', "y": 1}', "x must be a finite number"),
        ('{"ask": "gallery", "polygon": [1, 1e999]}', "polygon must be a list of x and y"),
        ('{"ask": "gallery", "view": "bans=stars"}', "unknown image 'stars' in bans"),
        ('{"ask": "gallery", "view": "timesteps=200&timesteps=200"}', "different numbers"),
        ('{"ask": "start", "run": "abc"}', "this app has no runs but the one"),
    ],
)
def test_answer__what_cannot_be_answered_is_one_line(state: AppState, text: str, line: str) -> None:
    said = refused(state, text)
    assert line in said
    assert "\n" not in said


def test_answer__places_are_named_to_this_machine_alone(state: AppState) -> None:
    text = json.dumps({"ask": "export_summary", "view": "pixels=source"})
    place = str(state.first.run.path)
    assert place in answer(state, text, here=True)
    assert place not in answer(state, text)
    assert "cannot be had" in answer(state, text)


def test_answer__a_bug_is_said_without_its_inside(
    state: AppState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(type(state.first), "gallery", breaks)
    assert refused(state, '{"ask": "gallery"}') == BUG
    assert "ZeroDivisionError: secret" in caplog.text


def test_question__a_question_of_any_length_is_refused(state: AppState) -> None:
    assert "at most" in refused(state, json.dumps({"ask": "gallery", "x": "y" * (1 << 20)}))


def test_plain__what_json_cannot_hold() -> None:
    assert plain({"a": (math.nan, np.float32(0.5), Box(1, 2, 3, math.inf))}) == {
        "a": [None, 0.5, {"x": 1, "y": 2, "width": 3, "height": None}]
    }


def test_packed__big_endian_and_strided_arrays() -> None:
    values = np.arange(6, dtype=">f4").reshape(2, 3)[:, ::2]
    assert np.array_equal(unpacked(dict(packed(values))), values)


def test_texts__a_list_of_texts_only(state: AppState) -> None:
    with pytest.raises(SettingError, match="ids must be a list of texts"):
        Request(state, state.first, View(), {"ids": ["a", 1]}).texts("ids")


def test_functions__of_the_public_api(state: AppState) -> None:
    import gradio as gr

    classes, patches, explanation, heat_maps = functions(state)
    assert classes() == ["disc", "square"]
    first = patches("square", "patch_px=32")[0]
    assert first["box"][2] == 32
    told = explanation("square", first["id"], "patch_px=32")
    assert told["patch"] == first
    assert np.array(heat_maps("disc", "disc/000000")["gap"]).shape == (16, 16)
    with pytest.raises(gr.Error, match="unknown class"):
        patches("cat")


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
        said = _python(code, str(state.first.run.path), port)
    assert said == f"port {port} cannot be listened on, it may be taken: choose another port"


def test_app__loads_no_model_libraries(state: AppState) -> None:
    code = """
import sys
from pathlib import Path
from dsel.app import build_app
from dsel.app.rpc import answer
from dsel.app.state import AppState
from dsel.app.widgets import widgets_of
state = AppState(Path(sys.argv[1]))
build_app(state)
for name in ("start", "gallery", "image"):
    assert '"answer"' in answer(state, '{"ask": "' + name + '"}')
print(sorted({"torch", "diffusers", "transformers", "umap", "ray"} & set(sys.modules)))
"""
    assert _python(code, str(state.first.run.path)) == "[]"


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_answer__what_is_too_large_for_visitors_from_elsewhere(state: AppState) -> None:
    for asked in ("ipc=2000", "clusters=5000", "image_px=4096"):
        text = json.dumps({"ask": "gallery", "view": asked})
        assert "from outside" in refused(state, text)
        assert "answer" in json.loads(answer(state, text, here=True))
