"""Answers of Inspect: what each question says, as the page reads it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.synthetic import MIXED, synthetic_run

from dsel.app.rpc import answer
from dsel.app.state import Desk


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    path = tmp_path_factory.mktemp("inspecting") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return Desk(path)


def said(desk: Desk, name: str, view: dict[str, Any] | None = None, **more: Any) -> Any:
    text = json.dumps({"ask": name, "view": urlencode(view or {}, doseq=True), **more})
    found = json.loads(answer(desk, text))
    assert "error" not in found, found
    return found["answer"]


def test_image__its_boxes_stand_by_rank(desk: Desk) -> None:
    view = {"per_image": 3, "patch_px": 32, "image": "disc/000003"}
    told = [said(desk, "image", view, nth=nth) for nth in range(3)]
    assert [one["story"]["patch"]["box"] for one in told] == told[0]["boxes"]
    assert len(said(desk, "image", {"image": "disc/000003", "bans": "disc/000003"})["boxes"]) == 0


def test_gallery__the_page_that_holds_an_image_and_who_is_banned(desk: Desk) -> None:
    page = said(desk, "gallery", {"bans": ["disc/000004", "square/000001"]}, rows=5, sort="name")
    assert page["banned"] == ["disc/000004"]
    assert page["total"] == 11
    other = said(desk, "gallery", {}, rows=5, sort="name", holding="disc/000011")
    assert other["page"] == 2
    assert "disc/000011" in [row["id"] for row in other["rows"]]


def test_ranges__hold_the_maps_of_an_image(desk: Desk) -> None:
    found = said(desk, "ranges")
    assert list(found) == ["conditional", "unconditional", "gap", "combined"]
    assert found["gap"]["low"] < 0 < found["gap"]["high"]
    assert found["combined"]["low"] >= 0
    one = said(desk, "ranges", {"timesteps": 700})
    assert one["gap"]["high"] > found["gap"]["high"]


def test_misplaced__what_reaches_beyond_its_picture(desk: Desk) -> None:
    moves = ["disc/000000@96,0", "square/000000@10,10"]
    assert said(desk, "misplaced", {"moves": moves, "patch_px": 32}) == []
    assert said(desk, "misplaced", {"moves": moves, "patch_px": 64}) == ["disc/000000"]
