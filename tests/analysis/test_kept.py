"""What distilled images are made of, what could replace a patch, what was decided by hand."""

from __future__ import annotations

import pytest
from support.drawn import geometry, patch_of, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.kept import Decision, candidates_for, decisions, kept_images
from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.runs.schema import ImageRow
from dsel.types import ClassSelection, Frame

SCORES = scores_of([[[[0.0] * 4] * 4]] * 8)
TWO = SelectSettings(ipc=2)


def ranked(clusters: str) -> ClassSelection:
    """Patches of the images cat/0, cat/1, ... in this order, each of the cluster of its digit."""
    return selection_of(
        [patch_of(f"cat/{n}", n, int(cluster)) for n, cluster in enumerate(clusters)]
    )


def test_kept_images__the_first_ipc_ones_with_their_frames() -> None:
    images = kept_images(ranked("0101"), SCORES, TWO)
    assert [[one.patch.image_id for one in image] for image in images] == [["cat/0"], ["cat/1"]]
    assert {(one.width_px, one.height_px) for image in images for one in image} == {(32, 32)}


def test_kept_images__mosaics_row_by_row_with_repeats() -> None:
    patches = [patch_of(f"cat/{n}", n) for n in range(3)]
    selected = selection_of(patches, [(0, 1, 2, 0)])
    (image,) = kept_images(selected, SCORES, SelectSettings(ipc=5, factor=2))
    assert [one.patch.rank for one in image] == [0, 1, 2, 0]


def test_kept_images__which_of_its_images_patches() -> None:
    ids = ["cat/0", "cat/1", "cat/0", "cat/0", "cat/1"]
    selected = selection_of([patch_of(image_id, n) for n, image_id in enumerate(ids)])
    settings = SelectSettings(ipc=5, pins=("cat/0",))
    pieces = [one for image in kept_images(selected, SCORES, settings) for one in image]
    assert [one.nth for one in pieces] == [0, 0, 1, 2, 1]
    assert [one.pinned for one in pieces] == [True, False, False, False, False]


def test_kept_images__moved_where_the_box_lies_at_the_given_corner() -> None:
    settings = SelectSettings(ipc=8, patch_px=16, pins=("cat/3",), moves=("cat/3@5,2",))
    selected = select_class(SCORES, geometry((0,), (1.0,), 32), settings)
    pieces = [one for image in kept_images(selected, SCORES, settings) for one in image]
    assert {one.patch.image_id for one in pieces if one.moved} == {"cat/3"}
    assert pieces[0].patch.image_id == "cat/3"
    assert pieces[0].pinned
    assert (pieces[0].patch.box.x, pieces[0].patch.box.y) == (5, 2)


def test_candidates__of_its_cluster_first_and_none_that_is_kept() -> None:
    found = candidates_for(ranked("01010012"), SCORES, TWO, "cat/1")
    assert [one.patch.image_id for one in found.cluster] == ["cat/3", "cat/6"]
    assert [one.patch.image_id for one in found.others] == ["cat/2", "cat/4", "cat/5", "cat/7"]
    assert set(ranked("01010012").kept(2)) == {0, 1}


def test_candidates__no_more_than_asked_for() -> None:
    found = candidates_for(ranked("00000000"), SCORES, TWO, "cat/0", most=3)
    assert [one.patch.image_id for one in found.cluster] == ["cat/2", "cat/3", "cat/4"]
    assert found.others == ()


def test_candidates__the_best_patch_of_each_image() -> None:
    ids = ["cat/0", "cat/1", "cat/1", "cat/0", "cat/2", "cat/2"]
    selected = selection_of([patch_of(image_id, n) for n, image_id in enumerate(ids)])
    found = candidates_for(selected, SCORES, SelectSettings(ipc=1), "cat/0")
    assert [(one.patch.image_id, one.nth) for one in found.cluster] == [("cat/1", 0), ("cat/2", 0)]


def test_candidates__for_an_image_without_a_patch() -> None:
    with pytest.raises(SettingError, match="image 'cat/9' has no patch"):
        candidates_for(ranked("01"), SCORES, TWO, "cat/9")


def row(image_id: str, class_index: int, frame: Frame | None) -> ImageRow:
    return ImageRow(image_id, class_index, 0, -1 if frame is None else 0, 0, frame, "")


def test_decisions__each_with_its_class_and_what_does_not_fit() -> None:
    frame = SCORES.frames[0]
    rows = [row("cat/0", 0, frame), row("dog/0", 1, frame), row("dog/1", 1, None)]
    settings = SelectSettings(
        patch_px=24, pins=("dog/0", "dog/1"), bans=("cow/0",), moves=("cat/0@8,8", "dog/0@9,0")
    )
    found = list(decisions(settings, geometry((0,), (1.0,), 32), rows))
    assert found[0] == Decision("pin", "dog/0", 1, "")
    assert [(one.kind, one.image_id, one.class_index) for one in found] == [
        ("pin", "dog/0", 1), ("pin", "dog/1", 1), ("ban", "cow/0", -1),
        ("move", "cat/0", 0), ("move", "dog/0", 1),
    ]  # fmt: skip
    assert "was skipped" in found[1].problem
    assert found[2].problem == "unknown image 'cow/0' in bans: ids look like 'cat/0'" or (
        found[2].problem.startswith("unknown image 'cow/0' in bans")
    )
    assert found[3].problem == ""
    assert "must be between 0,0 and 8,8" in found[4].problem
