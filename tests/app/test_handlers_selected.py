"""Requests about many selected images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.synthetic import SQUARE, draw, synthetic_run, write_run

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


def test_selected_csv__names_that_begin_as_formulas_are_text(tmp_path: Path) -> None:
    """A spreadsheet would compute them, and file names come from strangers."""
    counts = {"=1+1": 4, "disc": 4}
    write_run(tmp_path / "run", counts, {"source": "x"}, lambda c, n: draw(c, n, 0, SQUARE))
    ids = ["=1+1/000001", "disc/000002"]
    text = ask(AppState(tmp_path / "run"), "selected_csv", ids=ids)["csv"]
    rows = [line.split(",")[:2] for line in text.splitlines()[1:]]
    assert rows == [["'=1+1/000001", "'=1+1"], ["disc/000002", "disc"]]


def test_selected_csv__a_row_of_each_known_image(state: AppState) -> None:
    view = {"bans": "square/000002", "ipc": 1}
    text = ask(state, "selected_csv", view, ids=["disc/000001", "gone", "square/000002"])["csv"]
    head, disc, square, end = text.split("\n")
    assert head.startswith("id,class,cluster,rank,score,standard_error,margin,kept,x,y,width")
    assert square == "square/000002,square,,,,,,0,,,,"
    patch = next(
        row
        for row in ask(state, "gallery", {**view, "class": "disc"})["rows"]
        if row["id"] == "disc/000001"
    )
    fields = disc.split(",")
    assert fields[:4] == ["disc/000001", "disc", str(patch["cluster"] + 1), str(patch["rank"] + 1)]
    assert fields[-4:] == [str(int(side)) for side in patch["box"]]
    assert end == ""


def test_slices__only_a_local_visitor_stores_them(state: AppState) -> None:
    assert ask(state, "slices") == {"slices": [], "writable": False}
    request = {"method": "slice_save", "params": {"name": "odd", "ids": ["disc/000001"]}}
    refused = json.loads(respond(state, json.dumps(request)))["error"]
    assert refused["message"].startswith("only a visitor on the app's own machine may change")
    assert json.loads(respond(state, json.dumps(request), local=True))["result"] == {"count": 1}
    stored = {"slices": [{"name": "odd", "count": 1}], "writable": False}
    assert ask(state, "slices") == stored
    assert ask(state, "slice", name="odd")["groups"] == {"disc": ["disc/000001"]}
    request = {"method": "slice_delete", "params": {"name": "odd"}}
    json.loads(respond(state, json.dumps(request), local=True))
    assert ask(state, "slices")["slices"] == []
