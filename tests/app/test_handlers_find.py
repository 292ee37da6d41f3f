"""Handlers of Find, as the page calls them."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from support.evaluated import evaluation, row
from support.page import ask, send
from support.synthetic import synthetic_run

from dsel.app.state import AppState
from dsel.config import SelectSettings
from dsel.runs.evaluations import write_evaluation


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("find") / "run"
    synthetic_run(path, classes=3, per_class=10)
    return AppState(path)


@pytest.fixture(autouse=True)
def whole(state: AppState) -> None:
    """All classes are read."""
    for _ in range(3):
        ask(state, "find")


def test_find__a_page_of_the_whole_run(state: AppState) -> None:
    found = ask(state, "find", rows=12, page=1)
    assert (found["page"], found["pages"], found["total"]) == (1, 3, 30)
    assert (found["ready"], found["classes"]) == (3, 3)
    scores = [one["score"] for one in found["rows"]]
    assert scores == sorted(scores, reverse=True)
    one = found["rows"][0]
    explorer = state.first
    index = explorer.classes.index(one["class_name"])
    patches = explorer.select(index, SelectSettings()).patches
    patch = next(patch for patch in patches if patch.image_id == one["id"])
    assert one["score"] == pytest.approx(patch.picture_score, rel=1e-5)
    assert one["box"] == [patch.box.x, patch.box.y, patch.box.width, patch.box.height]
    assert one["size"] == [128, 128]
    assert one["looks"] in explorer.classes
    assert one["looks"] != one["class_name"]


def test_find__by_words_class_and_range(state: AppState) -> None:
    found = ask(state, "find", text="00000", classes=["disc", "bar"], rows=100)
    assert {one["class_name"] for one in found["rows"]} == {"disc", "bar"}
    assert found["total"] == 20
    low, high = found["ranges"]["score"]
    assert ask(state, "find", score_min=high)["total"] == 1
    assert ask(state, "find", score_max=low - 1e-6)["total"] == 0


def test_find_all__groups_ids_by_class(state: AppState) -> None:
    found = ask(state, "find_all", status="kept")
    assert found["total"] == sum(map(len, found["groups"].values()))
    assert set(found["groups"]) == {"disc", "square", "bar"}
    assert all(one.startswith("bar/") for one in found["groups"]["bar"])


def test_similar__own_class_and_others(state: AppState) -> None:
    found = ask(state, "similar", {"class": "disc", "image": "disc/000003"})
    assert found["image"]["id"] == "disc/000003"
    assert len(found["own"]) == 9
    assert {one["class_name"] for one in found["others"]} <= {"square", "bar"}
    for rows in (found["own"], found["others"]):
        cosines = [one["cosine"] for one in rows]
        assert cosines == sorted(cosines, reverse=True)


def test_class_figures__one_number_per_class(state: AppState) -> None:
    found = ask(state, "class_figures")["figures"]
    assert {name: one["shape"] for name, one in found.items()} == {name: [3] for name in found}
    assert "coverage" in found


def test_class_figures__accuracies_of_the_evaluation_of_the_view(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", classes=2, per_class=6)
    view = {"ipc": 4}
    assert accuracies(tmp_path / "run", view) == ("not_evaluated", [None, None])
    older, newer = row("dsel", 4, 0.5), row("dsel", 4, 0.5, per_class=(0.25, 0.75))
    write_evaluation(tmp_path / "run", evaluation("a" * 16, rows=[older]))
    assert accuracies(tmp_path / "run", view) == ("not_stored", [None, None])
    write_evaluation(tmp_path / "run", evaluation("b" * 16, rows=[newer]))
    assert accuracies(tmp_path / "run", view) == ("", [0.25, 0.75])
    assert accuracies(tmp_path / "run", {"ipc": 3}) == ("not_evaluated", [None, None])


def accuracies(run: Path, view: dict) -> tuple[str, list[float | None]]:
    found = ask(AppState(run), "class_figures", view)
    packed = found["figures"]["accuracy"]
    values = np.frombuffer(base64.b64decode(packed["data"]), "<f4")
    return found["no_accuracy"], [None if np.isnan(one) else float(one) for one in values]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"status": "gone"}, "status must be one of scored, kept, "),
        ({"score_min": "a"}, "score_min must be a finite number, or null for no limit, got 'a'"),
        ({"classes": ["cat"]}, "unknown class 'cat'; known are: disc, square, bar"),
        ({"looks": "cat"}, "unknown class 'cat'; known are: disc, square, bar"),
        ({"sort": "size"}, "sort must be one of score, margin, error, rank, looks, name"),
    ],
)
def test_find__what_is_wrong_is_named(state: AppState, params: dict, message: str) -> None:
    assert send(state, "find", **params)["error"]["message"].startswith(message)


def test_find__a_view_with_a_filter_is_kept(state: AppState) -> None:
    started = ask(state, "start", link="tab=find&find=status%3Dkept")
    assert started["view"]["find"] == "status=kept"
    assert np.array(started["notes"]).size == 0
