"""Why a patch was chosen: the boxes it was compared with, its gap over timesteps, its ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.patch_view import PatchView, patch_views
from dsel.config import SelectSettings
from dsel.core.box_search import TIE, largest_mean_boxes, patch_size, positions
from dsel.core.gap_maps import combined_gap, image_bucket, timestep_columns
from dsel.core.integral_image import box_means, summed_area
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Geometry

SHOWN = 5
"""Boxes of an image that an explanation contains, at least."""

CLOSE_RATIO = 1.005
"""Below this ratio to the runner-up, the sentence gives no number."""

LEAST_PERCENT = 0.001
"""Percentages below this are given as less than it."""


@dataclass(frozen=True, slots=True)
class CandidateBox:
    """One of the best boxes of an image that do not overlap, in proxy pixels.

    mean: of the map that locating uses. margin is its lead over the next best one; NaN if no other
    box fits.
    """

    box: Box
    mean: float
    margin: float


@dataclass(frozen=True, slots=True)
class TimestepGap:
    """The signed mean gap of a box at one timestep, as a share of the timestep's loss.

    rank counts from 0 among all boxes of the image at this timestep. counts: whether the settings
    use the timestep.
    """

    timestep: int
    share: float
    rank: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a patch ranks in its class; ranks, clusters and distilled images count from 0.

    images: the distilled images among the first IPC ones that show it, usually one or none.
    dropped: no IPC keeps it.
    """

    cluster: int
    clusters: int
    rank_in_cluster: int
    cluster_size: int
    rank: int
    patches: int
    images: tuple[int, ...]
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of an image's patch; without a patch, the best boxes of the image.

    source_box: the patch in pixels of the upright source. candidates: how many boxes were compared.
    mean: of the map that locating uses, inside the patch. place: the index of the patch in `best`,
    -1 if it is none of them. ratio: its mean over that of the runner-up; NaN unless both are
    positive. same_as: the image with the same pixels that is used in place of this one.
    """

    image_id: str
    patch: PatchView | None
    source_box: Box | None
    candidates: int
    best: tuple[CandidateBox, ...]
    mean: float
    place: int
    ratio: float
    curve: tuple[TimestepGap, ...]
    placement: Placement | None
    sentence: str
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class CellValues:
    """The values of one cell: both losses, the gap, and the combined gap that locating uses."""

    conditional: float
    unconditional: float
    gap: float
    combined: float


@dataclass(frozen=True, slots=True)
class CellReading:
    """The values of the cell under a pixel: per chosen timestep, and their means."""

    row: int
    column: int
    timesteps: tuple[int, ...]
    values: tuple[CellValues, ...]
    mean: CellValues


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
    mine = [n for n, patch in enumerate(selected.patches) if patch.image_id == image_id]
    best = candidate_boxes(bucket, geometry, settings)
    x, y = _corners(bucket, geometry, settings)
    explanation = Explanation(
        image_id=image_id, patch=None, source_box=None, candidates=len(x) * len(y), best=best,
        mean=np.nan, place=-1, ratio=np.nan, curve=(), placement=None, sentence="",
        same_as=copies.get(image_id, ""),
    )  # fmt: skip
    if nth < len(mine):
        (patch,) = patch_views(selected, scores, settings, [mine[nth]])
        index, mean = _index(best, patch.box), _mean(bucket, geometry, settings, patch.box)
        explanation = replace(
            explanation,
            patch=patch,
            source_box=selected.patches[mine[nth]].source_box,
            mean=mean,
            place=index,
            ratio=_ratio(mean, best[index + 1 : index + 2]),
            curve=curve(bucket, geometry, settings, patch.box),
            placement=placement_of(selected, mine[nth], settings.ipc),
        )
    return replace(explanation, sentence=sentence(explanation, settings))


def candidate_boxes(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> tuple[CandidateBox, ...]:
    """Return the best boxes of an image that do not overlap, `SHOWN` or `per_image` of them."""
    maps = combined_gap(bucket, geometry, settings.timesteps, settings.locate)  # (1, h, w)
    side = patch_size(settings, geometry)
    across, down = (int(cells * geometry.cell_px // side) for cells in maps.shape[:0:-1])
    shown = max(SHOWN, settings.per_image)
    count = min(shown + 1, across * down)
    stride_px = settings.stride_px or geometry.cell_px
    found = largest_mean_boxes(maps, geometry.cell_px, side, stride_px, count)
    keep = np.isfinite(found.score[0])
    scores = [*found.score[0][keep].tolist(), np.nan]
    corners = zip(found.x[0][keep].tolist(), found.y[0][keep].tolist(), strict=True)
    return tuple(
        CandidateBox(Box(x, y, float(side), float(side)), scores[n], scores[n] - scores[n + 1])
        for n, (x, y) in enumerate(corners)
    )[:shown]


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
    return tuple(
        TimestepGap(timestep, share, rank, column in counted)
        for column, (timestep, share, rank) in enumerate(
            zip(geometry.timesteps, own.tolist(), above.tolist(), strict=True)
        )
    )


def placement_of(selected: ClassSelection, position: int, ipc: int) -> Placement:
    """Return the ranks of the patch at a position of the class's ranking."""
    cluster = selected.patches[position].cluster
    mates = [n for n, patch in enumerate(selected.patches) if patch.cluster == cluster]
    return Placement(
        cluster=cluster,
        clusters=len({patch.cluster for patch in selected.patches}),
        rank_in_cluster=mates.index(position),
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
    conditional = bucket.conditional[0, chosen, row, column].astype(np.float64)
    gap = bucket.gap[0, chosen, row, column].astype(np.float64)
    counted = np.maximum(gap, 0.0) if settings.locate == "positive" else gap
    combined = counted / geometry.losses[chosen]
    table = np.stack([conditional, conditional + gap, gap, combined], axis=1)  # (T, 4)
    return CellReading(
        row=row,
        column=column,
        timesteps=tuple(geometry.timesteps[column] for column in chosen),
        values=tuple(CellValues(*line) for line in table.tolist()),
        mean=CellValues(*table.mean(axis=0).tolist()),
    )


def sentence(explanation: Explanation, settings: SelectSettings) -> str:
    """Write the explanation as one sentence, which counts from 1."""
    if explanation.patch is None or explanation.placement is None:
        return _without_patch(explanation, settings)
    parts = [
        _gain(explanation.mean, settings) + _comparison(explanation, explanation.patch, settings),
        _scores(explanation.patch, settings),
        _rank(explanation.placement, settings),
        _kept(explanation, explanation.placement, settings),
    ]
    return "; ".join(filter(None, parts)) + "."


def _without_patch(explanation: Explanation, settings: SelectSettings) -> str:
    if explanation.image_id in settings.bans:
        return "This image is banned, so it is never kept."
    if explanation.same_as:
        return f"This image has the same pixels as {explanation.same_as}, which is used instead."
    if not explanation.best:
        return "This image has no patch, because its maps contain NaN."
    return "This image has fewer patches."


def _gain(mean: float, settings: SelectSettings) -> str:
    """Describe how naming the class changes the loss inside the patch, as locating counts it."""
    if mean > 0:
        lowers = f"aming the class lowers the loss inside this patch by {_percent(mean)}"
        return f"Where it helps, n{lowers}" if settings.locate == "positive" else f"N{lowers}"
    if mean < 0:
        return f"Naming the class raises the loss inside this patch by {_percent(-mean)}"
    return "Naming the class does not lower the loss inside this patch"


def _scores(patch: PatchView, settings: SelectSettings) -> str:
    """Describe the scores that the comparison of boxes did not give; empty if it gave all."""
    found = []
    if settings.score != settings.locate:
        found.append((patch.score, "in the patch"))
    if settings.rank_by == "picture":
        found.append((patch.picture_score, "in the whole picture"))
    if not found:
        return ""
    counted = "counting every cell" if settings.score == "signed" else "counting where it helps"
    clauses: list[str] = []
    verb = ""
    for score, where in found:
        before, verb = verb, "raises" if score < 0 else "lowers"
        start = "" if verb == before else f"{verb} {'it' if before else 'the loss'} "
        clauses.append(f"{start}by {_signed(abs(score))} {where}")
    return f"{counted}, it {' and '.join(clauses)}"


def _comparison(explanation: Explanation, patch: PatchView, settings: SelectSettings) -> str:
    """Compare the patch with the other boxes of the image."""
    if settings.baseline != "none" and explanation.place < 0:
        return f" (placed by the baseline {settings.baseline})"
    boxes = f"{explanation.candidates:,} boxes"
    if patch.moved:
        best = (
            ""
            if explanation.place == 0
            else f"; the best of {boxes} reaches {_signed(explanation.best[0].mean)}"
        )
        return f" (moved by hand{best})"
    if explanation.candidates == 1:
        return ", the only box of this size"
    if explanation.place != 0:
        choice = f"number {explanation.place + 1}" if explanation.place > 0 else "one"
        return f", {choice} of {boxes} among boxes that do not overlap a better one"
    if explanation.mean == 0:
        return f" or any other of the {boxes}"
    most = "most" if explanation.mean > 0 else "least"
    return f", the {most} of all {boxes}{_runner_up(explanation)}"


def _runner_up(explanation: Explanation) -> str:
    """Describe the lead of the best box over the runner-up."""
    if len(explanation.best) == 1:
        return ", with no room for a second one"
    if explanation.mean <= 0:
        return ""
    if np.isnan(explanation.ratio):
        return ", while the runner-up does not lower it"
    if explanation.ratio < CLOSE_RATIO:
        return ", slightly more than in the runner-up"
    return f" and {_times(explanation.ratio)} times as much as in the runner-up"


def _rank(placement: Placement, settings: SelectSettings) -> str:
    if settings.baseline != "none":
        return (
            f"rank {placement.rank + 1:,} of {placement.patches:,} by the baseline "
            f"{settings.baseline}"
        )
    return (
        f"rank {placement.rank_in_cluster + 1:,} of {placement.cluster_size:,} "
        f"in cluster {placement.cluster + 1:,} of {placement.clusters:,}"
    )


def _kept(explanation: Explanation, placement: Placement, settings: SelectSettings) -> str:
    pinned = settings.baseline == "none" and explanation.image_id in settings.pins
    if placement.dropped:
        return "dropped, so it is never kept"
    if not placement.images:
        return f"{'pinned, but ' if pinned else ''}not kept at IPC {settings.ipc:,}"
    numbers = [f"{n + 1:,}" for n in placement.images]
    names = " and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))
    word = "image" if len(numbers) == 1 else "images"
    link = "in" if settings.factor > 1 else "as"
    prefix = "pinned, " if pinned else ""
    return f"{prefix}kept at IPC {settings.ipc:,} {link} {word} {names}"


def _index(best: Sequence[CandidateBox], box: Box) -> int:
    """Return the index of a box among the best ones, -1 if it is none of them."""
    return next((n for n, one in enumerate(best) if one.box == box), -1)


def _mean(bucket: Bucket, geometry: Geometry, settings: SelectSettings, box: Box) -> float:
    """Mean of the map that locating uses inside a box of one image."""
    maps = combined_gap(bucket, geometry, settings.timesteps, settings.locate)  # (1, h, w)
    cell = geometry.cell_px
    corner = np.array([box.x / cell]), np.array([box.y / cell])
    return float(
        box_means(summed_area(maps), *corner, box.width / cell, box.height / cell)[0, 0, 0]
    )


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


def _percent(share: float) -> str:
    """Format a positive share with two digits."""
    percent = 100 * share
    if percent < LEAST_PERCENT:
        return f"less than {LEAST_PERCENT} %"
    text = f"{percent:,.0f}" if percent >= 99.5 else f"{percent:#.2g}".rstrip(".")
    return f"{text} %"


def _signed(share: float) -> str:
    return f"−{_percent(-share)}" if share < 0 else _percent(share) if share else "0 %"


def _times(ratio: float) -> str:
    if ratio >= 100:
        return "more than 100"
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.2f}" if ratio < 1.095 else f"{ratio:.1f}"
