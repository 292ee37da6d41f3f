"""Requests about many selected images."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.synthetic import synthetic_run

from dsel.app.rpc import respond
from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("selected") / "run"
    synthetic_run(path, classes=2, per_class=8)
    return AppState(path)


def ask(state: AppState, method: str, view: dict[str, Any] | None = None, **params: Any) -> Any:
    query = urlencode(view or {}, doseq=True)
    text = json.dumps({"method": method, "view": query, "params": params})
    return json.loads(respond(state, text))["result"]


def test_classes_of__groups_known_images(state: AppState) -> None:
    ids = ["square/000002", "disc/000001", "gone", "disc/000000", "disc/000001"]
    assert ask(state, "classes_of", ids=ids)["groups"] == {
        "square": ["square/000002"],
        "disc": ["disc/000001", "disc/000000"],
    }


def test_gallery__lists_the_selected_images_alone(state: AppState) -> None:
    view = {"class": "disc", "clusters": 2}
    ids = ["disc/000003", "disc/000001"]
    page = ask(state, "gallery", view, ids=ids)
    assert {row["id"] for row in page["rows"]} == set(ids)
    assert (page["total"], sum(page["counts"])) == (2, 2)
    everywhere = [-1e6, -1e6, 1e6, -1e6, 1e6, 1e6, -1e6, 1e6]
    assert ask(state, "gallery", view, ids=ids, polygon=everywhere)["total"] == 2
    assert ask(state, "gallery", view, ids=ids, polygon=[0, 0, 0, 0, 0, 0])["total"] == 0
    assert ask(state, "gallery", view, ids=[])["total"] == 0


def test_start__a_link_with_selected_images(state: AppState) -> None:
    link = urlencode({"ids": ["disc/000001", "gone"], "slice": "odd"}, doseq=True)
    start = ask(state, "start", link=link)
    assert (start["view"]["ids"], start["view"]["slice"]) == (["disc/000001"], "odd")
    assert start["notes"] == ["this run has no image gone: left out of the selection"]
