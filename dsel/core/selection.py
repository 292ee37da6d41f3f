"""Three steps of selecting the patches of one class: locate, score, and rank them once clustered.

`dsel.pipeline.selector` composes these and the other steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.config.overrides import Corner, check_corner
from dsel.core.box_search import (
    BestBoxes,
    largest_boxes_in,
    largest_mean_boxes_with,
    patch_size,
)
from dsel.core.clustering import Clusters
from dsel.core.cut_boxes import cuts_around
from dsel.core.gap_maps import Maps
from dsel.core.integral_image import sums_inside
from dsel.core.patch_features import patch_features
from dsel.core.ranking import compose_images, lowest, ranked_positions
from dsel.core.standard_errors import BoxesOf, picture_errors, standard_errors
from dsel.patches import Boxes, ImageRanks, Patches
from dsel.types import ClassScores, ClassSelection, Geometry


@dataclass(frozen=True, slots=True)
class Located:
    """P patches of one class, those of one image next to each other and best first.

    image: (P,) each one's row in the class. strength: (P,) the mean inside the box of the map that
    locates. features: (P, d).
    """

    image: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    strength: NDArray[np.float64]
    margin: NDArray[np.float64]
    features: NDArray[np.float32]
    patch_px: int


@dataclass(frozen=True, slots=True)
class PictureScores:
    """The means of the scores' map over each of N whole pictures, and their standard errors.

    They do not depend on the patches. (N,) each.
    """

    score: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """P located patches and their scores, (P,) each.

    patch: the mean of the scores' map inside the box. picture: over the whole picture. patch_error
    and picture_error: their standard errors. ranking and ranking_error: those of the one that
    ranks.
    """

    located: Located
    patch: NDArray[np.float64]
    picture: NDArray[np.float64]
    patch_error: NDArray[np.float64]
    picture_error: NDArray[np.float64]
    ranking: NDArray[np.float64]
    ranking_error: NDArray[np.float64]


def locate_class(
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, maps: Maps
) -> Located:
    """Locate the best boxes of every image of a class, or those given by hand, and their features.

    maps: those that locating uses, see `combined_maps`. The features are those that scoring stored.
    """
    patch_px = patch_size(settings, geometry)
    boxes = _boxes(scores, geometry, settings, patch_px, maps)
    image, nth = np.nonzero(np.isfinite(boxes.score))
    x, y = boxes.x[image, nth], boxes.y[image, nth]
    width, height = scores.frames.proxy[image].T.astype(np.float64)
    return Located(
        image=image,
        x=x,
        y=y,
        strength=boxes.score[image, nth],
        # Only the first box of an image has a margin over a runner-up.
        margin=np.where(nth == 0, boxes.margin[image], np.nan),
        features=patch_features(scores.features, x, y, patch_px, width, height, image),
        patch_px=patch_px,
    )


def score_class(
    scores: ClassScores,
    located: Located,
    geometry: Geometry,
    settings: SelectSettings,
    maps: Maps,
    pictures: PictureScores | None = None,
) -> Scored:
    """Score the located patches of a class; maps: those that scores use, see `combined_maps`.

    pictures: what `score_pictures` gives, if it is at hand.
    """
    pictures = pictures or score_pictures(scores, geometry, settings, maps)
    corners = located.x / geometry.cell_px, located.y / geometry.cell_px
    side = np.full(len(located.image), located.patch_px / geometry.cell_px)
    patch = sums_inside(maps.tables, located.image, *corners, side, side) / (side * side)
    picture = pictures.score[located.image]
    sides = np.full(len(located.image), float(located.patch_px))
    boxes = BoxesOf(located.image, located.x, located.y, sides, sides)
    of = scores, geometry, settings.timesteps, settings.score
    patch_error, picture_error = standard_errors(*of, boxes), pictures.error[located.image]
    by_patch = settings.rank_by == "patch"
    return Scored(
        located=located,
        patch=patch,
        picture=picture,
        patch_error=patch_error,
        picture_error=picture_error,
        ranking=patch if by_patch else picture,
        ranking_error=patch_error if by_patch else picture_error,
    )


def score_pictures(
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, maps: Maps
) -> PictureScores:
    """Score the whole pictures of a class; maps: those that scores use, see `combined_maps`."""
    how = scores, geometry, settings.timesteps, settings.score
    return PictureScores(_picture_scores(scores, maps), picture_errors(*how))


def without_images(scored: Scored, ids: Sequence[str], unwanted: Collection[str]) -> Scored:
    """Return the patches of a class without those of unwanted images."""
    rows = [row for row, image_id in enumerate(ids) if image_id in unwanted] if unwanted else []
    if not rows:
        return scored
    allowed = ~np.isin(scored.located.image, rows)
    return replace(_only(scored, allowed), located=_only(scored.located, allowed))


def rank_class(
    scores: ClassScores, scored: Scored, clusters: Clusters, settings: SelectSettings
) -> ClassSelection:
    """Rank the patches of one class, and compose them to distilled images.

    Patches with the lowest scores are dropped if the settings say so, and those that give the same
    cut as a better patch of their image. They rank after all others, and are in no image.
    """
    pins = _pinned(scored.located, scores.ids, settings.pins)
    dropped = lowest(scored.ranking, settings.drop_lowest, pins)
    dropped |= _repeated_cuts(scores, scored.located, settings)
    rest = np.flatnonzero(~dropped)
    keys = (
        scored.ranking[rest],
        clusters.labels[rest],
        clusters.distance[rest],
        settings.within,
        settings.across,
    )
    first = np.searchsorted(rest, pins).tolist()
    order = rest[ranked_positions(*keys, first)]
    ranked = np.concatenate([order, _falling(scored.ranking, dropped)])
    tiles = settings.factor**2
    if tiles == 1:
        images = np.arange(len(order))[:, None]
    else:
        rank_of = np.empty(len(ranked), np.int64)
        rank_of[ranked] = np.arange(len(ranked))
        positions = np.array(compose_images(*keys, tiles, first), np.int64).reshape(-1, tiles)
        images = rank_of[rest[positions]]
    return ClassSelection(
        name=scores.name,
        index=scores.index,
        patches=ranked_patches(scores, scored, clusters, ranked, settings),
        images=ImageRanks(images),
    )


def repeated(image: NDArray[np.int64], cuts: Boxes) -> NDArray[np.bool_]:
    """Return which of P patches have the cut (P, 4) of an earlier patch of the same image, (P,)."""
    repeats = np.ones(len(cuts), bool)
    if len(cuts):
        _, first = np.unique(np.column_stack([image, cuts]), axis=0, return_index=True)
        repeats[first] = False
    return repeats


def _repeated_cuts(
    scores: ClassScores, located: Located, settings: SelectSettings
) -> NDArray[np.bool_]:
    """Return which located patches give the cut of a better patch of their image, (P,)."""
    if (np.diff(located.image) > 0).all():  # no image has two
        return np.zeros(len(located.image), bool)
    frames = scores.frames.take(located.image)
    return repeated(located.image, cuts_around(boxes_of(located), frames, settings))


def boxes_of(located: Located) -> Boxes:
    """Return the boxes of located patches, (P, 4)."""
    side = np.full(len(located.image), float(located.patch_px))
    return np.column_stack([located.x, located.y, side, side])


def ranked_patches(
    scores: ClassScores,
    scored: Scored,
    clusters: Clusters,
    ranked: NDArray[np.int64],
    settings: SelectSettings,
) -> Patches:
    """Return the patches at these positions, best first."""
    located = scored.located
    box = boxes_of(located)[ranked]
    frames = scores.frames.take(located.image[ranked])
    return Patches(
        ids=scores.ids,
        class_index=scores.index,
        image=located.image[ranked],
        box=box,
        source_box=frames.to_source(box),
        cut_box=frames.to_source(cuts_around(box, frames, settings)),
        score=scored.patch[ranked],
        standard_error=scored.patch_error[ranked],
        picture_score=scored.picture[ranked],
        picture_standard_error=scored.picture_error[ranked],
        margin=located.margin[ranked],
        cluster=clusters.labels[ranked],
        distance=clusters.distance[ranked],
        rank=np.arange(len(ranked)),
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
        _assign(boxes, bucket.rows, largest_boxes_in(maps.tables.stack(bucket.rows), *how))
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
    if not corners:
        return {}
    moved = {row: corners[id_] for row, id_ in enumerate(scores.ids) if id_ in corners}
    for row, corner in moved.items():
        frame = scores.frames[row]
        check_corner(scores.ids[row], corner, patch_px, frame.proxy_width, frame.proxy_height)
    return moved


def _pinned(located: Located, ids: Sequence[str], pins: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of the best patches of this class's pinned images, in pinned order."""
    if not pins:
        return ()
    rows, first = np.unique(located.image, return_index=True)
    best = dict(zip((ids[row] for row in rows.tolist()), first.tolist(), strict=True))
    return tuple(best[image_id] for image_id in pins if image_id in best)


def _picture_scores(scores: ClassScores, maps: Maps) -> NDArray[np.float64]:
    """Return the mean of the map of each of a class's N images, (N,)."""
    means = np.zeros(len(scores.ids))
    for bucket, of_bucket in zip(scores.buckets, maps, strict=True):
        means[bucket.rows] = of_bucket.mean(axis=(1, 2), dtype=np.float64)
    return means


def _falling(score: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the chosen positions by falling score."""
    positions = np.flatnonzero(chosen)
    ordered: NDArray[np.int64] = positions[np.argsort(-score[positions], kind="stable")]
    return ordered


Record = TypeVar("Record", Located, Scored)


def _only(record: Record, rows: NDArray[np.bool_]) -> Record:
    """Return a record of P patches with some of them."""
    arrays = {field.name: getattr(record, field.name) for field in fields(record)}
    changes: Mapping[str, Any] = {
        name: array[rows] for name, array in arrays.items() if isinstance(array, np.ndarray)
    }
    return replace(record, **changes)
