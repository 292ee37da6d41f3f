"""Why a patch was chosen: the boxes that it won against, its curve over timesteps, its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.box_search import TIE, largest_mean_boxes, patch_size, positions
from dsel.core.gap_maps import combined_gap, image_bucket, timestep_columns
from dsel.core.integral_image import box_means, summed_area
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Geometry, Patch

SHOWN = 5
"""Boxes of an image that a explanation names, at least."""

HARDLY = 1.005
"""A ratio to the runner-up that is not worth a number."""

LEAST_PERCENT = 0.001
"""Percent below which there is no number either."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the best boxes of an image that do not overlap, in proxy pixels.

    margin is its lead over the next best one; NaN where no other box fits.
    """

    box: Box
    score: float
    margin: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What one timestep says of a box: its signed mean gap as a share of the timestep's loss.

    rank counts from 0 among all boxes of the image by this timestep alone. counts says whether the
    timestep is one of those that the settings combine.
    """

    timestep: int
    share: float
    rank: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a patch ranks in its class; ranks, clusters and distilled images count from 0.

    images: the distilled images that it is part of, among the first IPC ones; mostly one or none.
    """

    cluster: int
    clusters: int
    rank_in_cluster: int
    cluster_size: int
    rank: int
    patches: int
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is to be said of an image's patch; of an image without one, its best boxes.

    candidates: how many boxes were compared. place: which of `best` the patch is, from 0, and -1
    where it is none of them. ratio: its score over the runner-up's; NaN unless both are positive.
    """

    image_id: str
    patch: Patch | None
    candidates: int
    best: tuple[Contender, ...]
    place: int
    ratio: float
    curve: tuple[Moment, ...]
    placement: Placement | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Values:
    """What is known of one cell: both losses, the gap, and the gap that locating uses."""

    conditional: float
    unconditional: float
    gap: float
    combined: float


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of the cell under a pixel: per chosen timestep, and their means."""

    row: int
    column: int
    timesteps: tuple[int, ...]
    values: tuple[Values, ...]
    mean: Values


def explain(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    selected: ClassSelection,
    row: int,
    nth: int = 0,
) -> Explanation:
    """Explain a class's `row`-th image and its patch, the `nth` of its patches by rank."""
    image_id, bucket = scores.ids[row], image_bucket(scores, row)
    mine = [n for n, patch in enumerate(selected.patches) if patch.image_id == image_id]
    best = contenders(bucket, geometry, settings)
    x, y = _corners(bucket, geometry, settings)
    untold = Explanation(
        image_id=image_id, patch=None, candidates=len(x) * len(y), best=best, place=-1,
        ratio=np.nan, curve=(), placement=None, sentence="",
    )  # fmt: skip
    if nth < len(mine):
        patch = selected.patches[mine[nth]]
        place = _place(best, patch.box)
        untold = replace(
            untold,
            patch=patch,
            place=place,
            ratio=_ratio(patch.score, best[place + 1 : place + 2]),
            curve=curve(bucket, geometry, settings, patch.box),
            placement=placement_of(selected, mine[nth], settings.ipc),
        )
    return replace(untold, sentence=sentence(untold, settings))


def contenders(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> tuple[Contender, ...]:
    """The best boxes of one image that do not overlap: five, or as many as it may give patches."""
    maps = combined_gap(bucket, geometry, settings)  # (1, h, w)
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
        Contender(Box(x, y, float(side), float(side)), scores[n], scores[n] - scores[n + 1])
        for n, (x, y) in enumerate(corners)
    )[:shown]


def curve(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings, box: Box
) -> tuple[Moment, ...]:
    """What each scored timestep of one image says of a box."""
    counted = set(timestep_columns(settings.timesteps, geometry.timesteps))
    maps = bucket.gap[0].astype(np.float32) / geometry.losses[:, None, None]  # (T, h, w)
    table, cell = summed_area(maps), geometry.cell_px
    sides = box.width / cell, box.height / cell
    own = box_means(table, np.array([box.x / cell]), np.array([box.y / cell]), *sides)[:, 0, 0]
    x, y = _corners(bucket, geometry, settings)
    means = box_means(table, x / cell, y / cell, *sides)  # (T, Y, X)
    above = (means > own[:, None, None] + TIE).sum(axis=(1, 2))
    return tuple(
        Moment(timestep, share, rank, column in counted)
        for column, (timestep, share, rank) in enumerate(
            zip(geometry.timesteps, own.tolist(), above.tolist(), strict=True)
        )
    )


def placement_of(selected: ClassSelection, position: int, ipc: int) -> Placement:
    """Where the patch at a position of the class's ranking stands."""
    cluster = selected.patches[position].cluster
    mates = [n for n, patch in enumerate(selected.patches) if patch.cluster == cluster]
    images = selected.kept(ipc).get(position, ())
    return Placement(
        cluster=cluster,
        clusters=len({patch.cluster for patch in selected.patches}),
        rank_in_cluster=mates.index(position),
        cluster_size=len(mates),
        rank=position,
        patches=len(selected.patches),
        images=images,
    )


def read_cell(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings, x_px: float, y_px: float
) -> Reading:
    """The values of one image at a pixel of its proxy; beside the picture, at its nearest cell."""
    rows, columns = bucket.gap.shape[2:]
    row = min(max(int(y_px // geometry.cell_px), 0), rows - 1)
    column = min(max(int(x_px // geometry.cell_px), 0), columns - 1)
    chosen = timestep_columns(settings.timesteps, geometry.timesteps)
    conditional = bucket.conditional[0, chosen, row, column].astype(np.float64)
    gap = bucket.gap[0, chosen, row, column].astype(np.float64)
    counted = np.maximum(gap, 0.0) if settings.gap == "positive" else gap
    combined = counted / geometry.losses[chosen]
    table = np.stack([conditional, conditional + gap, gap, combined], axis=1)  # (T, 4)
    return Reading(
        row=row,
        column=column,
        timesteps=tuple(geometry.timesteps[place] for place in chosen),
        values=tuple(Values(*line) for line in table.tolist()),
        mean=Values(*table.mean(axis=0).tolist()),
    )


def sentence(explanation: Explanation, settings: SelectSettings) -> str:
    """The explanation in plain words, in one sentence that counts from 1."""
    if explanation.patch is None or explanation.placement is None:
        return _why_none(explanation, settings)
    gain = _gain(explanation.patch.score, settings) + _comparison(
        explanation, explanation.patch, settings
    )
    return (
        "; ".join(
            [
                gain,
                _rank(explanation.placement),
                _kept(explanation, explanation.placement, settings),
            ]
        )
        + "."
    )


def _why_none(explanation: Explanation, settings: SelectSettings) -> str:
    if explanation.image_id in settings.bans:
        return "Banned by hand: this image is never kept."
    if not explanation.best:
        return "This image has no patch: its maps hold what is no number."
    return "This image has no such patch."


def _gain(score: float, settings: SelectSettings) -> str:
    """The first words: what naming the class does inside the patch."""
    if score > 0:
        saves = f"aming the class saves {_percent(score)} of the loss inside this patch"
        return f"Where it helps, n{saves}" if settings.gap == "positive" else f"N{saves}"
    if score < 0:
        return f"Naming the class adds {_percent(-score)} to the loss inside this patch"
    return "Naming the class saves nothing inside this patch"


def _comparison(explanation: Explanation, patch: Patch, settings: SelectSettings) -> str:
    """How the patch compares with the image's other boxes."""
    boxes = f"{explanation.candidates:,} boxes"
    if _moved(patch, settings):
        best = (
            ""
            if explanation.place == 0
            else f", the best of {boxes} has {_signed(explanation.best[0].score)}"
        )
        return f", moved here by hand{best}"
    if explanation.candidates == 1:
        return ", the only box of this size"
    if explanation.place != 0:
        choice = f"choice {explanation.place + 1} of" if explanation.place > 0 else "one of"
        return f", {choice} {boxes} where none may overlap a better one"
    if patch.score == 0:
        return f", nor inside any other of {boxes}"
    return f", the {'most' if patch.score > 0 else 'least'} of {boxes}" + _lead(explanation, patch)


def _lead(explanation: Explanation, patch: Patch) -> str:
    """How far the best box is ahead of the next."""
    if len(explanation.best) == 1:
        return ", where no second one fits beside it"
    if patch.score <= 0:
        return ""
    if np.isnan(explanation.ratio):
        return ", where the runner-up saves nothing"
    if explanation.ratio < HARDLY:
        return ", hardly more than the runner-up"
    return f" and {_times(explanation.ratio)} times the runner-up"


def _rank(placement: Placement) -> str:
    return (
        f"cluster {placement.cluster + 1:,} of {placement.clusters:,}, "
        f"rank {placement.rank_in_cluster + 1:,} of {placement.cluster_size:,}"
    )


def _kept(explanation: Explanation, placement: Placement, settings: SelectSettings) -> str:
    pinned = explanation.image_id in settings.pins
    if not placement.images:
        return f"{'pinned by hand, yet ' if pinned else ''}not kept at IPC {settings.ipc:,}"
    numbers = [f"{n + 1:,}" for n in placement.images]
    names = " and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))
    word = "image" if len(numbers) == 1 else "images"
    link = "in" if settings.factor > 1 else "as"
    by_hand = "pinned by hand, " if pinned else ""
    return f"{by_hand}kept at IPC {settings.ipc:,} {link} {word} {names}"


def _moved(patch: Patch, settings: SelectSettings) -> bool:
    corner = settings.overrides.corners.get(patch.image_id)
    return corner is not None and (corner.x, corner.y) == (patch.box.x, patch.box.y)


def _place(best: Sequence[Contender], box: Box) -> int:
    """Which of the best boxes it is, and -1 for none of them."""
    return next((n for n, one in enumerate(best) if one.box == box), -1)


def _ratio(score: float, runner_up: Sequence[Contender]) -> float:
    positive = bool(runner_up) and runner_up[0].score > 0 and score > 0
    return score / runner_up[0].score if positive else float("nan")


def _corners(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The candidate corners of one image, along x and along y."""
    rows, columns = (cells * geometry.cell_px for cells in bucket.gap.shape[2:])
    steps = patch_size(settings, geometry), settings.stride_px or geometry.cell_px
    return positions(columns, *steps), positions(rows, *steps)


def _percent(share: float) -> str:
    """A positive share with two digits."""
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
