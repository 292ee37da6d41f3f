"""Why a patch was chosen: the boxes it was compared with, its gap over timesteps, its ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explained import (
    CandidateBox,
    CellReading,
    CellValues,
    Explanation,
    Losses,
    Placement,
    TimestepGap,
)
from dsel.analysis.explanation_sentence import sentence
from dsel.analysis.patch_view import patch_views
from dsel.analysis.rank_order import order_of
from dsel.config import SelectSettings
from dsel.core.box_search import TIE, largest_mean_boxes, patch_size, positions
from dsel.core.gap_maps import combined_map, image_bucket, timestep_columns
from dsel.core.integral_image import box_means, summed_area
from dsel.core.margins import locating_errors, margins
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Geometry

SHOWN = 5
"""Boxes of an image that an explanation contains, at least."""


def explain(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    selected: ClassSelection,
    row: int,
    nth: int = 0,
    copies: Mapping[str, str] = MappingProxyType({}),
) -> Explanation:
    """Explain a class's `row`-th image and its patch, the `nth` of its patches by rank.

    copies: images that another one replaces, which has the same pixels.
    """
    image_id, bucket = scores.ids[row], image_bucket(scores, row)
    mine = selected.patches.of_image(image_id)
    best = candidate_boxes(bucket, geometry, settings)
    x, y = _corners(bucket, geometry, settings)
    explanation = Explanation(
        image_id=image_id, patch=None, source_box=None, candidates=len(x) * len(y), best=best,
        lead_error=np.nan, losses=None, mean=np.nan, place=-1, ratio=np.nan, curve=(),
        placement=None, order=(), sentence="", same_as=copies.get(image_id, ""),
    )  # fmt: skip
    if len(best) > 1:
        error = _lead_error(scores, bucket, geometry, settings, row)
        explanation = replace(explanation, lead_error=error)
    if nth < len(mine):
        (patch,) = patch_views(selected, scores.images, settings, [mine[nth]])
        index, mean = _index(best, patch.box), _mean(bucket, geometry, settings, patch.box)
        explanation = replace(
            explanation,
            patch=patch,
            source_box=selected.patches[mine[nth]].source_box,
            losses=losses_inside(bucket, geometry, settings, patch.box),
            mean=mean,
            place=index,
            ratio=_ratio(mean, best[index + 1 : index + 2]),
            curve=curve(bucket, geometry, settings, patch.box),
            placement=placement_of(selected, mine[nth], settings.ipc),
            order=order_of(selected, mine[nth], settings),
        )
    return replace(explanation, sentence=sentence(explanation, settings))


def candidate_boxes(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> tuple[CandidateBox, ...]:
    """Return the best boxes of an image that do not overlap, `SHOWN` or `per_image` of them."""
    maps = _locating_map(bucket, geometry, settings)  # (1, h, w)
    side = patch_size(settings, geometry)
    across, down = (int(cells * geometry.cell_px // side) for cells in maps.shape[:0:-1])
    shown = max(SHOWN, settings.per_image)
    count = min(shown + 1, across * down)
    stride_px = settings.stride_px or geometry.cell_px
    found = largest_mean_boxes(maps, geometry.cell_px, side, stride_px, count)
    keep = np.isfinite(found.score[0])
    scores = [*found.score[0][keep].tolist(), np.nan]
    at = found.x[:, keep], found.y[:, keep]
    errors = locating_errors(bucket, geometry, settings, *at)[0].tolist()
    corners = zip(found.x[0][keep].tolist(), found.y[0][keep].tolist(), strict=True)
    return tuple(
        CandidateBox(
            Box(x, y, float(side), float(side)), scores[n], scores[n] - scores[n + 1], errors[n]
        )
        for n, (x, y) in enumerate(corners)
    )[:shown]


def losses_inside(bucket: Bucket, geometry: Geometry, settings: SelectSettings, box: Box) -> Losses:
    """Return the mean losses of one image inside a box; the gap is their exact difference."""
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    maps = np.stack([bucket.conditional[0, columns], bucket.gap[0, columns]]).astype(np.float32)
    conditional, gap = _inside(maps.mean(axis=1), geometry.cell_px, box)
    return Losses(conditional, conditional + gap)


def curve(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings, box: Box
) -> tuple[TimestepGap, ...]:
    """Return the gap of a box of one image at each scored timestep."""
    counted = set(timestep_columns(settings.timesteps, geometry.timesteps))
    maps = bucket.gap[0].astype(np.float32) / geometry.losses[:, None, None]  # (T, h, w)
    table, cell = summed_area(maps), geometry.cell_px
    sides = box.width / cell, box.height / cell
    own = box_means(table, np.array([box.x / cell]), np.array([box.y / cell]), *sides)[:, 0, 0]
    x, y = _corners(bucket, geometry, settings)
    means = box_means(table, x / cell, y / cell, *sides)  # (T, Y, X)
    above = (means > own[:, None, None] + TIE).sum(axis=(1, 2))
    noise = bucket.noise[0].astype(np.float32) / geometry.losses[:, None, None]
    errors = np.abs(_inside(noise, cell, box))
    return tuple(
        TimestepGap(timestep, share, rank, column in counted, error)
        for column, (timestep, share, rank, error) in enumerate(
            zip(geometry.timesteps, own.tolist(), above.tolist(), errors.tolist(), strict=True)
        )
    )


def _lead_error(
    scores: ClassScores, bucket: Bucket, geometry: Geometry, settings: SelectSettings, row: int
) -> float:
    """Return the standard error of the lead of an image's best box over its runner-up."""
    return float(margins(replace(scores, buckets=(bucket,)), geometry, settings).error[row])


def placement_of(selected: ClassSelection, position: int, ipc: int) -> Placement:
    """Return the ranks of the patch at a position of the class's ranking."""
    clusters = selected.patches.cluster
    cluster = int(clusters[position])
    mates = np.flatnonzero(clusters == cluster)
    return Placement(
        cluster=cluster,
        clusters=len(np.unique(clusters)),
        rank_in_cluster=int(np.searchsorted(mates, position)),
        cluster_size=len(mates),
        rank=position,
        patches=len(selected.patches),
        images=selected.kept(ipc).get(position, ()),
        dropped=position in selected.dropped,
    )


def read_cell(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings, x_px: float, y_px: float
) -> CellReading:
    """Read the cell of an image at a pixel of its proxy, the nearest cell for a pixel outside."""
    rows, columns = bucket.gap.shape[2:]
    row = min(max(int(y_px // geometry.cell_px), 0), rows - 1)
    column = min(max(int(x_px // geometry.cell_px), 0), columns - 1)
    chosen = timestep_columns(settings.timesteps, geometry.timesteps)
    conditional, gap, difference = (
        maps[0, chosen, row, column].astype(np.float64)
        for maps in (bucket.conditional, bucket.gap, bucket.difference)
    )
    combined = [
        _locating_map(bucket, geometry, settings.replace(timesteps=(geometry.timesteps[one],)))
        for one in chosen
    ]  # (1, h, w) each
    at = np.array([one[0, row, column] for one in combined], np.float64)
    table = np.stack([conditional, conditional + gap, gap, difference, at], axis=1)  # (T, 5)
    return CellReading(
        row=row,
        column=column,
        timesteps=tuple(geometry.timesteps[column] for column in chosen),
        values=tuple(CellValues(*line) for line in table.tolist()),
        mean=CellValues(*table.mean(axis=0).tolist()),
    )


def _index(best: Sequence[CandidateBox], box: Box) -> int:
    """Return the index of a box among the best ones, -1 if it is none of them."""
    return next((n for n, one in enumerate(best) if one.box == box), -1)


def _mean(bucket: Bucket, geometry: Geometry, settings: SelectSettings, box: Box) -> float:
    """Mean of the map that locating uses inside a box of one image."""
    maps = _locating_map(bucket, geometry, settings)  # (1, h, w)
    return _inside(maps, geometry.cell_px, box)[0]


def _locating_map(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> NDArray[np.float32]:
    """Return the map of one image that locating uses, (1, h, w)."""
    how = settings.timesteps, settings.locate, settings.smooth
    return combined_map(bucket, geometry, *how, locating=True)


def _inside(maps: NDArray[np.float32], cell_px: int, box: Box) -> list[float]:
    """Mean inside a box of each of some maps, (n, h, w) -> n numbers."""
    corner = np.array([box.x / cell_px]), np.array([box.y / cell_px])
    sides = box.width / cell_px, box.height / cell_px
    means: list[float] = box_means(summed_area(maps), *corner, *sides)[:, 0, 0].tolist()
    return means


def _ratio(mean: float, runner_up: Sequence[CandidateBox]) -> float:
    positive = bool(runner_up) and runner_up[0].mean > 0 and mean > 0
    return mean / runner_up[0].mean if positive else float("nan")


def _corners(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the candidate corners of one image along x and along y."""
    rows, columns = (cells * geometry.cell_px for cells in bucket.gap.shape[2:])
    steps = patch_size(settings, geometry), settings.stride_px or geometry.cell_px
    return positions(columns, *steps), positions(rows, *steps)
