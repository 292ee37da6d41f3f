"""Answers of Inspect: what each request says, as the page reads it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.synthetic import MIXED, synthetic_run

from dsel.app.rpc import answer
from dsel.app.state import AppState


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("inspecting") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


def said(state: AppState, name: str, view: dict[str, Any] | None = None, **more: Any) -> Any:
    text = json.dumps({"ask": name, "view": urlencode(view or {}, doseq=True), **more})
    found = json.loads(answer(state, text))
    assert "error" not in found, found
    return found["answer"]


def test_image__its_boxes_stand_by_rank(state: AppState) -> None:
    view = {"per_image": 3, "patch_px": 32, "image": "disc/000003"}
    told = [said(state, "image", view, nth=nth) for nth in range(3)]
    assert [one["explanation"]["patch"]["box"] for one in told] == [
        [box[side] for side in ("x", "y", "width", "height")] for box in told[0]["boxes"]
    ]
    assert len(said(state, "image", {"image": "disc/000003", "bans": "disc/000003"})["boxes"]) == 0


def test_gallery__the_page_that_holds_an_image_and_who_is_banned(state: AppState) -> None:
    page = said(state, "gallery", {"bans": ["disc/000004", "square/000001"]}, rows=5, sort="name")
    assert page["banned"] == ["disc/000004"]
    assert page["total"] == 11
    other = said(state, "gallery", {}, rows=5, sort="name", holding="disc/000011")
    assert other["page"] == 2
    assert "disc/000011" in [row["id"] for row in other["rows"]]


def test_ranges__hold_the_maps_of_an_image(state: AppState) -> None:
    found = said(state, "ranges")
    assert list(found) == ["conditional", "unconditional", "gap", "combined"]
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert found["combined"]["low"] >= 0
    one = said(state, "ranges", {"timesteps": 700})
    assert one["gap"]["high"] > found["gap"]["high"]


def test_misplaced__what_reaches_beyond_its_picture(state: AppState) -> None:
    moves = ["disc/000000@96,0", "square/000000@10,10"]
    assert said(state, "misplaced", {"moves": moves, "patch_px": 32}) == []
    assert said(state, "misplaced", {"moves": moves, "patch_px": 64}) == ["disc/000000"]
