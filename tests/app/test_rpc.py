"""Requests get the result of their method, or an error with a code and one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.page import ask, error_of, refused
from support.synthetic import MIXED, synthetic_run

from dsel.app.rpc import BUG, METHODS, TOGETHER, respond, respond_all
from dsel.app.state import AppState
from dsel.errors import RunError


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("ui") / "run"
    synthetic_run(path, classes=2, per_class=15, sizes=MIXED)
    return AppState(path)


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
        ('{"method": "start", "method": "gallery"}', "'method' must appear in an object of the"),
        ('{"method": "image", "params": {"nth": 1, "nth": 0}}', "'nth' must appear in an object"),
        ('{"method": "image", "params": {"nth": -2}}', "nth must be a whole number of at least 0"),
        ('{"method": "find", "params": {"text": "\\ud83d"}}', "of whole Unicode characters"),
        ('{"method": "find", "params": {"text": "\ud83d"}}', "of whole Unicode characters"),
        ('{"method": "start", "per_class": 2}', "unknown parameter 'per_class'; known are: met"),
        (None, "a request must be a text, got NoneType"),
        (3, "a request must be a text, got int"),
        (["start"], "a request must be a text, got list"),
        ({"method": "start"}, "a request must be a text, got dict"),
        (b"\xff", "a request must be a text, got bytes"),
    ],
)
def test_respond__an_invalid_request_is_one_line(state: AppState, text: Any, line: str) -> None:
    error = error_of(json.loads(respond(state, text)))
    assert error["code"] == "setting"
    assert line in error["message"]


LONG = "x" * 200_000


@pytest.mark.parametrize(
    "more",
    [
        {"view": f"image={LONG}"}, {"view": f"class={LONG}"}, {"view": f"bans={LONG}"},
        {"view": f"features=clip&feature_model={LONG}"}, {"view": f"patch_px={LONG}"},
        {"view": f"a=class%3D{LONG}"}, {"view": f"{LONG}=1"}, {"run": LONG}, {LONG: 1},
        {"params": {LONG: 1}}, {"params": {"ids": [LONG]}}, {"params": {"classes": [LONG]}},
        {"params": {"name": LONG}}, {"params": {"layout": LONG}}, {"params": {"token": LONG}},
        {"params": {"source": {"kind": LONG}}}, {"params": {"nth": -2}}, {"params": LONG},
    ],
)  # fmt: skip
def test_respond__errors_of_every_method_are_short(state: AppState, more: dict[str, Any]) -> None:
    refusals = 0
    for method in METHODS:
        response = respond(state, json.dumps({"method": method, **more}))
        found = json.loads(response)
        if "error" in found:
            error = error_of(found)
            assert error["code"] != "bug"
            assert len(response) < 4000
            assert len(error["message"]) <= 600
            refusals += 1
    assert refusals


def test_respond_all__requests_on_lines_of_their_own_get_a_line_each(state: AppState) -> None:
    texts = ['{"method": "ping"}', '{"method": "stars"}', '{"method": "gallery"}']
    responses = [respond(state, text) for text in texts]
    assert respond_all(state, "\n".join(texts)) == "\n".join(responses)
    assert [set(json.loads(one)) for one in responses] == [{"result"}, {"error"}, {"result"}]


@pytest.mark.parametrize(
    "text",
    ['{"method": "ping"}', '{\n"method": "ping"\n}', "", None, b"{", "{}\n" * TOGETHER + "{}"],
)
def test_respond_all__anything_else_is_a_single_request(state: AppState, text: Any) -> None:
    assert respond_all(state, text) == respond(state, text)


def test_respond__a_long_error_keeps_its_beginning_and_its_end(state: AppState) -> None:
    message = refused(state, "gallery", {"class": f"{LONG}\n"})["message"]
    assert message.startswith("unknown class 'xxx")
    assert " … " in message
    assert message.endswith("; known are: disc, square")


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
    assert "the source cannot be read" in respond(state, text)


def test_respond__errors_name_no_path_of_the_machine(
    state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, home = state.first.run.path, Path.home()

    def fail(*_: Any) -> None:
        raise RunError(f"{path}/x.bin and {home}/y.bin are damaged", path=f"{path}/x.bin")

    monkeypatch.setattr(type(state.first), "gallery", fail)
    error = refused(state, "gallery")
    assert error["message"] == "run/x.bin and ~/y.bin are damaged"
    assert error["fields"] == {"path": "run/x.bin"}
    assert str(path) in refused(state, "gallery", local=True)["message"]


def test_respond__sizes_that_remote_visitors_may_not_request(state: AppState) -> None:
    for setting in ("ipc", "clusters", "image_px"):
        view = {setting: 2000 if setting != "image_px" else 4096}
        error = refused(state, "gallery", view)
        assert "must be at most 1024 for remote visitors" in error["message"]
        assert error["fields"] == {"setting": setting}
        assert ask(state, "gallery", view, local=True)["rows"]


@pytest.mark.parametrize("method", ["compare", "compare_overall"])
def test_respond__sizes_of_the_compared_settings(state: AppState, method: str) -> None:
    for setting in ("ipc", "clusters", "image_px"):
        view = {"a": f"{setting}=2000"}
        error = refused(state, method, view)
        assert "must be at most 1024 for remote visitors, got 2000" in error["message"]
        assert error["fields"] == {"setting": setting}
        assert ask(state, method, view, local=True)
