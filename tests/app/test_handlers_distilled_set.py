"""Handlers of Distilled set, as the page calls them."""

from __future__ import annotations

import pytest
from support.page import PATCH_KEYS, ask, refused
from support.synthetic import MIXED, PX, synthetic_run

from dsel.app.state import AppState
from dsel.config import ExportSettings, SelectSettings
from dsel.pipeline.export import compose_images

CLASSES = ("disc", "square")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> AppState:
    path = tmp_path_factory.mktemp("sets") / "run"
    synthetic_run(path, classes=2, per_class=12, sizes=MIXED)
    return AppState(path)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_distilled__the_patches_that_the_images_are_made_of(state: AppState, factor: int) -> None:
    settings = SelectSettings(ipc=5, factor=factor)
    found = ask(state, "distilled", {"ipc": 5, "factor": factor}, classes=CLASSES)
    assert sum(found["sides"]) == PX
    assert [one["name"] for one in found["classes"]] == list(CLASSES)
    for index, one in enumerate(found["classes"]):
        selected = state.first.select(index, settings)
        proxies = ExportSettings(pixels="proxy")
        made = list(compose_images(state.first.run, [selected], settings, proxies))
        frames = dict(
            zip(state.first.scores(index).ids, state.first.scores(index).frames, strict=True)
        )
        assert len(one["images"]) == len(made)
        for patches, image in zip(one["images"], made, strict=True):
            assert [patch["id"] for patch in patches] == [p.image_id for p in image.patches]
            assert [patch["rank"] for patch in patches] == [p.rank for p in image.patches]
            for shown, patch in zip(patches, image.patches, strict=True):
                box, frame = patch.box, frames[patch.image_id]
                assert tuple(shown) == PATCH_KEYS
                assert shown["box"] == [box.x, box.y, box.width, box.height]
                assert shown["size"] == [frame.proxy_width, frame.proxy_height]


def test_distilled__the_sides_of_the_exports_size(state: AppState) -> None:
    found = ask(state, "distilled", {"factor": 3, "image_px": 100})
    assert found["sides"] == [34, 33, 33]
    assert [one["name"] for one in found["classes"]] == ["disc"]


def test_distilled__a_moved_box_beyond_the_image(state: AppState) -> None:
    view = {"patch_px": 64, "moves": "disc/000000@100,0"}
    message = refused(state, "distilled", view)["message"]
    assert "the corner of image 'disc/000000' in moves" in message
    (found,) = ask(state, "overrides", view)
    assert (found["kind"], found["class_name"]) == ("move", "disc")
    assert found["problem"] == message


def test_replacements__none_that_is_kept(state: AppState) -> None:
    view = {"class": "disc", "ipc": 4}
    kept = {
        patch["id"] for image in ask(state, "distilled", view)["classes"][0]["images"]
        for patch in image
    }  # fmt: skip
    found = ask(state, "replacements", {**view, "image": min(kept)})
    offered = [patch["id"] for patch in found["cluster"] + found["others"]]
    assert offered
    assert not kept & set(offered)


def test_quality__the_explorers_figures(state: AppState) -> None:
    settings = SelectSettings(ipc=6, patch_px=32)
    view = {"ipc": 6, "patch_px": 32}
    found = ask(state, "quality", view, classes=CLASSES)
    for index, one in enumerate(found):
        figures = state.first.quality(index, settings)
        assert one["coverage_distance"] == figures.coverage_distance
        assert one["near_duplicates"] == len(figures.near_duplicates) == len(one["pairs"])
        assert (one["clusters_covered"], one["clusters"]) == (
            figures.clusters_covered,
            figures.clusters,
        )
        assert [[patch["rank"] for patch in pair] for pair in one["pairs"]] == [
            list(pair) for pair in figures.near_duplicates
        ]
    whole = state.first.quality_overall(settings)
    found = ask(state, "quality_overall", view)
    assert found["coverage_distance"] == whole.coverage_distance
    assert (found["images"], found["short"]) == (12, 0)
    assert ask(state, "quality_overall", {"ipc": 13})["short_classes"] == list(CLASSES)


def test_overrides__in_the_order_of_pins_bans_moves(state: AppState) -> None:
    view = [
        ("pins", "square/000001"), ("pins", "disc/000001"), ("bans", "disc/000002"),
        ("moves", "disc/000003@0,8"), ("bans", "cow/1"),
    ]  # fmt: skip
    found = ask(state, "overrides", view)
    assert [(one["kind"], one["image_id"], one["class_name"]) for one in found] == [
        ("pin", "square/000001", "square"), ("pin", "disc/000001", "disc"),
        ("ban", "disc/000002", "disc"), ("ban", "cow/1", ""), ("move", "disc/000003", "disc"),
    ]  # fmt: skip
    assert [bool(one["problem"]) for one in found] == [False, False, False, True, False]
    patches = ask(state, "distilled", [("ipc", 12), *view[:-1]])["classes"][0]["images"]
    first = patches[0][0]
    assert (first["id"], first["pinned"]) == ("disc/000001", True)
    assert {patch["id"] for image in patches for patch in image if patch["moved"]} == {
        "disc/000003"
    }


def test_swap_effects__are_those_of_the_selection(state: AppState) -> None:
    settings = SelectSettings(ipc=4)
    view = {"class": "disc", "ipc": 4}

    def kept(of: SelectSettings) -> set[str]:
        selected = state.first.select(0, of)
        return {selected.patches[rank].image_id for rank in selected.kept(4)}

    removed = min(kept(settings))
    offered = ask(state, "replacements", {**view, "image": removed})
    ids = [patch["id"] for patch in offered["cluster"] + offered["others"]]
    found = ask(state, "swap_effects", {**view, "image": removed}, ids=ids)
    assert [one["image_id"] for one in found] == ids
    for one in found:
        after = kept(settings.replace(pins=(one["image_id"],), bans=(removed,)))
        assert set(one["joining"]) == after - kept(settings) - {one["image_id"]}
        assert set(one["leaving"]) == kept(settings) - after - {removed}
    message = refused(state, "swap_effects", {**view, "image": removed}, ids=["x"])["message"]
    assert message == "class 'disc' has no scored image 'x'"


def test_quality__counts_repeated_tiles(state: AppState) -> None:
    view = {"ipc": 5, "factor": 2}
    found = ask(state, "quality", view, classes=CLASSES)
    shown = ask(state, "distilled", view, classes=CLASSES)["classes"]
    for figures, one in zip(found, shown, strict=True):
        ranks = [patch["rank"] for image in one["images"] for patch in image]
        assert figures["repeated_tiles"] == len(ranks) - len(set(ranks)) > 0
    overall = ask(state, "quality_overall", view)
    assert overall["repeated_tiles"] == sum(one["repeated_tiles"] for one in found)
    clusters = ask(state, "repeat_free_clusters", {**view, "ipc": 3})["clusters"]
    assert clusters == 1  # of 12 patches, one cluster fills 3 mosaics
    assert ask(state, "repeat_free_clusters", view)["clusters"] == 0
