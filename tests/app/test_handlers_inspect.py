"""Handlers of Inspect, as the page calls them."""

from __future__ import annotations

import pytest
from support.page import ask
from support.synthetic import MIXED, synthetic_run

from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("inspecting") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


def test_image__boxes_by_rank(state: AppState) -> None:
    view = {"per_image": 3, "patch_px": 32, "image": "disc/000003"}
    found = [ask(state, "image", view, nth=nth) for nth in range(3)]
    patches = [one["explanation"]["patch"] for one in found]
    assert [patch["nth"] for patch in patches] == [0, 1, 2]
    assert [patch["box"] for patch in patches] == [list(box.values()) for box in found[0]["boxes"]]
    assert len(ask(state, "image", {"image": "disc/000003", "bans": "disc/000003"})["boxes"]) == 0


def test_gallery__the_page_of_an_image_and_the_banned_ones(state: AppState) -> None:
    page = ask(state, "gallery", {"bans": ["disc/000004", "square/000001"]}, rows=5, sort="name")
    assert page["banned"] == ["disc/000004"]
    assert page["total"] == 11
    other = ask(state, "gallery", {}, rows=5, sort="name", holding="disc/000011")
    assert other["page"] == 2
    assert "disc/000011" in [row["id"] for row in other["rows"]]


def test_ranges__of_all_and_of_one_timestep(state: AppState) -> None:
    found = ask(state, "ranges")
    assert list(found) == ["conditional", "unconditional", "gap", "combined"]
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert found["combined"]["low"] >= 0
    one = ask(state, "ranges", {"timesteps": 700})
    assert one["gap"]["high"] > found["gap"]["high"]


def test_misplaced__boxes_beyond_the_image(state: AppState) -> None:
    moves = ["disc/000000@96,0", "square/000000@10,10"]
    assert ask(state, "misplaced", {"moves": moves, "patch_px": 32}) == []
    assert ask(state, "misplaced", {"moves": moves, "patch_px": 64}) == ["disc/000000"]
