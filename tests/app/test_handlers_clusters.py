"""Handlers of Clusters, as the page calls them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.page import PATCH_KEYS, ask, refused, unpacked
from support.synthetic import synthetic_run

from dsel.analysis.explorer import Explorer
from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path: Path = tmp_path_factory.mktemp("planes") / "run"
    synthetic_run(path, classes=2, per_class=8)
    return AppState(path)


def test_projection__positions_and_ids(state) -> None:
    explorer: Explorer = state.first
    found = ask(state, "projection", view="class=square")
    assert found["layout"] == "own"
    assert found["fitted"] is True
    assert tuple(found["ids"]) == explorer.scores(1).ids
    assert np.array_equal(unpacked(found["places"]), explorer.layout(1))
    assert unpacked(found["sizes"]).tolist() == [[128, 128]] * 8
    assert "a layout is named" in refused(state, "projection", layout="x")["message"]


def test_marks__in_the_order_of_the_projection(state) -> None:
    found = ask(state, "marks", view="clusters=3&ipc=4&bans=disc/000003")
    cluster, rank, kept = (unpacked(found[name]) for name in ("cluster", "rank", "kept"))
    assert cluster[3] == rank[3] == -1
    assert sorted(rank) == [-1, *range(7)]
    assert kept.sum() == 4
    assert found["counts"] == [int((cluster == n).sum()) for n in range(3)]


def test_lasso__images_inside_are_those_of_the_gallery(state) -> None:
    places = state.first.layout(0).astype(float)
    middle = float(np.median(places[:, 0]))
    low, high = places.min() - 1, places.max() + 1
    polygon = [low, low, middle, low, middle, high, low, high]
    found = ask(state, "lasso", polygon=polygon, view="clusters=3")
    inside = unpacked(found["inside"])
    assert inside.tolist() == (places[:, 0] < middle).astype(int).tolist()
    assert sum(found["counts"]) == inside.sum()
    gallery = ask(state, "gallery", polygon=polygon, layout="own", view="clusters=3")
    assert gallery["total"] == inside.sum()
    assert gallery["counts"] == found["counts"]
    assert unpacked(ask(state, "lasso")["inside"]).sum() == 0


def test_cluster_cards__of_each_cluster(state) -> None:
    cards = ask(state, "cluster_cards", view="clusters=3&ipc=4")["cards"]
    assert [card["cluster"] for card in cards] == [0, 1, 2]
    assert sum(card["size"] for card in cards) == 8
    assert sum(card["kept"] for card in cards) == 4
    first = cards[0]["discriminative"][0]
    assert tuple(first) == PATCH_KEYS
    assert first["box"][2:] == [64.0, 64.0]


def test_layout_status__of_the_default_patches_is_ready(state) -> None:
    found = ask(state, "layout_status", view="clusters=3")
    assert found == {"name": "own", "ready": True, "failed": ""}
