"""Random, centre and whole in place of chosen patches, and how each finds true objects."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from support.drawn import CELL_PX, geometry, patch_of, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.baselines import (
    BASELINES,
    DRAWS,
    Baseline,
    Found,
    baseline,
    find_objects,
    found_overall,
    kept_score,
    random_places,
    truth_of,
)
from dsel.analysis.localization import patch_finding
from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_maps
from dsel.core.integral_image import Tables
from dsel.types import Box, ClassScores, ClassSelection

GEOMETRY = geometry((200, 500), [0.5, 0.25], 48)
SETTINGS = SelectSettings(gap="signed", patch_px=20, ipc=3)
SHAPES = ((6, 6), (6, 9), (8, 6), (6, 9), (6, 6))


def drawn(seed: int = 0, shapes: tuple[tuple[int, int], ...] = SHAPES) -> ClassScores:
    rng = np.random.default_rng(seed)
    return scores_of([rng.normal(size=(2, *shape)) * 0.1 for shape in shapes])


def chosen_and_baseline(
    kind: Baseline, scores: ClassScores, settings: SelectSettings = SETTINGS, seed: int = 0
) -> tuple[ClassSelection, ClassSelection]:
    """The selection and its baseline."""
    selected = select_class(scores, GEOMETRY, settings)
    maps = combined_maps(scores, GEOMETRY, settings)
    places = random_places(scores, seed)
    return selected, baseline(kind, scores, selected, maps, CELL_PX, places)


@pytest.mark.parametrize("kind", BASELINES)
def test_control__same_images_order_and_budget(kind: Baseline) -> None:
    selected, found = chosen_and_baseline(kind, drawn())
    assert found.images == selected.images
    for one, other in zip(selected.patches, found.patches, strict=True):
        assert (one.image_id, one.rank, one.cluster) == (other.image_id, other.rank, other.cluster)
        assert isnan(other.margin)


@pytest.mark.parametrize("kind", BASELINES)
def test_control__boxes(kind: Baseline) -> None:
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
def test_control__score_is_the_mean_inside(kind: Baseline) -> None:
    """By the slow definition, pixel by pixel."""
    scores = drawn()
    _, found = chosen_and_baseline(kind, scores)
    maps = combined_maps(scores, GEOMETRY, SETTINGS)
    for patch in found.patches:
        row = scores.ids.index(patch.image_id)
        bucket = next(n for n, one in enumerate(scores.buckets) if row in one.rows)
        cells = maps[bucket][scores.buckets[bucket].rows.tolist().index(row)]
        pixels = np.kron(cells.astype(float), np.ones((2 * CELL_PX, 2 * CELL_PX)))  # half pixels
        box = [round(2 * side) for side in (patch.box.x, patch.box.y, patch.box.width,
                                            patch.box.height)]  # fmt: skip
        inside = pixels[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
        assert patch.score == pytest.approx(inside.mean(), abs=1e-6)


def test_control__no_box_scores_more_than_the_chosen_one() -> None:
    scores = drawn()
    settings = SETTINGS.replace(stride_px=1)
    selected, random = chosen_and_baseline("random", scores, settings)
    for one, other in zip(selected.patches, random.patches, strict=True):
        assert other.score <= one.score + 1e-9


def test_control__random_follows_from_seed_and_image_alone() -> None:
    scores = drawn()
    _, found = chosen_and_baseline("random", scores)
    assert repr(baseline("random", scores)[1]) == repr(found)
    boxes = {patch.image_id: patch.box for patch in found.patches}
    _, few = chosen_and_baseline("random", drawn(shapes=SHAPES[:3]))
    assert {patch.image_id: patch.box for patch in few.patches} == {
        name: boxes[name] for name in scores.ids[:3]
    }
    _, others = chosen_and_baseline("random", scores, seed=1)
    assert {patch.image_id: patch.box for patch in others.patches} != boxes


def test_control__random_is_spread_evenly() -> None:
    places = random_places(drawn(), 0)
    assert places.shape == (5, DRAWS, 2)
    assert places.min() >= 0
    assert places.max() < 1
    assert places.mean() == pytest.approx(0.5, abs=0.05)
    assert len(np.unique(places)) == places.size


def test_control__several_patches_of_an_image() -> None:
    scores = drawn()
    settings = SETTINGS.replace(per_image=2)
    _, random = chosen_and_baseline("random", scores, settings)
    _, centre = chosen_and_baseline("centre", scores, settings)
    for image_id in scores.ids:
        assert len({p.box for p in random.patches if p.image_id == image_id}) == 2
        assert len({p.box for p in centre.patches if p.image_id == image_id}) == 1


@pytest.mark.parametrize("kind", BASELINES)
def test_control__empty_class(kind: Baseline) -> None:
    scores = scores_of([])
    assert baseline(kind, scores)[1].patches == ()


def objects_of(scores: ClassScores, seed: int = 0) -> dict[str, np.ndarray]:
    """A few true pixels of most images, in the upright source; the last one has none."""
    rng = np.random.default_rng(seed)
    masks = {}
    for row, (image_id, frame) in enumerate(zip(scores.ids, scores.frames, strict=True)):
        mask = np.zeros((frame.source_height, frame.source_width), bool)
        y, x = rng.integers(0, 60, 2)
        mask[y : y + 30, x : x + 25] = rng.random((30, 25)) < (0.5 if row % 2 else 2)
        masks[f"deep/{image_id}"] = mask
    masks[f"deep/{scores.ids[-1]}"][:] = False
    return masks


def found_in(
    scores: ClassScores, settings: SelectSettings = SETTINGS, seed: int = 0
) -> tuple[ClassSelection, dict[str, np.ndarray], dict[str, Found]]:
    selected = select_class(scores, GEOMETRY, settings)
    masks = objects_of(scores)
    names = {image_id: f"deep/{image_id}" for image_id in scores.ids}
    truth = truth_of(scores, masks, names)
    found = find_objects(truth, scores, selected, random_places(scores, seed))
    return selected, masks, {one.kind: one for one in found}


def slow_found(masks: dict[str, np.ndarray], boxes: dict[str, list[Box]]) -> tuple[float, float]:
    """`patch_finding` of each box of each image alone."""
    pairs = [(masks[f"deep/{image_id}"], box) for image_id, mine in boxes.items() for box in mine]
    every = [patch_finding(m, np.array([b.x]), np.array([b.y]), b) for m, b in pairs if m.any()]
    return (
        float(np.mean([one.hit_rate for one in every])),
        float(np.mean([one.coverage for one in every])),
    )


@pytest.mark.parametrize("settings", [SETTINGS, SETTINGS.replace(per_image=2, patch_px=24)])
def test_find_objects__slow_definition(settings: SelectSettings) -> None:
    scores = drawn()
    selected, masks, found = found_in(scores, settings)
    best = {
        image_id: max(
            (p for p in selected.patches if p.image_id == image_id), key=lambda p: p.score
        )
        for image_id in scores.ids
    }
    places = random_places(scores, 0)
    random: dict[str, list[Box]] = {}
    for row, (image_id, frame) in enumerate(zip(scores.ids, scores.frames, strict=True)):
        side = best[image_id].box.width
        random[image_id] = [
            frame.to_source(
                Box(int(u * (frame.proxy_width - side + 1)),
                    int(v * (frame.proxy_height - side + 1)), side, side)
            )
            for u, v in places[row]
        ]  # fmt: skip
    centres = baseline(
        "centre", scores, selected, combined_maps(scores, GEOMETRY, settings), CELL_PX, places
    )
    boxes = {
        "chosen": {name: [patch.source_box] for name, patch in best.items()},
        "random": random,
        "centre": {patch.image_id: [patch.source_box] for patch in centres.patches},
        "whole": {n: [f.view] for n, f in zip(scores.ids, scores.frames, strict=True)},
    }
    assert list(found) == list(boxes)
    for kind, one in found.items():
        assert one.images == 4
        assert (one.hit_rate, one.coverage) == pytest.approx(slow_found(masks, boxes[kind]))


def test_find_objects__the_first_random_place_is_the_one_shown() -> None:
    scores = drawn()
    _, shown = chosen_and_baseline("random", scores)
    places = random_places(scores, 0)
    selected = select_class(scores, GEOMETRY, SETTINGS)
    masks = objects_of(scores)
    truth = truth_of(scores, masks, {i: f"deep/{i}" for i in scores.ids})
    only = np.repeat(places[:, :1], DRAWS, axis=1)
    random = find_objects(truth, scores, selected, only)[1]
    boxes = {patch.image_id: [patch.source_box] for patch in shown.patches}
    assert (random.hit_rate, random.coverage) == pytest.approx(slow_found(masks, boxes))


def test_find_objects__images_without_objects_do_not_count() -> None:
    scores = drawn()
    selected = select_class(scores, GEOMETRY, SETTINGS.replace(bans=("cat/1",)))
    masks = objects_of(scores)
    names = {image_id: f"deep/{image_id}" for image_id in scores.ids[:3]}
    places = random_places(scores, 0)
    found = find_objects(truth_of(scores, masks, names), scores, selected, places)
    assert {one.images for one in found} == {2}  # cat/0 and cat/2
    none = find_objects(truth_of(scores, masks, {}), scores, selected, places)
    assert [(one.images, isnan(one.hit_rate), isnan(one.coverage)) for one in none] == [
        (0, True, True)
    ] * 4


def test_truth_of__holds_no_more_than_the_objects_boxes() -> None:
    scores = drawn(shapes=SHAPES[:2])
    mask = np.zeros((96, 116), bool)
    mask[10:13, 20:25] = True
    truth = truth_of(scores, {"a": mask}, {"cat/1": "a"})
    assert (truth.rows.tolist(), truth.x.tolist(), truth.y.tolist()) == ([1], [20], [10])
    assert truth.pixels.tolist() == [15]
    assert isinstance(truth.tables, Tables)
    assert truth.tables.flat.size == 4 * 6


def test_found_overall__an_image_counts_as_much_as_another() -> None:
    classes = [
        (Found("chosen", 1, 1.0, 0.5), Found("whole", 1, 1.0, 1.0)),
        (Found("chosen", 3, 0.5, 0.1), Found("whole", 3, 0.0, 1.0)),
        (Found("chosen", 0, nan, nan), Found("whole", 0, nan, nan)),
    ]
    chosen, whole = found_overall(classes)
    assert (chosen.kind, chosen.images, whole.kind) == ("chosen", 4, "whole")
    assert (chosen.hit_rate, chosen.coverage) == pytest.approx((0.625, 0.2))
    assert (whole.hit_rate, whole.coverage) == (0.25, 1.0)
    assert isnan(found_overall(classes[2:])[0].hit_rate)
    assert found_overall([()]) == found_overall([]) == ()


def test_kept_score__counts_each_patch_once() -> None:
    patches = [patch_of(name, n, score=score) for n, (name, score) in enumerate(
        [("p", 0.4), ("q", 0.2), ("r", -0.3)]
    )]  # fmt: skip
    selected = selection_of(patches, [(0, 0), (1, 0), (2, 2)])
    assert kept_score(selected, 1) == pytest.approx(0.4)
    assert kept_score(selected, 2) == pytest.approx(0.3)
    assert kept_score(selected, 9) == pytest.approx(0.1)
    assert isnan(kept_score(selection_of([]), 3))
