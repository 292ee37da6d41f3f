"""Random, centred and whole patches in place of chosen ones."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from support.drawn import CELL_PX, geometry, patch_of, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.baselines import (
    BASELINES,
    DRAWS,
    Baseline,
    baseline,
    kept_score,
    random_corners,
)
from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_maps
from dsel.types import Box, ClassScores, ClassSelection

GEOMETRY = geometry((200, 500), [0.5, 0.25], 48)
SETTINGS = SelectSettings(
    locate="signed", smooth=0, rank_by="patch", cut="patch", patch_px=20, ipc=3
)
SHAPES = ((6, 6), (6, 9), (8, 6), (6, 9), (6, 6))


def drawn(seed: int = 0, shapes: tuple[tuple[int, int], ...] = SHAPES) -> ClassScores:
    rng = np.random.default_rng(seed)
    return scores_of([rng.normal(size=(2, *shape)) * 0.1 for shape in shapes])


def chosen_and_baseline(
    kind: Baseline, scores: ClassScores, settings: SelectSettings = SETTINGS, seed: int = 0
) -> tuple[ClassSelection, ClassSelection]:
    """The selection and its baseline."""
    selected = select_class(scores, GEOMETRY, settings)
    maps = combined_maps(scores, GEOMETRY, settings.timesteps, settings.score)
    places = random_corners(scores, seed)
    return selected, baseline(kind, scores, selected, maps, GEOMETRY, settings, places)


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline__same_images_order_and_budget(kind: Baseline) -> None:
    selected, found = chosen_and_baseline(kind, drawn())
    assert found.images == selected.images
    for one, other in zip(selected.patches, found.patches, strict=True):
        assert (one.image_id, one.rank, one.cluster) == (other.image_id, other.rank, other.cluster)
        assert isnan(other.margin)


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline__boxes(kind: Baseline) -> None:
    scores = drawn()
    _, found = chosen_and_baseline(kind, scores)
    for patch in found.patches:
        frame, box = scores.frames[scores.ids.index(patch.image_id)], patch.box
        width, height = frame.proxy_width, frame.proxy_height
        assert patch.source_box == frame.to_source(box)
        if kind == "whole":
            assert box == Box(0, 0, width, height)
        elif kind == "centre":
            assert box == Box((width - 20) / 2, (height - 20) / 2, 20, 20)
        else:
            assert (box.width, box.height) == (20, 20)
            assert 0 <= box.x <= width - 20
            assert 0 <= box.y <= height - 20
            assert box.x == int(box.x)


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline__score_is_the_mean_inside(kind: Baseline) -> None:
    """By the slow definition, pixel by pixel."""
    scores = drawn()
    _, found = chosen_and_baseline(kind, scores)
    maps = combined_maps(scores, GEOMETRY, (), "signed")
    for patch in found.patches:
        row = scores.ids.index(patch.image_id)
        bucket = next(n for n, one in enumerate(scores.buckets) if row in one.rows)
        cells = maps[bucket][scores.buckets[bucket].rows.tolist().index(row)]
        pixels = np.kron(cells.astype(float), np.ones((2 * CELL_PX, 2 * CELL_PX)))  # half pixels
        box = [round(2 * side) for side in (patch.box.x, patch.box.y, patch.box.width,
                                            patch.box.height)]  # fmt: skip
        inside = pixels[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
        assert patch.score == pytest.approx(inside.mean(), abs=1e-6)


def test_baseline__no_box_scores_more_than_the_chosen_one() -> None:
    scores = drawn()
    settings = SETTINGS.replace(stride_px=1)
    selected, random = chosen_and_baseline("random", scores, settings)
    for one, other in zip(selected.patches, random.patches, strict=True):
        assert other.score <= one.score + 1e-9


def test_baseline__random_follows_from_seed_and_image_alone() -> None:
    scores = drawn()
    _, found = chosen_and_baseline("random", scores)
    assert repr(chosen_and_baseline("random", scores)[1]) == repr(found)
    boxes = {patch.image_id: patch.box for patch in found.patches}
    _, few = chosen_and_baseline("random", drawn(shapes=SHAPES[:3]))
    assert {patch.image_id: patch.box for patch in few.patches} == {
        name: boxes[name] for name in scores.ids[:3]
    }
    _, others = chosen_and_baseline("random", scores, seed=1)
    assert {patch.image_id: patch.box for patch in others.patches} != boxes


def test_baseline__random_is_spread_evenly() -> None:
    places = random_corners(drawn(), 0)
    assert places.shape == (5, DRAWS, 2)
    assert places.min() >= 0
    assert places.max() < 1
    assert places.mean() == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(places)) == places.size


def test_baseline__several_patches_of_an_image() -> None:
    scores = drawn()
    settings = SETTINGS.replace(per_image=2)
    _, random = chosen_and_baseline("random", scores, settings)
    _, centre = chosen_and_baseline("centre", scores, settings)
    for image_id in scores.ids:
        assert len({p.box for p in random.patches if p.image_id == image_id}) == 2
        assert len({p.box for p in centre.patches if p.image_id == image_id}) == 1


@pytest.mark.parametrize("kind", BASELINES)
def test_baseline__empty_class(kind: Baseline) -> None:
    scores = scores_of([])
    assert chosen_and_baseline(kind, scores)[1].patches == ()


def test_kept_score__counts_each_patch_once() -> None:
    patches = [patch_of(name, n, score=score) for n, (name, score) in enumerate(
        [("p", 0.4), ("q", 0.2), ("r", -0.3)]
    )]  # fmt: skip
    selected = selection_of(patches, [(0, 0), (1, 0), (2, 2)])
    assert kept_score(selected, 1) == pytest.approx(0.4)
    assert kept_score(selected, 2) == pytest.approx(0.3)
    assert kept_score(selected, 9) == pytest.approx(0.1)
    assert isnan(kept_score(selection_of([]), 3))
