"""Baselines of equal budget: a random patch, the centre or the whole image per chosen patch."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.cut_boxes import cuts_around
from dsel.core.gap_maps import Maps
from dsel.core.integral_image import sums_inside
from dsel.core.standard_errors import BoxesOf, standard_errors
from dsel.patches import Boxes, Frames, earlier
from dsel.types import ClassScores, ClassSelection, Geometry

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
    row_of = scores.images.row_of
    rows = np.array([row_of[image_id] for image_id in selected.patches.image_ids], np.int64)
    frames = scores.frames.take(rows)
    box = _boxes(kind, frames, selected.patches.box[:, 2], corners[rows, earlier(rows)])
    x, y, width, height = box.T / geometry.cell_px
    means = sums_inside(maps.tables, rows, x, y, width, height) / (width * height)
    of = scores, geometry, settings.timesteps, settings.score
    patches = replace(
        selected.patches,
        box=box,
        source_box=frames.to_source(box),
        cut_box=frames.to_source(box if kind == "whole" else cuts_around(box, frames, settings)),
        score=means,
        standard_error=standard_errors(*of, BoxesOf(rows, *box.T)),
        margin=np.full(len(rows), np.nan),
    )
    return replace(selected, patches=patches)


def kept_score(
    selected: ClassSelection, ipc: int, kind: Literal["score", "picture_score"] = "score"
) -> float:
    """Mean score of the distinct patches in the first `ipc` images; NaN without patches.

    For a baseline it measures how much of the gap it captures at the same budget.
    """
    ranks = sorted(selected.kept(ipc))
    return float(np.mean(getattr(selected.patches, kind)[ranks])) if ranks else float("nan")


def _boxes(kind: Baseline, frames: Frames, side: Doubles, shares: Doubles) -> Boxes:
    """Return a baseline's boxes in the proxies, (P, 4); random corners are whole pixels.

    side: (P,) of the chosen patches. shares: (P, 2), where random patches are.
    """
    proxy, sides = frames.proxy.astype(np.float64), np.column_stack([side, side])
    if kind == "whole":
        return np.hstack([np.zeros_like(proxy), proxy])
    if kind == "centre":
        return np.hstack([(proxy - sides) / 2, sides])
    return np.hstack([np.floor(shares * (proxy - sides + 1)), sides])
