"""A choice as the selection of a class: boxes, cuts, scores and mosaics by the slow definition."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn_class import CELL_PX, GEOMETRY, SHAPES, class_scores
from support.selecting import select_class

from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_map, image_bucket
from dsel.types import Box, ClassSelection

FREE = ("random-whole", "random-crop", "centre-crop", "no-clusters", "kmeans-nearest", "herding",
        "facility-location")  # fmt: skip
"""The baselines that need neither a teacher nor true objects."""

SCORES = class_scores(11, seed=3, shapes=SHAPES)
FRAMES = dict(zip(SCORES.ids, SCORES.frames, strict=True))


def selected(name: str, **settings: object) -> ClassSelection:
    return select_class(SCORES, GEOMETRY, SelectSettings(baseline=name, **settings))


def whole_square(image_id: str) -> Box:
    """The largest square in the middle of a proxy."""
    width, height = FRAMES[image_id].proxy_width, FRAMES[image_id].proxy_height
    side = min(width, height)
    return Box((width - side) / 2, (height - side) / 2, side, side)


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("factor", [1, 2])
def test_select__a_ranked_permutation_of_the_patches(name: str, factor: int) -> None:
    found = selected(name, factor=factor, ipc=3)
    own = select_class(SCORES, GEOMETRY, SelectSettings(factor=factor, ipc=3))
    assert (found.name, found.index) == (own.name, own.index)
    assert [patch.rank for patch in found.patches] == list(range(11))
    assert sorted(p.image_id for p in found.patches) == sorted(p.image_id for p in own.patches)
    if factor == 1:
        assert found.images == tuple((rank,) for rank in range(11))
    else:
        assert found.images == ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 0))


@pytest.mark.parametrize("name", FREE)
def test_select__scores_are_those_of_the_boxes(name: str) -> None:
    for patch in selected(name, score="signed").patches:
        row = SCORES.ids.index(patch.image_id)
        maps = combined_map(image_bucket(SCORES, row), GEOMETRY, (), "signed")[0]
        pixels = maps.astype(np.float64).repeat(CELL_PX, 0).repeat(CELL_PX, 1)
        x, y, side = patch.box.x, patch.box.y, patch.box.width
        assert (x % 1, y % 1, side % 1) == (0, 0, 0)
        inside = pixels[int(y) : int(y + side), int(x) : int(x + side)]
        assert patch.score == pytest.approx(inside.mean(), abs=1e-6)
        assert patch.picture_score == pytest.approx(pixels.mean(), abs=1e-6)


@pytest.mark.parametrize("cut", ["patch", "context", "whole"])
def test_select__a_definition_that_names_a_cut_keeps_it(cut: str) -> None:
    settings = {"cut": cut, "patch_px": 24, "baseline_seed": 4}
    for patch in selected("random-whole", **settings).patches:
        square = whole_square(patch.image_id)
        assert patch.box == square
        assert patch.cut_box == FRAMES[patch.image_id].to_source(square)
    for name in ("random-crop", "centre-crop"):
        for patch in selected(name, **settings).patches:
            assert patch.box.width == 24
            assert patch.cut_box == patch.source_box


@pytest.mark.parametrize("name", FREE[3:])
@pytest.mark.parametrize("cut", ["patch", "context", "whole"])
def test_select__others_locate_and_cut_as_the_settings(name: str, cut: str) -> None:
    """Image by image they export what dsel exports: only which images, and in which order."""
    own = select_class(SCORES, GEOMETRY, SelectSettings(cut=cut, patch_px=24))
    boxes = {patch.image_id: (patch.box, patch.cut_box, patch.cluster) for patch in own.patches}
    found = selected(name, cut=cut, patch_px=24).patches
    assert {patch.image_id: (patch.box, patch.cut_box, patch.cluster) for patch in found} == boxes


def test_select__no_clusters_is_pooled_by_the_same_score() -> None:
    for rank_by in ("patch", "picture"):
        pooled = SelectSettings(rank_by=rank_by, across="pooled", within="score")
        own = select_class(SCORES, GEOMETRY, pooled)
        found = selected("no-clusters", rank_by=rank_by, within="centroid")
        assert [p.image_id for p in found.patches] == [p.image_id for p in own.patches]


@pytest.mark.parametrize("name", FREE)
def test_select__bans_count_and_pins_do_not(name: str) -> None:
    found = selected(name, bans=("cat/2", "cat/5"), baseline_seed=1)
    ids = [patch.image_id for patch in found.patches]
    assert sorted(ids) == sorted(set(SCORES.ids) - {"cat/2", "cat/5"})
    pinned = selected(name, bans=("cat/2", "cat/5"), pins=(ids[-1],), baseline_seed=1)
    assert [patch.image_id for patch in pinned.patches] == ids


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("cut", ["patch", "whole"])
def test_select__several_patches_per_image_but_no_cut_twice(name: str, cut: str) -> None:
    settings = {"patch_px": 24, "per_image": 2, "cut": cut}
    found = selected(name, **settings)
    own = select_class(SCORES, GEOMETRY, SelectSettings(**settings))
    assert sorted(p.image_id for p in found.patches) == sorted(p.image_id for p in own.patches)
    assert [patch.rank for patch in found.patches] == list(range(len(found.patches)))
    cuts = [(patch.image_id, patch.cut_box) for patch in found.patches]
    kept = [cuts[rank] for (rank,) in found.images]
    assert len(kept) == len(set(kept))
    assert set(kept) == set(cuts)
    assert [rank for (rank,) in found.images] == list(range(len(kept)))
    if name == "random-whole":
        assert len(kept) == 11
    if cut == "patch" and name in ("no-clusters", "herding"):
        assert not found.dropped


@pytest.mark.parametrize("name", [name for name in FREE if name != "kmeans-nearest"])
def test_select__a_head_of_one_list_serves_every_ipc(name: str) -> None:
    orders = {
        tuple(patch.image_id for patch in selected(name, ipc=ipc).patches) for ipc in (1, 3, 9)
    }
    assert len(orders) == 1
