"""Two steps of selecting the patches of one class: locate them, and rank them once clustered.

`dsel.pipeline.selector` composes these and the other steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.config.overrides import Corner, check_corner
from dsel.core.box_search import (
    TIE,
    BestBoxes,
    largest_mean_boxes,
    largest_mean_boxes_with,
    patch_size,
)
from dsel.core.clustering import Clusters
from dsel.core.gap_maps import Maps
from dsel.core.patch_features import patch_features
from dsel.core.ranking import compose_images, rank_patches
from dsel.types import Box, ClassScores, ClassSelection, Geometry, Patch


@dataclass(frozen=True, slots=True)
class Located:
    """P patches of one class, those of one image next to each other and best first.

    image: (P,) each one's row in the class. ranking_score: (P,), see `ranking_scores`.
    features: (P, d).
    """

    image: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    ranking_score: NDArray[np.float64]
    margin: NDArray[np.float64]
    features: NDArray[np.float32]
    patch_px: int


def locate_class(
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, maps: Maps
) -> Located:
    """Locate the best boxes of every image of a class, or those given by hand, and their features.

    maps: see `combined_maps`. The features are those that scoring stored.
    """
    patch_px = patch_size(settings, geometry)
    boxes = _boxes(scores, geometry, settings, patch_px, maps)
    image, nth = np.nonzero(np.isfinite(boxes.score))
    x, y = boxes.x[image, nth], boxes.y[image, nth]
    sides = np.array([(frame.proxy_width, frame.proxy_height) for frame in scores.frames], float)
    width, height = sides.reshape(-1, 2)[image].T
    return Located(
        image=image,
        x=x,
        y=y,
        score=boxes.score[image, nth],
        ranking_score=ranking_scores(boxes.score[image, nth], scores.refined[image]),
        # Only the first box of an image has a margin over a runner-up.
        margin=np.where(nth == 0, boxes.margin[image], np.nan),
        features=patch_features(scores.features, x, y, patch_px, width, height, image),
        patch_px=patch_px,
    )


def ranking_scores(score: NDArray[np.float64], refined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the key that patches are ranked by, (P,): the score, with refined patches first.

    The best box of few draws has collected the most noise, so its score is too high compared with
    one of many draws. Unrefined patches keep their order and their differences, below the lowest
    refined one.
    """
    if refined.all() or not refined.any():
        return score
    lead = score[~refined].max() - score[refined].min()
    return np.where(refined, score, score - max(lead, 0.0) - TIE)


def without_banned(located: Located, ids: Sequence[str], bans: Sequence[str]) -> Located:
    """Return the patches of a class without those of banned images."""
    unwanted = set(bans)
    banned = [row for row, image_id in enumerate(ids) if image_id in unwanted]
    if not banned:
        return located
    allowed = ~np.isin(located.image, banned)
    arrays = {field.name: getattr(located, field.name) for field in fields(located)}
    del arrays["patch_px"]
    return replace(located, **{name: array[allowed] for name, array in arrays.items()})


def rank_class(
    scores: ClassScores, located: Located, clusters: Clusters, settings: SelectSettings
) -> ClassSelection:
    """Rank the patches of one class, and compose them to distilled images."""
    keys = (
        located.ranking_score,
        clusters.labels,
        clusters.distance,
        settings.within,
        settings.across,
    )
    pins = _pinned(located, scores.ids, settings.pins)
    ranked = rank_patches(*keys, pins)
    rank_of = {position: rank for rank, position in enumerate(ranked)}
    images = compose_images(*keys, settings.factor**2, pins)
    return ClassSelection(
        name=scores.name,
        index=scores.index,
        patches=_patches(scores, located, clusters, ranked),
        images=tuple(tuple(rank_of[position] for position in image) for image in images),
    )


def _boxes(
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, patch_px: int, maps: Maps
) -> BestBoxes:
    """Search the boxes of all images, bucket by bucket; results are in dataset order."""
    images, count = len(scores.ids), settings.per_image
    boxes = BestBoxes(
        x=np.zeros((images, count)),
        y=np.zeros((images, count)),
        score=np.full((images, count), -np.inf),
        margin=np.full(images, np.nan),
    )
    how = (geometry.cell_px, patch_px, settings.stride_px or geometry.cell_px, count)
    moved = _moved_corners(scores, settings, patch_px)
    for bucket, of_bucket in zip(scores.buckets, maps, strict=True):
        _assign(boxes, bucket.rows, largest_mean_boxes(of_bucket, *how))
        for index in np.flatnonzero(np.isin(bucket.rows, list(moved))):
            one, corner = slice(index, index + 1), moved[int(bucket.rows[index])]
            found = largest_mean_boxes_with(of_bucket[one], *how, corner.x, corner.y)
            _assign(boxes, bucket.rows[one], found)
    return boxes


def _assign(boxes: BestBoxes, rows: NDArray[np.int64], found: BestBoxes) -> None:
    boxes.x[rows], boxes.y[rows] = found.x, found.y
    boxes.score[rows], boxes.margin[rows] = found.score, found.margin


def _moved_corners(
    scores: ClassScores, settings: SelectSettings, patch_px: int
) -> Mapping[int, Corner]:
    """Return the corners given by hand to images of this class, by row."""
    corners = settings.overrides.corners
    moved = {row: corners[id_] for row, id_ in enumerate(scores.ids) if id_ in corners}
    for row, corner in moved.items():
        frame = scores.frames[row]
        check_corner(scores.ids[row], corner, patch_px, frame.proxy_width, frame.proxy_height)
    return moved


def _pinned(located: Located, ids: Sequence[str], pins: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of the best patches of this class's pinned images, in pinned order."""
    best: dict[str, int] = {}
    for position, row in enumerate(located.image):
        best.setdefault(ids[row], position)
    return tuple(best[image_id] for image_id in pins if image_id in best)


def _patches(
    scores: ClassScores, located: Located, clusters: Clusters, ranked: Sequence[int]
) -> tuple[Patch, ...]:
    """Return records of the patches at these positions, best first."""
    order = np.array(ranked, np.int64)
    arrays = (located.image, located.x, located.y, located.score, located.margin)
    columns = [array[order].tolist() for array in (*arrays, clusters.labels, clusters.distance)]
    side = float(located.patch_px)  # a float, as in a stored selection and in its manifest
    patches = []
    for rank, (row, x, y, score, margin, cluster, distance) in enumerate(
        zip(*columns, strict=True)
    ):
        box = Box(x, y, side, side)
        source_box = scores.frames[row].to_source(box)
        explanation = (score, margin, cluster, distance, rank)
        patches.append(Patch(scores.ids[row], scores.index, box, source_box, *explanation))
    return tuple(patches)
