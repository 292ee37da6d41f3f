"""Explanations of patches: figures by the slow definition."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest
from support.drawn import CELL_PX, geometry, patch_of, scores_of, selection_of
from support.selecting import select_class
from support.slow_maps import slow_mean

from dsel.analysis.explained import Explanation, Losses, Placement
from dsel.analysis.explanation import (
    candidate_boxes,
    curve,
    explain,
    losses_inside,
    placement_of,
    read_cell,
)
from dsel.analysis.patch_view import patch_views
from dsel.config import SelectSettings
from dsel.core.gap_maps import image_bucket, smoothed
from dsel.types import Box, ClassScores, ClassSelection, Geometry

TIMESTEPS = (200, 500, 700)
GEOMETRY = geometry(TIMESTEPS, [0.5, 0.25, 1.0], 48)
SIGNED = SelectSettings(locate="signed", smooth=0, rank_by="patch", patch_px=16, ipc=3)


def noise(n: int, seed: int = 0, shape: tuple[int, int] = (6, 7)) -> ClassScores:
    """Gaps of noise around zero on maps of 6 x 7 cells."""
    rng = np.random.default_rng(seed)
    return scores_of(rng.normal(size=(n, len(TIMESTEPS), *shape)) * 0.1, conditional=0.7)


def chosen(scores: ClassScores, settings: SelectSettings) -> ClassSelection:
    return select_class(scores, GEOMETRY, settings)


def explained(
    scores: ClassScores, settings: SelectSettings, row: int = 0, nth: int = 0
) -> Explanation:
    return explain(scores, GEOMETRY, settings, chosen(scores, settings), row, nth)


def slow_boxes(scores: ClassScores, row: int, cells: int) -> dict[tuple[int, int], float]:
    """The mean share of every box of whole cells, by its corner in cells."""
    gap = image_bucket(scores, row).gap[0].astype(float)
    share = sum(gap[t] / float(GEOMETRY.losses[t]) for t in range(3)) / 3
    return {
        (x, y): float(share[y : y + cells, x : x + cells].mean())
        for y in range(share.shape[0] - cells + 1)
        for x in range(share.shape[1] - cells + 1)
    }


@pytest.mark.parametrize("seed", range(5))
def test_candidate_boxes__slow_definition(seed: int) -> None:
    """Greedy, over all boxes of 2 x 2 cells, one by one."""
    scores = noise(1, seed)
    boxes = slow_boxes(scores, 0, 2)
    expected = []
    while boxes:
        (x, y), mean = max(boxes.items(), key=lambda one: one[1])
        expected.append((x, y, mean))
        boxes = {at: one for at, one in boxes.items() if abs(at[0] - x) >= 2 or abs(at[1] - y) >= 2}
    found = candidate_boxes(image_bucket(scores, 0), GEOMETRY, SIGNED)
    assert len(found) == min(5, len(expected))
    for n, (x, y, mean) in enumerate(expected[:5]):
        assert found[n].box == Box(x * CELL_PX, y * CELL_PX, 16, 16)
        assert found[n].mean == pytest.approx(mean, abs=1e-6)
        if n + 1 < len(expected):
            assert found[n].margin == pytest.approx(mean - expected[n + 1][2], abs=1e-6)


def test_candidate_boxes__are_the_selections_patches() -> None:
    scores, settings = noise(4), SIGNED.replace(per_image=3)
    selected = chosen(scores, settings)
    for row, image_id in enumerate(scores.ids):
        best = candidate_boxes(image_bucket(scores, row), GEOMETRY, settings)
        mine = [patch for patch in selected.patches if patch.image_id == image_id]
        by_score = sorted(mine, key=lambda patch: -patch.score)
        assert [patch.box for patch in by_score] == [one.box for one in best[:3]]
        assert [patch.score for patch in by_score] == [one.mean for one in best[:3]]
        assert by_score[0].margin == best[0].margin


def test_candidate_boxes__as_many_as_fit() -> None:
    """Of boxes of 24 px, two fit beside each other in 48 px, and two above each other."""
    scores = noise(1)
    bucket = image_bucket(scores, 0)
    found = candidate_boxes(bucket, GEOMETRY, SIGNED.replace(patch_px=24))
    assert 1 <= len(found) <= 4
    assert isnan(found[-1].margin)
    (alone,) = candidate_boxes(bucket, GEOMETRY, SIGNED.replace(patch_px=48))
    assert isnan(alone.margin)
    assert len(candidate_boxes(bucket, GEOMETRY, SIGNED.replace(patch_px=8, per_image=8))) == 8


@pytest.mark.parametrize("settings", [SIGNED, SIGNED.replace(timesteps=(700, 200), stride_px=4)])
def test_curve__slow_definition(settings: SelectSettings) -> None:
    scores = noise(3, 4)
    bucket = image_bucket(scores, 2)
    found = curve(bucket, GEOMETRY, settings, Box(8, 24, 16, 16))
    assert [moment.timestep for moment in found] == list(TIMESTEPS)
    counted = settings.timesteps or TIMESTEPS
    assert [moment.counts for moment in found] == [t in counted for t in TIMESTEPS]
    step = settings.stride_px or CELL_PX
    for t, moment in enumerate(found):
        pixels = np.kron(bucket.gap[0, t].astype(float), np.ones((CELL_PX, CELL_PX)))
        pixels /= float(GEOMETRY.losses[t])
        means = [
            pixels[y : y + 16, x : x + 16].mean()
            for y in range(0, pixels.shape[0] - 15, step)
            for x in range(0, pixels.shape[1] - 15, step)
        ]
        own = pixels[24:40, 8:24].mean()
        assert moment.share == pytest.approx(own, abs=1e-6)
        assert moment.rank == sum(mean > own + 1e-7 for mean in means)


def test_curve__means_to_the_score_if_all_count_signed() -> None:
    explanation = explained(noise(2), SIGNED, 1)
    assert explanation.patch is not None
    assert np.mean([one.share for one in explanation.curve]) == pytest.approx(
        explanation.patch.score, abs=1e-6
    )


@pytest.mark.parametrize(
    ("timesteps", "unconditional", "saved"),
    [((), 0.8, 0.125), ((200,), 0.9, 2 / 9), ((200, 500), 0.8, 0.125)],
)
def test_losses_inside__by_hand(
    timesteps: tuple[int, ...], unconditional: float, saved: float
) -> None:
    """The patch covers one cell with a gap of its own and three without."""
    gap = np.zeros((3, 6, 6))
    gap[:, 0, 0] = 0.8, 0.0, 0.4
    scores = scores_of([gap], conditional=0.7)
    settings = SIGNED.replace(timesteps=timesteps)
    found = losses_inside(image_bucket(scores, 0), GEOMETRY, settings, Box(0, 0, 16, 16))
    assert found.conditional == pytest.approx(0.7, abs=1e-3)
    assert found.unconditional == pytest.approx(unconditional, abs=1e-3)
    assert found.saved == pytest.approx(saved, abs=1e-3)


def test_losses__of_nothing() -> None:
    assert Losses(0.0, 0.0).saved == 0.0
    assert Losses(0.3, 0.2).saved == pytest.approx(-0.5)


def test_explain__the_loss_saved_is_not_the_gap_in_mean_losses() -> None:
    """A patch in a dark corner: the gap is 107 % of the mean loss, and 16 % of its own."""
    gap = np.zeros((1, 6, 6))
    gap[:, :2, :2] = 0.0535
    unit = geometry((500,), [0.05], 48)
    scores, settings = scores_of([gap], conditional=0.28), SIGNED.replace(clusters=1)
    found = explain(scores, unit, settings, select_class(scores, unit, settings), 0)
    assert found.mean == pytest.approx(1.07, abs=1e-3)
    assert found.losses is not None
    assert found.losses.saved == pytest.approx(0.0535 / 0.3335, abs=1e-3)
    start = "Naming the class lowers the loss inside this patch by 16 %, from 0.3335 to 0.2800. "
    assert found.sentence.startswith(start)
    assert "Its signed gap of 107 % of the mean loss is the largest of all" in found.sentence


@pytest.mark.parametrize("locate", ["difference", "signed"])
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_explain__error_of_the_lead_by_the_slow_definition(locate: str, smooth: float) -> None:
    """Timesteps add up: the difference of the noise's means inside the two best boxes, squared."""
    rng = np.random.default_rng(5)
    plain = noise(4, 7)
    noises = {
        kind: (rng.normal(size=plain.buckets[0].gap.shape) * 0.05).astype(np.float16)
        for kind in ("noise", "difference_noise")
    }
    scores = replace(plain, buckets=(replace(plain.buckets[0], **noises),))
    settings = SIGNED.replace(locate=locate, smooth=smooth, timesteps=(200, 700))
    kind = "difference_noise" if locate == "difference" else "noise"
    for row in range(4):
        found = explained(scores, settings, row)
        first, second = (one.box for one in found.best[:2])
        variance = 0.0
        for t in (0, 2):
            one = smoothed(noises[kind][row, t].astype(np.float32), smooth).astype(float)
            weight = 1 / float(GEOMETRY.losses[t]) / 2
            inside = [
                slow_mean(one, *np.array([b.x, b.y, 16, 16]) / CELL_PX) for b in (first, second)
            ]
            variance += (weight * (inside[0] - inside[1])) ** 2
        assert found.lead_error == pytest.approx(variance**0.5, rel=1e-4)
        assert found.is_tie == (found.best[0].margin < 2 * found.lead_error)
    only = explained(scores, settings.replace(patch_px=48))
    assert isnan(only.lead_error)
    assert not only.is_tie


def test_read_cell__slow_definition() -> None:
    scores = noise(3, 5)
    bucket = image_bucket(scores, 1)
    gap = bucket.gap[0].astype(float)
    found = read_cell(bucket, GEOMETRY, SIGNED.replace(timesteps=(700, 200)), 17.5, 47.9)
    assert (found.row, found.column, found.timesteps) == (5, 2, (700, 200))
    for at, t in enumerate((2, 0)):
        value = gap[t, 5, 2]
        assert found.values[at].conditional == pytest.approx(0.7, abs=1e-3)
        assert found.values[at].gap == value
        assert found.values[at].unconditional == found.values[at].conditional + value
        assert found.values[at].combined == pytest.approx(value / float(GEOMETRY.losses[t]))
    for name in ("conditional", "unconditional", "gap", "difference", "combined"):
        mean = np.mean([getattr(one, name) for one in found.values])
        assert getattr(found.mean, name) == pytest.approx(mean)


def test_read_cell__combined_counts_as_locating_does() -> None:
    bucket = image_bucket(noise(1), 0)
    cells = [(r, c) for r in range(6) for c in range(7)]
    misled = next(cell for cell in cells if bucket.gap[0, 1][cell] < 0)
    where = (8 * misled[1], 8 * misled[0])
    positive = SelectSettings(timesteps=(500,), locate="positive", smooth=0)
    found = read_cell(bucket, GEOMETRY, positive, *where)
    assert found.mean.gap < 0 == found.mean.combined
    assert read_cell(bucket, GEOMETRY, SIGNED.replace(timesteps=(500,)), *where).mean.combined < 0
    by_difference = positive.replace(locate="difference")
    found = read_cell(bucket, GEOMETRY, by_difference, *where)
    assert found.mean.difference == bucket.difference[0, 1][misled]
    share = found.mean.difference / float(GEOMETRY.losses[1])
    assert found.mean.combined == pytest.approx(share, rel=1e-6)
    found = read_cell(bucket, GEOMETRY, by_difference.replace(smooth=1.0), *where)
    smooth = smoothed(bucket.difference[0, 1].astype(np.float32), 1.0)[misled]
    assert found.mean.combined == pytest.approx(smooth / float(GEOMETRY.losses[1]), rel=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "cell"), [(-3, -1, (0, 0)), (56, 48, (5, 6)), (999, 3, (0, 6)), (0.2, 8, (1, 0))]
)
def test_read_cell__beside_the_picture(x: float, y: float, cell: tuple[int, int]) -> None:
    found = read_cell(image_bucket(noise(1), 0), GEOMETRY, SIGNED, x, y)
    assert (found.row, found.column) == cell


def test_placement_of__by_hand() -> None:
    clusters = [0, 1, 0, 2, 0]
    patches = [patch_of(f"cat/{n}", n, cluster) for n, cluster in enumerate(clusters)]
    selected = selection_of(patches, [(0, 2), (1, 3), (4, 0)])
    assert placement_of(selected, 2, 3) == Placement(0, 3, 1, 3, 2, 5, (0,))
    assert placement_of(selected, 0, 3).images == (0, 2)
    assert placement_of(selected, 4, 2) == Placement(0, 3, 2, 3, 4, 5, (), dropped=False)
    assert placement_of(selection_of(patches, [(0,)]), 4, 9).dropped


def test_explain__all_figures_fit_together() -> None:
    scores, settings = noise(9), SIGNED.replace(clusters=2)
    selected = chosen(scores, settings)
    for row, image_id in enumerate(scores.ids):
        explanation = explain(scores, GEOMETRY, settings, selected, row)
        patch = next(patch for patch in selected.patches if patch.image_id == image_id)
        assert explanation.patch == patch_views(selected, scores.images, settings, [patch.rank])[0]
        assert explanation.candidates == 5 * 6
        assert explanation.place == 0
        assert explanation.best[0].box == patch.box
        assert explanation.placement is not None
        assert explanation.placement.rank == patch.rank
        assert explanation.placement.images == ((patch.rank,) if patch.rank < 3 else ())
        assert explanation.mean == patch.score
        both = patch.score > 0 and explanation.best[1].mean > 0
        assert isnan(explanation.ratio) != both
        if both:
            assert explanation.ratio == patch.score / explanation.best[1].mean


def test_explain__further_patches_and_none() -> None:
    scores, settings = noise(2), SIGNED.replace(per_image=2)
    first, second, third = (explained(scores, settings, 0, nth) for nth in range(3))
    assert first.patch is not None
    assert second.patch is not None
    assert {first.place, second.place} == {0, 1}
    assert first.patch.rank < second.patch.rank
    assert (third.patch, third.curve, third.placement, third.place) == (None, (), None, -1)
    assert third.best == first.best
    assert third.sentence == "This image has fewer patches."


def test_explain__a_banned_image_still_shows_its_boxes() -> None:
    explanation = explained(noise(2), SIGNED.replace(bans=("cat/0",)))
    assert explanation.patch is None
    assert len(explanation.best) == 5
    assert explanation.sentence == "This image is banned, so it is never kept."


def test_explain__maps_that_hold_no_numbers() -> None:
    scores = scores_of([np.full((3, 6, 6), nan), np.zeros((3, 6, 6))])
    explanation = explained(scores, SIGNED)
    assert (explanation.patch, explanation.best) == (None, ())
    assert explanation.sentence == "This image has no patch, because its maps contain NaN."


def test_explain__pictures_of_many_shapes() -> None:
    rng = np.random.default_rng(0)
    shapes = [(6, 6), (6, 9), (8, 6), (6, 9)]
    scores = scores_of([rng.normal(size=(3, *shape)) for shape in shapes])
    wide: Geometry = GEOMETRY
    selected = select_class(scores, wide, SIGNED)
    for row, shape in enumerate(shapes):
        explanation = explain(scores, wide, SIGNED, selected, row)
        assert explanation.candidates == (shape[0] - 1) * (shape[1] - 1)
        assert explanation.place == 0
