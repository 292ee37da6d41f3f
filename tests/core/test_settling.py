"""The best box on parts of the noise, and the chance that the runner-up is the better one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t
from support.drawn_class import CELL_PX, GEOMETRY, class_scores
from support.slow_maps import slow_mean

from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_map, image_bucket
from dsel.core.margins import margins
from dsel.core.settling import best_box, chance_of_runner_up

SETTINGS = SelectSettings(patch_px=24)


def test_best_box__is_that_of_the_margins_and_its_score_the_mean_inside() -> None:
    scores = class_scores(4)
    for row in range(4):
        bucket = image_bucket(scores, row)
        found, lead = (
            best_box(scores, bucket, GEOMETRY, SETTINGS),
            margins(scores, GEOMETRY, SETTINGS),
        )
        assert found.lead == pytest.approx(lead.lead[row])
        assert found.lead_error == pytest.approx(lead.error[row])
        gap = combined_map(bucket, GEOMETRY, (), "signed")[0]
        corner = found.box.x / CELL_PX, found.box.y / CELL_PX
        assert found.score == pytest.approx(slow_mean(gap, *corner, 24 / CELL_PX, 24 / CELL_PX))
        assert found.standard_error > 0
        assert 0 < found.chance <= 0.5
        assert found.runner_up is not None


def test_best_box__on_one_timestep_reads_that_timestep_alone() -> None:
    scores = class_scores(1)
    bucket, timestep = image_bucket(scores, 0), GEOMETRY.timesteps[1]
    others = np.arange(len(GEOMETRY.timesteps)) != 1
    changed = replace(bucket, gap=bucket.gap.copy())
    changed.gap[:, others] = 0
    settings = SETTINGS.replace(timesteps=(timestep,))
    assert best_box(scores, changed, GEOMETRY, settings) == best_box(
        scores, bucket, GEOMETRY, settings
    )


def test_best_box__one_draw_has_no_error_and_no_chance() -> None:
    scores = class_scores(1)
    bucket = image_bucket(scores, 0)
    unknown = replace(bucket, noise=np.full_like(bucket.noise, np.nan))
    found = best_box(scores, unknown, GEOMETRY, SETTINGS)
    assert math.isnan(found.standard_error)
    assert math.isnan(found.chance)
    assert math.isfinite(found.score)


@pytest.mark.parametrize("steps", [1, 2, 6, 30])
@pytest.mark.parametrize("lead", [0.0, 0.5, 2.0])
def test_chance_of_runner_up__is_student_s_t(steps: int, lead: float) -> None:
    assert chance_of_runner_up(3 * lead, 3.0, steps) == pytest.approx(t.sf(lead, steps))


def test_chance_of_runner_up__one_timestep_of_one_error_is_a_quarter() -> None:
    """Student's t of one degree of freedom is a Cauchy distribution: 1/2 - arctan(1) / pi."""
    assert chance_of_runner_up(1.0, 1.0, 1) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("lead", "error", "chance"), [(1.0, 0.0, 0.0), (0.0, 0.0, 0.5), (math.nan, 1.0, math.nan)]
)
def test_chance_of_runner_up__at_the_ends(lead: float, error: float, chance: float) -> None:
    assert chance_of_runner_up(lead, error, 3) == pytest.approx(chance, nan_ok=True)
