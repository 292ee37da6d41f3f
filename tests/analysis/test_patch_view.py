"""Patches as the app shows them: which of their image's, in which distilled images, overridden."""

from __future__ import annotations

from math import isnan, nan

from support.drawn import frame_of, geometry, patch_of, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.patch_view import (
    PatchView,
    baseline_views,
    by_image,
    image_views,
    patch_views,
)
from dsel.config import SelectSettings
from dsel.types import Box, ClassSelection

SCORES = scores_of([[[[0.0] * 4] * 4]] * 8)
TWO = SelectSettings(ipc=2)


def ranked(clusters: str) -> ClassSelection:
    """Patches of the images cat/0, cat/1, ... in this order, each of the cluster of its digit."""
    return selection_of(
        [patch_of(f"cat/{n}", n, int(cluster)) for n, cluster in enumerate(clusters)]
    )


def test_patch_views__by_hand() -> None:
    """Two patches of one image; the second one is in two distilled images."""
    patches = [
        patch_of("cat/1", 0, 2, 0.5, 0.2, x=3, y=4, cut=Box(0, 0, 32, 32)),
        patch_of("cat/0", 1), patch_of("cat/1", 2, 1),
    ]  # fmt: skip
    selected = selection_of(patches, [(0, 2), (2, 1), (1, 1)])
    settings = SelectSettings(ipc=2, pins=("cat/1",), moves=("cat/1@3,4",))
    scores = scores_of([[[[0.0] * 4] * 4], [[[0.0] * 6] * 4]])
    found = patch_views(selected, scores.images, settings)
    assert found[0] == PatchView(
        image_id="cat/1", box=Box(3, 4, 16, 16), cut=Box(0, 0, 32, 32), width_px=48, height_px=32,
        score=0.5, standard_error=0.02, picture_score=0.5, picture_standard_error=0.01, margin=0.2,
        cluster=2, rank=0, nth=0, kept=(0,),
        dropped=False, pinned=True, moved=True,
    )  # fmt: skip
    assert [(one.nth, one.kept) for one in found] == [(0, (0,)), (0, (1,)), (1, (0, 1))]
    assert [(one.pinned, one.moved) for one in found[1:]] == [(False, False), (False, False)]
    assert patch_views(selected, scores.images, settings, [2, 0]) == (found[2], found[0])
    assert patch_views(selection_of([]), scores_of([]).images, settings) == ()
    assert frame_of(4, 6).proxy_width == 48


def test_by_image__keeps_the_order() -> None:
    ids = ["cat/1", "cat/0", "cat/1"]
    selected = selection_of([patch_of(image_id, n) for n, image_id in enumerate(ids)])
    found = by_image(patch_views(selected, SCORES.images, TWO))
    assert {name: [one.rank for one in group] for name, group in found.items()} == {
        "cat/1": [0, 2], "cat/0": [1],
    }  # fmt: skip


def test_baseline_views__box_score_and_margin_are_the_baselines() -> None:
    chosen = selection_of([patch_of("cat/0", 0, 1, 0.5, 0.2), patch_of("cat/1", 1)])
    other = selection_of([patch_of("cat/0", 0, 1, -0.1, nan, x=9, side=8), patch_of("cat/1", 1)])
    settings = SelectSettings(ipc=1, pins=("cat/0",))
    images = image_views(chosen, SCORES.images, settings)
    ((found,),) = baseline_views(images, other)
    ((view,),) = images
    assert (found.box, found.score) == (Box(9, 0, 8, 8), -0.1)
    assert isnan(found.margin)  # there is no runner-up
    assert (found.rank, found.cluster, found.kept, found.pinned) == (
        view.rank, view.cluster, (0,), True,
    )  # fmt: skip


def test_image_views__the_first_ipc_ones_with_their_frames() -> None:
    images = image_views(ranked("0101"), SCORES.images, TWO)
    assert [[one.image_id for one in image] for image in images] == [["cat/0"], ["cat/1"]]
    assert {(one.width_px, one.height_px) for image in images for one in image} == {(32, 32)}


def test_image_views__mosaics_row_by_row_with_repeats() -> None:
    patches = [patch_of(f"cat/{n}", n) for n in range(3)]
    selected = selection_of(patches, [(0, 1, 2, 0)])
    (image,) = image_views(selected, SCORES.images, SelectSettings(ipc=5, factor=2))
    assert [one.rank for one in image] == [0, 1, 2, 0]


def test_image_views__which_of_its_images_patches() -> None:
    ids = ["cat/0", "cat/1", "cat/0", "cat/0", "cat/1"]
    selected = selection_of([patch_of(image_id, n) for n, image_id in enumerate(ids)])
    settings = SelectSettings(ipc=5, pins=("cat/0",))
    views = [one for image in image_views(selected, SCORES.images, settings) for one in image]
    assert [one.nth for one in views] == [0, 0, 1, 2, 1]
    assert [one.pinned for one in views] == [True, False, False, False, False]


def test_image_views__moved_where_the_box_lies_at_the_given_corner() -> None:
    settings = SelectSettings(ipc=8, patch_px=16, pins=("cat/3",), moves=("cat/3@5,2",))
    selected = select_class(SCORES, geometry((0,), (1.0,), 32), settings)
    views = [one for image in image_views(selected, SCORES.images, settings) for one in image]
    assert {one.image_id for one in views if one.moved} == {"cat/3"}
    assert views[0].image_id == "cat/3"
    assert views[0].pinned
    assert (views[0].box.x, views[0].box.y) == (5, 2)
