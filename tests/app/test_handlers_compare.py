"""Handlers of Compare and Baselines, as the page calls them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.page import PATCH_KEYS, ask, refused
from support.synthetic import MIXED, synthetic_run
from support.teachers import BrightnessTeacher
from support.truths import write_boxes

from dsel.analysis.baselines import BASELINES, kept_score
from dsel.app.state import AppState
from dsel.config import SelectSettings
from dsel.core.baselines.registry import BASELINES as SELECTIONS
from dsel.pipeline.selector import Selector

A = "patch_px=48&ipc=4"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("comparing") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


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
    assert row["a"]["boxes"][0][2:] == [48, 48]
    assert row["b"]["boxes"][0][2:] == [64, 64]
    assert len(row["size"]) == 2
    assert tuple(row["a"]) == (*PATCH_KEYS, "boxes")
    assert sum(bool(row["a"]["kept"]) for row in found["rows"]) == 4


def test_compare__clusters_filter_the_list_and_the_image_is_found(state: AppState) -> None:
    every = ask(state, "compare", {"a": A})
    one = every["rows"][5]
    clusters = {"cluster_a": one["a"]["cluster"], "cluster_b": one["b"]["cluster"]}
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
    assert found["chosen"]["b"] is None
    assert found["chosen"]["overlap"] == 0


def test_compare__a_side_has_all_patches_of_its_image(state: AppState) -> None:
    view = {"a": A, "patch_px": 32, "per_image": 3, "ipc": 20}
    numbers: dict[str, list[int]] = {}
    for number, (patch,) in enumerate(ask(state, "distilled", view)["classes"][0]["images"]):
        numbers.setdefault(patch["id"], []).append(number)
    assert any(len(found) > 1 for found in numbers.values())
    for row in ask(state, "compare", view)["rows"]:
        assert row["b"]["nth"] == 0
        assert row["b"]["box"] == row["b"]["boxes"][0]
        assert row["b"]["kept"] == numbers.get(row["id"], [])


def test_compare__an_invalid_a_is_one_line(state: AppState) -> None:
    error = refused(state, "compare", {"a": "patch_px=wide"})
    assert error["code"] == "setting"
    assert "patch_px in the link must be a whole number" in error["message"]


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
        assert [patch["id"] for (patch,) in images] == found["ids"]
        assert {tuple(patch["box"][2:]) for (patch,) in images} == {(40, 40)}
    for (patch,) in whole:
        assert patch["box"] == [0, 0, *patch["size"]]
    assert all(patch["kept"] == [n] for n, (patch,) in enumerate(random))


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


def test_baseline_selection__chosen_and_baseline_with_figures(state: AppState) -> None:
    view = {"patch_px": 40, "ipc": 3}
    found = ask(state, "baseline_selection", view, name="herding")
    assert [one["name"] for one in found["options"]] == list(SELECTIONS)
    unlinked = [one["name"] for one in found["options"] if not one["linked"]]
    assert unlinked == ["rded", "easiest", "hardest"]
    explorer, settings = state.first, SelectSettings(patch_px=40, ipc=3)
    for key, one in (("chosen", settings), ("baseline", settings.replace(baseline="herding"))):
        shown, quality = found[key], explorer.quality(0, one)
        selected = explorer.select(0, one)
        assert shown["total"] == len(shown["images"]) == 3
        ids = [patch["id"] for (patch,) in shown["images"]]
        assert ids == [patch.image_id for patch in selected.patches[:3]]
        assert shown["score"] == pytest.approx(kept_score(selected, 3))
        pictures = [patch.picture_score for patch in selected.patches[:3]]
        assert shown["picture_score"] == pytest.approx(np.mean(pictures))
        assert shown["coverage_distance"] == pytest.approx(quality.coverage_distance)
        assert shown["clusters"] == len({patch.cluster for patch in selected.patches})
        assert shown["clusters_covered"] == quality.clusters_covered
    both = [{patch["id"] for (patch,) in found[key]["images"]} for key in ("chosen", "baseline")]
    assert found["shared"] == len(both[0] & both[1])


def test_baseline_selection__whole_set_kept_covers_everything(state: AppState) -> None:
    """Coverage is measured on the patches that were located, for any baseline."""
    for name in ("random-whole", "random-crop", "centre-crop", "kmeans-nearest"):
        shown = ask(state, "baseline_selection", {"ipc": 12}, name=name)["baseline"]
        assert shown["coverage_distance"] == pytest.approx(0, abs=1e-3)
        assert shown["clusters_covered"] == shown["clusters"]


def test_baseline_selection__another_seed_draws_again(state: AppState) -> None:
    first, again = (
        ask(state, "baseline_selection", {"ipc": 5}, name="random-whole", seed=seed)
        for seed in (0, 1)
    )
    assert first["chosen"] == again["chosen"]
    assert first["baseline"]["images"] != again["baseline"]["images"]


def test_baseline_selection__what_is_missing_is_one_line(state: AppState) -> None:
    error = refused(state, "baseline_selection", name="rded")
    assert "needs a teacher" in error["message"]
    assert error["fields"]["setting"] == "teacher"
    teacher = BrightnessTeacher()
    settings = SelectSettings(ipc=3, baseline="rded", teacher="/home/me/bright")
    run = state.first.run
    expected = Selector(run, teacher=teacher).select(0, settings)
    shown = ask(state, "baseline_selection", {"ipc": 3}, name="rded")["baseline"]["images"]
    assert [patch["id"] for (patch,) in shown] == [p.image_id for p in expected.patches[:3]]
    error = refused(state, "baseline_selection", name="hardest")
    assert "answers of teacher bright to these images are not in the run" in error["message"]
    shutil.rmtree(run.path / "teachers")
    error = refused(state, "baseline_selection", name="largest-object")
    assert "needs the true objects" in error["message"]
    error = refused(state, "baseline_selection", name="best")
    assert "baseline must be one of none, random-whole" in error["message"]


def test_localization__only_with_boxes_and_a_line_for_broken_ones(state: AppState) -> None:
    assert ask(state, "localization")["kinds"] == ask(state, "localization_overall")["kinds"] == []
    assert ask(state, "localization")["fit"] is None
    path: Path = state.first.run.objects_path
    path.mkdir()
    assert "is a folder, not a file" in refused(state, "localization")["message"]
    path.rmdir()
    path.write_text("[]")
    broken = AppState(state.first.run.path)
    error = refused(broken, "localization")
    assert error["code"] == "source"
    assert "is not COCO JSON" in error["message"]
    write_boxes(state.first.run)
    try:
        whole = AppState(state.first.run.path)
        found = ask(whole, "localization", {"patch_px": 56})
        assert [one["kind"] for one in found["kinds"]] == ["chosen", *BASELINES]
        assert {one["images"] for one in found["kinds"]} == {12}
        chosen, random, *_ = (one["hit_rate"] for one in found["kinds"])
        assert chosen > random
        assert ask(whole, "localization_overall")["kinds"][0]["images"] == 24
        assert found["fit"] == {
            "run_images": 24, "run_images_with_objects": 24, "file_images": 24,
            "file_images_not_in_run": 0, "notes": [
                "the file has no categories: all objects of an image are joined, whatever they are"
            ],
        }  # fmt: skip
    finally:
        path.unlink()
