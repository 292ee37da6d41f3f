"""Pins, bans and moved boxes in the ranked patches of one class, on drawn gap maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import (
    GEOMETRY,
    PX,
    SHAPES,
    class_scores,
    frame,
    plain,
)
from support.selecting import select_class

from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_maps
from dsel.core.selection import Located, locate_class
from dsel.errors import SettingError
from dsel.pipeline import selector as selector_module
from dsel.types import Box, ClassScores, ClassSelection, Patch

OTHERS = {"dog/1": frame(8, 8), "cat": None, "dog/2": frame(8, 200)}
"""Images of other classes."""


def locate(scores: ClassScores, settings: SelectSettings) -> Located:
    how = settings.timesteps, settings.locate, settings.smooth
    maps = combined_maps(scores, GEOMETRY, *how)
    return locate_class(scores, GEOMETRY, settings, maps)


def by_image(found: ClassSelection) -> dict[str, list[Patch]]:
    """The patches of each image, best first."""
    images: dict[str, list[Patch]] = {}
    for patch in sorted(found.patches, key=lambda patch: np.isnan(patch.margin)):
        images.setdefault(patch.image_id, []).append(patch)
    return images


def test_select__a_moved_box_carries_its_features_and_source_box() -> None:
    scores = class_scores(6, seed=7)
    grid = np.stack(np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5), axis=-1) / 16
    scores = replace(scores, features=np.repeat(grid[None], 6, axis=0).astype(np.float16))
    settings = SelectSettings(moves=("cat/3@20,12",))
    located = locate(scores, settings)
    assert located.features[3] == pytest.approx(((20 + 16) / PX, (12 + 16) / PX), abs=1e-3)
    (patch,) = by_image(select_class(scores, GEOMETRY, settings))["cat/3"]
    assert patch.box == Box(20, 12, 32, 32)
    assert patch.source_box == Box(10 + 2 * 20, 2 * 12, 64, 64)
    before = locate(scores, SelectSettings())
    for name in ("x", "y", "margin", "features"):
        one, other = (np.delete(getattr(part, name), 3, axis=0) for part in (located, before))
        assert np.array_equal(one, other, equal_nan=True), name


def test_select__a_box_moved_to_where_it_is_changes_nothing() -> None:
    scores = class_scores(9, shapes=SHAPES)
    settings = SelectSettings(patch_px=24, per_image=2, ipc=3)
    before = select_class(scores, GEOMETRY, settings)
    moves = tuple(
        f"{image_id}@{patches[0].box.x:.0f},{patches[0].box.y:.0f}"
        for image_id, patches in by_image(before).items()
    )
    assert len(moves) == 9
    assert plain(select_class(scores, GEOMETRY, settings.replace(moves=moves))) == plain(before)


def test_select__a_move_replaces_the_best_of_several_patches() -> None:
    scores = class_scores(6, shapes=SHAPES[1:2])  # 128 x 64 px
    settings = SelectSettings(patch_px=24, per_image=3)
    before = by_image(select_class(scores, GEOMETRY, settings))
    for image_id, patches in before.items():
        x, y = (96, 33) if patches[0].box.x < 64 else (3, 5)
        moved = settings.replace(moves=(f"{image_id}@{x},{y}",))
        after = by_image(select_class(scores, GEOMETRY, moved))[image_id]
        assert after[0].box == Box(x, y, 24, 24)
        assert all(patch.box != patches[0].box for patch in after)
        for one in range(len(after)):
            for other in range(one):
                a, b = after[one].box, after[other].box
                assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 24
        untouched = all(max(abs(p.box.x - x), abs(p.box.y - y)) >= 24 for p in patches)
        kept = {p.box for p in patches[1:]} == {p.box for p in after[1:]}
        assert kept or not untouched


def test_select__bans_leave_the_class_as_if_the_images_were_not_there() -> None:
    scores = class_scores(12, shapes=SHAPES)
    settings = SelectSettings(ipc=3, factor=2, patch_px=24, per_image=2)
    banned = settings.replace(bans=("cat/11", "dog/1", "cat/10"))
    few = class_scores(12, shapes=SHAPES)
    few = replace(
        few, ids=few.ids[:10], frames=few.frames[:10], features=few.features[:10],
        buckets=tuple(bucket.take(np.flatnonzero(bucket.rows < 10)) for bucket in few.buckets),
    )  # fmt: skip
    expected = select_class(few, GEOMETRY, settings)
    assert plain(select_class(scores, GEOMETRY, banned, OTHERS)) == plain(expected)
    every = settings.replace(bans=scores.ids)
    assert select_class(scores, GEOMETRY, every) == ClassSelection("cat", 2, (), ())


def test_select__banned_images_are_described_and_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a ban does not need a model again that has described the class."""
    described = []

    def describe(scores: ClassScores, located: Located) -> np.ndarray:
        described.append(located.image.tolist())
        return located.features

    scores = class_scores(7)
    settings = SelectSettings(bans=("cat/3",))
    expected = plain(select_class(scores, GEOMETRY, settings))
    monkeypatch.setattr(selector_module, "describer", lambda *_: describe)
    assert plain(select_class(scores, GEOMETRY, settings)) == expected
    assert described == [list(range(7))]


def test_select__pins_come_first_and_nothing_else_changes() -> None:
    scores = class_scores(30, shapes=SHAPES)
    settings = SelectSettings(clusters=4, ipc=5)
    before = select_class(scores, GEOMETRY, settings)
    pins = (before.patches[20].image_id, "dog/1", before.patches[3].image_id)
    after = select_class(scores, GEOMETRY, settings.replace(pins=pins), OTHERS)
    order = [20, 3, *(n for n in range(30) if n not in (3, 20))]
    expected = [replace(before.patches[n], rank=rank) for rank, n in enumerate(order)]
    assert repr(after.patches) == repr(tuple(expected))
    assert after.images == before.images  # patches that stand alone are images in ranked order


def test_select__a_pin_takes_the_best_of_several_patches_where_it_was_moved() -> None:
    scores = class_scores(6)
    settings = SelectSettings(patch_px=24, per_image=2, pins=("cat/4",), moves=("cat/4@7,9",))
    first, *others = select_class(scores, GEOMETRY, settings).patches
    assert (first.image_id, first.box) == ("cat/4", Box(7, 9, 24, 24))
    assert "cat/4" in {patch.image_id for patch in others}


@pytest.mark.parametrize("ipc", [1, 3])
def test_select__pinned_patches_lead_the_first_mosaics(ipc: int) -> None:
    settings = SelectSettings(clusters=3, factor=2, within="score")
    scores = class_scores(50)
    clusters: dict[int, list[str]] = {}
    for patch in select_class(scores, GEOMETRY, settings).patches:
        clusters.setdefault(patch.cluster, []).append(patch.image_id)
    pins = (clusters[2][-1], clusters[0][-1], clusters[2][-2])
    found = select_class(scores, GEOMETRY, settings.replace(pins=pins, ipc=ipc))
    named = [[found.patches[p].image_id for p in image] for image in found.images]
    assert named[0] == [pins[0], pins[2], *clusters[2][:2]]
    assert named[1] == [pins[1], *clusters[0][:3]]
    assert named[2] == clusters[1][:4]  # the cluster that led no image yet
    assert [patch.image_id for patch in found.patches[:3]] == list(pins)


def test_select__overrides_of_other_classes_change_nothing() -> None:
    scores, settings = class_scores(12), SelectSettings(ipc=3, factor=2)
    overridden = settings.replace(pins=("dog/1",), bans=("cat",), moves=("dog/2@999,0",))
    found = select_class(scores, GEOMETRY, overridden, OTHERS)
    assert plain(found) == plain(select_class(scores, GEOMETRY, settings))


def test_select__a_moved_box_must_lie_in_its_picture() -> None:
    scores = class_scores(4, shapes=SHAPES[1:2])
    message = r"'cat/1' in moves must be between 0,0 and 96,32 for a 32 px .* image, got 97,0"
    with pytest.raises(SettingError, match=message):
        select_class(scores, GEOMETRY, SelectSettings(moves=("cat/1@97,0",)))
