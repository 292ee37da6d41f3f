"""How a choice settles: the best box of an image, its score and its lead, on parts of the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dsel.config import SelectSettings
from dsel.core.box_search import leading_boxes, patch_size
from dsel.core.gap_maps import combined_map, timestep_columns
from dsel.core.integral_image import box_means, summed_area
from dsel.core.margins import margins
from dsel.core.standard_errors import BoxesOf, standard_errors
from dsel.types import Box, Bucket, ClassScores, Geometry


@dataclass(frozen=True, slots=True)
class BestBox:
    """The best box of an image on some of its noise, and how sure it is.

    score: the mean gap inside it, as the settings count it. lead: over the runner-up, on the map
    that locates; NaN without one. chance: that the runner-up is the better one, see
    `chance_of_runner_up`. Errors are NaN where all draws are in one half.
    """

    box: Box
    runner_up: Box | None
    score: float
    standard_error: float
    lead: float
    lead_error: float
    chance: float


def best_box(
    scores: ClassScores, bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> BestBox:
    """Return the best box of the only image of a bucket, on the settings' timesteps."""
    cell, side = geometry.cell_px, patch_size(settings, geometry)
    how = geometry, settings.timesteps, settings.locate, settings.smooth
    maps = combined_map(bucket, *how, locating=True)
    found = leading_boxes(maps, cell, side, settings.stride_px or cell)
    (first, second), (x, y) = found.score[0], (found.x[0], found.y[0])
    alone = replace(scores, buckets=(bucket,))
    lead = margins(alone, geometry, settings)
    row = int(bucket.rows[0])
    counted = combined_map(bucket, geometry, settings.timesteps, settings.score)
    corner, sides = (x[:1] / cell, y[:1] / cell), (side / cell, side / cell)
    score = box_means(summed_area(counted), *corner, *sides)[0, 0, 0]
    length = np.array([float(side)])
    boxes = BoxesOf(np.array([row]), x[:1], y[:1], length, length)
    error = standard_errors(alone, geometry, settings.timesteps, settings.score, boxes)[0]
    steps = len(timestep_columns(settings.timesteps, geometry.timesteps))
    return BestBox(
        box=_box(x[0], y[0], side),
        runner_up=_box(x[1], y[1], side) if math.isfinite(second) else None,
        score=float(score) if math.isfinite(first) else math.nan,
        standard_error=float(error),
        lead=float(lead.lead[row]),
        lead_error=float(lead.error[row]),
        chance=chance_of_runner_up(float(lead.lead[row]), float(lead.error[row]), steps),
    )


def chance_of_runner_up(lead: float, error: float, timesteps: int) -> float:
    """Return the chance that the runner-up is the better box, given the lead and its error.

    The error of each timestep's part comes from one difference between two halves of the draws, so
    that the lead over its error follows Student's t with at most one degree of freedom for each
    timestep. It takes the two boxes as given: that they are the best of many is not counted. NaN
    where either is unknown.
    """
    if not (math.isfinite(lead) and math.isfinite(error)):
        return math.nan
    if error == 0:
        return 0.0 if lead > 0 else 0.5
    from scipy.special import stdtr

    return float(stdtr(timesteps, -lead / error))


def _box(x: float, y: float, side: float) -> Box:
    return Box(float(x), float(y), float(side), float(side))
