"""Baselines of equal budget: a random patch, the centre or the whole image per chosen patch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.cut_boxes import cut_around
from dsel.core.gap_maps import Maps
from dsel.core.integral_image import joined, summed_area, sums_inside
from dsel.core.standard_errors import BoxesOf, standard_errors
from dsel.types import Box, ClassScores, ClassSelection, Frame, Geometry

Doubles: TypeAlias = NDArray[np.float64]
Baseline: TypeAlias = Literal["random", "centre", "whole"]

BASELINES: Final[tuple[Baseline, ...]] = ("random", "centre", "whole")

DRAWS: Final = 64
"""Random patches drawn per image: as many as an image may give patches."""


def random_corners(scores: ClassScores, seed: int) -> Doubles:
    """Draw the corners of random patches of a class's N images, (N, DRAWS, 2), in 0 to 1.

    1 is the last position at which the patch fits. Each image has its own generator, so its draws
    depend on the seed and its id alone.
    """
    drawn = np.empty((len(scores.ids), DRAWS, 2))
    for row, image_id in enumerate(scores.ids):
        digest = hashlib.sha256(f"{seed}/{image_id}".encode()).digest()
        drawn[row] = np.random.default_rng(list(digest[:16])).random((DRAWS, 2))
    return drawn


def baseline(
    kind: Baseline,
    scores: ClassScores,
    selected: ClassSelection,
    maps: Maps,
    geometry: Geometry,
    settings: SelectSettings,
    corners: Doubles,
) -> ClassSelection:
    """Replace each chosen patch by a baseline's patch of the same image, in the same order.

    The new patch has the size of the chosen one, or is the whole image, which need not be square.
    Its score is the mean of the map (see `combined_maps`) inside; it has no margin. Its cut is made
    like the chosen one's; that of a whole image is the image. Further patches of an image take its
    further random corners, which may overlap; all of them share one centre.
    """
    row_of = {image_id: row for row, image_id in enumerate(scores.ids)}
    rows = np.array([row_of[patch.image_id] for patch in selected.patches], np.int64)
    frames = [scores.frames[row] for row in rows]
    free = corners[rows, _occurrences(rows)]
    boxes = [
        _box(kind, frame, patch.box.width, *shares)
        for frame, patch, shares in zip(frames, selected.patches, free.tolist(), strict=True)
    ]
    tables = joined([summed_area(one) for one in maps], [bucket.rows for bucket in scores.buckets])
    x, y, width, height = _columns(boxes) / geometry.cell_px
    means = sums_inside(tables, rows, x, y, width, height) / (width * height)
    of = scores, geometry, settings.timesteps, settings.score
    errors = standard_errors(*of, BoxesOf(rows, *_columns(boxes)))
    patches = tuple(
        replace(
            patch,
            box=box,
            source_box=frame.to_source(box),
            cut_box=frame.to_source(box if kind == "whole" else cut_around(box, frame, settings)),
            score=mean,
            standard_error=error,
            margin=float("nan"),
        )
        for patch, box, frame, mean, error in zip(
            selected.patches, boxes, frames, means.tolist(), errors.tolist(), strict=True
        )
    )
    return replace(selected, patches=patches)


def kept_score(
    selected: ClassSelection, ipc: int, kind: Literal["score", "picture_score"] = "score"
) -> float:
    """Mean score of the distinct patches in the first `ipc` images; NaN without patches.

    For a baseline it measures how much of the gap it captures at the same budget.
    """
    scores = [getattr(selected.patches[rank], kind) for rank in sorted(selected.kept(ipc))]
    return float(np.mean(scores)) if scores else float("nan")


def _box(kind: Baseline, frame: Frame, side: float, right: float, down: float) -> Box:
    """Return a baseline's box in the proxy; random corners are whole pixels."""
    width, height = frame.proxy_width, frame.proxy_height
    if kind == "whole":
        return Box(0.0, 0.0, float(width), float(height))
    if kind == "centre":
        return Box((width - side) / 2, (height - side) / 2, side, side)
    x, y = int(right * (width - side + 1)), int(down * (height - side + 1))
    return Box(float(x), float(y), side, side)


def _occurrences(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the earlier occurrences of each row: (5, 3, 5, 5) -> (0, 0, 1, 2)."""
    seen: dict[int, int] = {}
    earlier = np.zeros(len(rows), np.int64)
    for position, row in enumerate(rows.tolist()):
        earlier[position] = seen.get(row, 0)
        seen[row] = int(earlier[position]) + 1
    return earlier


def _columns(boxes: Sequence[Box]) -> Doubles:
    """Stack boxes as x, y, width and height, (4, M)."""
    table = [(box.x, box.y, box.width, box.height) for box in boxes]
    return np.array(table, float).reshape(-1, 4).T
