"""The best patch of each image, as arrays, and the scores that patches are ranked by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.patches import Doubles, Patches
from dsel.types import ClassSelection


@dataclass(frozen=True, slots=True)
class BestPatches:
    """The patch of the best rank of each of N images, as arrays for a plot.

    cluster and rank: (N,) int32, -1 for an image without a patch. score: (N,), the one that ranks,
    its standard error, margin: (N,), and box: (N, 4), x, y, width and height in proxy pixels; all
    NaN without a patch. kept: (N,) uint8, 1 if any patch of the image is among the first IPC
    distilled images.
    """

    cluster: NDArray[np.int32]
    rank: NDArray[np.int32]
    score: NDArray[np.float32]
    standard_error: NDArray[np.float32]
    box: NDArray[np.float32]
    margin: NDArray[np.float32]
    kept: NDArray[np.uint8]


def best_patches(
    selected: ClassSelection, image_ids: Sequence[str], settings: SelectSettings
) -> BestPatches:
    """Gather the patch of the best rank of each of these images."""
    count, patches = len(image_ids), selected.patches
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    cluster, rank = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    score, error = np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32)
    margin, box = np.full(count, np.nan, np.float32), np.full((count, 4), np.nan, np.float32)
    places, best = np.unique(patches.image, return_index=True)
    rows = np.array([row_of[patches.ids[place]] for place in places.tolist()], np.int64)
    cluster[rows], rank[rows] = patches.cluster[best], best
    score[rows] = ranking_scores(patches, settings)[best]
    error[rows] = ranking_errors(patches, settings)[best]
    margin[rows], box[rows] = patches.margin[best], patches.box[best]
    kept = np.zeros(count, np.uint8)
    kept[[row_of[patches.id_of(rank)] for rank in selected.kept(settings.ipc)]] = 1
    return BestPatches(cluster, rank, score, error, box, margin, kept)


def ranking_scores(patches: Patches, settings: SelectSettings) -> Doubles:
    """Return the scores that patches are ranked by, (P,)."""
    return patches.score if settings.rank_by == "patch" else patches.picture_score


def ranking_errors(patches: Patches, settings: SelectSettings) -> Doubles:
    """Return the standard errors of the scores that patches are ranked by, (P,)."""
    by_patch = settings.rank_by == "patch"
    return patches.standard_error if by_patch else patches.picture_standard_error
