"""Answers of Compare and Baselines, as the page asks for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from support.synthetic import MIXED, synthetic_run
from support.truths import write_boxes

from dsel.analysis.baselines import BASELINES, kept_score
from dsel.app.rpc import answer
from dsel.app.state import AppState
from dsel.config import SelectSettings

A = "patch_px=48&ipc=4"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("comparing") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


def ask(state: AppState, name: str, view: dict[str, Any] | None = None, **more: Any) -> Any:
    said = json.loads(
        answer(state, json.dumps({"ask": name, "view": urlencode(view or {}), **more}))
    )
    return said.get("answer", said)


def test_compare__least_overlap_first_with_all_that_is_drawn(state: AppState) -> None:
    found = ask(state, "compare", {"a": A, "ipc": 6})
    overlaps = [row["overlap"] for row in found["rows"]]
    assert overlaps == sorted(overlaps)
    assert (found["total"], found["page"], found["pages"]) == (12, 0, 1)
    assert (found["a"]["patch_px"], found["a"]["ipc"]) == (48, 4)
    assert found["chosen"] == found["rows"][0]
    figures = found["figures"]
    assert (figures["a"], figures["b"], figures["images"]) == (4, 6, 12)
    assert figures["overlap"] == pytest.approx(np.mean(overlaps))
    assert np.sum(found["moves"]) == 12
    row = found["rows"][0]
    assert row["a"][0]["box"][2:] == [48, 48]
    assert row["b"][0]["box"][2:] == [64, 64]
    assert len(row["a"][0]["size"]) == 2


def test_compare__clusters_filter_the_list_and_the_image_is_found(state: AppState) -> None:
    every = ask(state, "compare", {"a": A})
    one = every["rows"][5]
    clusters = {"cluster_a": one["a"][0]["cluster"], "cluster_b": one["b"][0]["cluster"]}
    found = ask(state, "compare", {"a": A, "image": one["id"]}, **clusters)
    assert found["chosen"] == one
    assert found["total"] == every["moves"][clusters["cluster_a"]][clusters["cluster_b"]]
    assert one in found["rows"]


def test_compare__with_itself(state: AppState) -> None:
    found = ask(state, "compare", {"a": "ipc=10"})
    assert {row["overlap"] for row in found["rows"]} == {1}
    assert found["figures"]["image_share"] == found["figures"]["box_share"] == 1
    assert found["figures"]["rand_index"] == 1


def test_compare__a_banned_image_has_no_side(state: AppState) -> None:
    gone = ask(state, "compare", {"a": A})["rows"][3]["id"]
    found = ask(state, "compare", {"a": A, "bans": gone, "image": gone})
    assert found["chosen"]["id"] == gone
    assert found["chosen"]["b"] == []
    assert found["chosen"]["overlap"] == 0


def test_compare__an_a_that_says_nothing_is_one_line(state: AppState) -> None:
    found = ask(state, "compare", {"a": "patch_px=wide"})
    assert "patch_px in the link must be a whole number" in found["error"]


def test_compare_overall__counts_all_classes(state: AppState) -> None:
    found = ask(state, "compare_overall", {"a": A})
    assert (found["images"], found["a"], found["b"]) == (24, 8, 20)


def test_baselines__same_images_and_side_in_every_column(state: AppState) -> None:
    found = ask(state, "baselines", {"patch_px": 40, "ipc": 3}, seed=2)
    assert [one["kind"] for one in found["kinds"]] == ["chosen", *BASELINES]
    chosen, random, centre, whole = (one["images"] for one in found["kinds"])
    assert [len(images) for images in (chosen, random, centre, whole)] == [3] * 4
    assert (found["patch_px"], found["total"]) == (40, 3)
    for images in (chosen, random, centre):
        for (patch,) in images:
            assert patch["box"][2:] == [40, 40]
    for (patch,), (other,) in zip(whole, chosen, strict=True):
        assert patch["box"] == [0, 0, *patch["size"]]
        assert (patch["id"], patch["rank"]) == (other["id"], other["rank"])


def test_baselines__mosaics_and_mean_scores(state: AppState) -> None:
    found = ask(state, "baselines", {"factor": 2, "ipc": 2}, seed=1)
    assert all(len(image) == 4 for one in found["kinds"] for image in one["images"])
    settings = SelectSettings(factor=2, ipc=2)
    explorer = state.first
    expected = [explorer.select(0, settings)]
    expected += [explorer.baseline(0, settings, kind, 1) for kind in BASELINES]
    means = [kept_score(one, 2) for one in expected]
    assert [one["score"] for one in found["kinds"]] == pytest.approx(means)
    again = ask(state, "baselines", {"factor": 2, "ipc": 2}, seed=7)
    assert again["kinds"][0] == found["kinds"][0]
    assert again["kinds"][1] != found["kinds"][1]


def test_localization__only_with_boxes_and_a_line_for_broken_ones(state: AppState) -> None:
    assert ask(state, "localization")["kinds"] == ask(state, "localization_overall")["kinds"] == []
    path: Path = state.first.run.objects_path
    path.write_text("[]")
    broken = AppState(state.first.run.path)
    assert "is not COCO JSON" in ask(broken, "localization")["error"]
    write_boxes(state.first.run)
    try:
        whole = AppState(state.first.run.path)
        found = ask(whole, "localization", {"patch_px": 56})
        assert [one["kind"] for one in found["kinds"]] == ["chosen", *BASELINES]
        assert {one["images"] for one in found["kinds"]} == {12}
        chosen, random, *_ = (one["hit_rate"] for one in found["kinds"])
        assert chosen > random
        assert ask(whole, "localization_overall")["kinds"][0]["images"] == 24
    finally:
        path.unlink()
