"""Answers about the distilled set: what the explorer says, as the page asks for it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from support.synthetic import MIXED, PX, synthetic_run

from dsel.app.rpc import answer
from dsel.app.state import AppState
from dsel.config import SelectSettings

CLASSES = ("disc", "square")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("sets") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


def told(state: AppState, name: str, view: Any = (), **more: Any) -> Any:
    text = json.dumps({"ask": name, "run": "", "view": urlencode(view), **more})
    return json.loads(answer(state, text))


def ask(state: AppState, name: str, view: Any = (), **more: Any) -> Any:
    said = told(state, name, view, **more)
    assert "answer" in said, said
    return said["answer"]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_distilled__the_patches_that_the_preview_is_made_of(state: AppState, factor: int) -> None:
    settings = SelectSettings(ipc=5, factor=factor)
    said = ask(state, "distilled", {"ipc": 5, "factor": factor}, classes=CLASSES)
    assert sum(said["sides"]) == PX
    assert [one["name"] for one in said["classes"]] == list(CLASSES)
    for index, one in enumerate(said["classes"]):
        made = state.first.preview(index, settings)
        frames = dict(
            zip(state.first.scores(index).ids, state.first.scores(index).frames, strict=True)
        )
        assert len(one["images"]) == len(made)
        for pieces, image in zip(one["images"], made, strict=True):
            assert [piece["id"] for piece in pieces] == [p.image_id for p in image.patches]
            assert [piece["rank"] for piece in pieces] == [p.rank for p in image.patches]
            for piece, patch in zip(pieces, image.patches, strict=True):
                box, frame = patch.box, frames[patch.image_id]
                assert piece["box"] == [box.x, box.y, box.width, box.height]
                assert piece["size"] == [frame.proxy_width, frame.proxy_height]


def test_distilled__the_sides_of_the_exports_size(state: AppState) -> None:
    said = ask(state, "distilled", {"factor": 3, "image_px": 100})
    assert said["sides"] == [34, 33, 33]
    assert [one["name"] for one in said["classes"]] == ["disc"]


def test_distilled__too_many_classes_at_once(state: AppState) -> None:
    said = told(state, "distilled", classes=["disc"] * 26)
    assert said == {"error": "classes must be at most 25 at once, got 26"}


def test_distilled__a_moved_box_that_sticks_out_is_said(state: AppState) -> None:
    view = {"patch_px": 64, "moves": "disc/000000@100,0"}
    assert "the corner of image 'disc/000000' in moves" in told(state, "distilled", view)["error"]
    (found,) = ask(state, "by_hand", view)
    assert (found["kind"], found["class_name"]) == ("move", "disc")
    assert found["problem"] == told(state, "distilled", view)["error"]


def test_why__the_story_without_maps(state: AppState) -> None:
    view = {"class": "square", "image": "square/000002"}
    said = ask(state, "why", view)
    explanation = state.first.explanation(1, "square/000002", SelectSettings())
    assert said["explanation"]["sentence"] == explanation.sentence
    assert said["frame"]["source_width"] == MIXED[2][0]
    assert "maps" not in said


def test_swap__none_that_is_kept(state: AppState) -> None:
    view = {"class": "disc", "ipc": 4}
    kept = {
        piece["id"] for image in ask(state, "distilled", view)["classes"][0]["images"]
        for piece in image
    }  # fmt: skip
    found = ask(state, "swap", {**view, "image": min(kept)})
    offered = [piece["id"] for piece in found["cluster"] + found["others"]]
    assert offered
    assert not kept & set(offered)


def test_quality__the_explorers_figures(state: AppState) -> None:
    settings = SelectSettings(ipc=6, patch_px=32)
    view = {"ipc": 6, "patch_px": 32}
    said = ask(state, "quality", view, classes=CLASSES)
    for index, one in enumerate(said):
        figures = state.first.quality(index, settings)
        assert one["coverage_distance"] == figures.coverage_distance
        assert one["near_duplicates"] == len(figures.near_duplicates) == len(one["pairs"])
        assert (one["clusters_covered"], one["clusters"]) == (
            figures.clusters_covered,
            figures.clusters,
        )
        assert [[piece["rank"] for piece in pair] for pair in one["pairs"]] == [
            list(pair) for pair in figures.near_duplicates
        ]
    whole = state.first.quality_overall(settings)
    said = ask(state, "overall", view)
    assert said["coverage_distance"] == whole.coverage_distance
    assert (said["images"], said["short"]) == (12, 0)
    assert ask(state, "overall", {"ipc": 13})["short_classes"] == list(CLASSES)


def test_by_hand__in_the_order_of_pins_bans_moves(state: AppState) -> None:
    view = [
        ("pins", "square/000001"), ("pins", "disc/000001"), ("bans", "disc/000002"),
        ("moves", "disc/000003@0,8"), ("bans", "cow/1"),
    ]  # fmt: skip
    found = ask(state, "by_hand", view)
    assert [(one["kind"], one["image_id"], one["class_name"]) for one in found] == [
        ("pin", "square/000001", "square"), ("pin", "disc/000001", "disc"),
        ("ban", "disc/000002", "disc"), ("ban", "cow/1", ""), ("move", "disc/000003", "disc"),
    ]  # fmt: skip
    assert [bool(one["problem"]) for one in found] == [False, False, False, True, False]
    pieces = ask(state, "distilled", [("ipc", 12), *view[:-1]])["classes"][0]["images"]
    first = pieces[0][0]
    assert (first["id"], first["pinned"]) == ("disc/000001", True)
    assert {piece["id"] for image in pieces for piece in image if piece["moved"]} == {"disc/000003"}
