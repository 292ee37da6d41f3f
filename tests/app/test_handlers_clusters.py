"""Answers about the plane, as the page asks for them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.synthetic import synthetic_run

from dsel.analysis.explorer import Explorer
from dsel.app.rpc import answer
from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path: Path = tmp_path_factory.mktemp("planes") / "run"
    synthetic_run(path, classes=2, per_class=8)
    return AppState(path)


def ask(state: AppState, name: str, **more: Any) -> Any:
    said = json.loads(answer(state, json.dumps({"ask": name, **more})))
    return said.get("answer", said)


def unpacked(packed: Any) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(packed["data"]), "<" + packed["type"])
    return values.reshape(packed["shape"])


def test_plane__places_and_ids(state) -> None:
    explorer: Explorer = state.first
    said = ask(state, "plane", view="class=square")
    assert said["layout"] == "own"
    assert said["fitted"] is True
    assert tuple(said["ids"]) == explorer.scores(1).ids
    assert np.array_equal(unpacked(said["places"]), explorer.layout(1))
    assert unpacked(said["sizes"]).tolist() == [[128, 128]] * 8
    assert "a layout is named" in ask(state, "plane", layout="x")["error"]


def test_marks__in_the_order_of_the_plane(state) -> None:
    said = ask(state, "marks", view="clusters=3&ipc=4&bans=disc/000003")
    cluster, rank, kept = (unpacked(said[name]) for name in ("cluster", "rank", "kept"))
    assert cluster[3] == rank[3] == -1
    assert sorted(rank) == [-1, *range(7)]
    assert kept.sum() == 4
    assert said["counts"] == [int((cluster == n).sum()) for n in range(3)]


def test_lasso__says_who_is_inside_and_the_gallery_shows_them(state) -> None:
    places = state.first.layout(0).astype(float)
    middle = float(np.median(places[:, 0]))
    low, high = places.min() - 1, places.max() + 1
    polygon = [low, low, middle, low, middle, high, low, high]
    said = ask(state, "lasso", polygon=polygon, view="clusters=3")
    inside = unpacked(said["inside"])
    assert inside.tolist() == (places[:, 0] < middle).astype(int).tolist()
    assert sum(said["counts"]) == inside.sum()
    gallery = ask(state, "gallery", polygon=polygon, layout="own", view="clusters=3")
    assert gallery["total"] == inside.sum()
    assert gallery["counts"] == said["counts"]
    assert unpacked(ask(state, "lasso")["inside"]).sum() == 0


def test_cards__of_each_cluster(state) -> None:
    cards = ask(state, "cards", view="clusters=3&ipc=4")["cards"]
    assert [card["cluster"] for card in cards] == [0, 1, 2]
    assert sum(card["size"] for card in cards) == 8
    assert sum(card["kept"] for card in cards) == 4
    first = cards[0]["discriminative"][0]
    assert set(first) == {
        "id", "box", "size", "score", "margin", "cluster", "rank", "nth", "kept", "pinned", "moved",
    }  # fmt: skip
    assert first["box"][2:] == [64.0, 64.0]


def test_relayout__of_the_default_patches_is_ready(state) -> None:
    said = ask(state, "relayout", view="clusters=3")
    assert said == {"name": "own", "ready": True, "failed": ""}
