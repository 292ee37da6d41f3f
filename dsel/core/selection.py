"""From one class's scores to its ranked patches: the one path that the engine and the app share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.config.overrides import Corner, check_corner, check_known, fits
from dsel.core.box_search import (
    TIE,
    BestBoxes,
    best_boxes,
    boxes_with,
    check_patch,
    combine_timesteps,
    patch_features,
)
from dsel.core.clustering import Clusters, cluster_patches
from dsel.core.ranking import compose_images, rank_patches
from dsel.errors import SettingError
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Frame, Geometry, Patch


@dataclass(frozen=True, slots=True)
class Located:
    """P patches of one class: `image` is each one's row in the class; features (P, d).

    ranking_score: (P,), what patches are ordered by, see `ranking_scores`.
    """

    image: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    ranking_score: NDArray[np.float64]
    margin: NDArray[np.float64]
    features: NDArray[np.float32]
    patch_px: int


Maps: TypeAlias = tuple[NDArray[np.float32], ...]
"""Combined maps (n, h, w) of each of a class's buckets."""

Describe: TypeAlias = Callable[[ClassScores, Located], NDArray[np.float32]]
"""Features (P, d) of the patches of a class."""


def select_class(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    describe: Describe | None = None,
) -> ClassSelection:
    """Locate, cluster and rank the patches of one class; by default, by the features of scoring.

    Banned images are described, which keeps what a model said of them, and then left out. Overrides
    of images that are not of this class say nothing here: see `check_overrides`.
    """
    located = locate_class(scores, geometry, settings)
    if describe and len(located.image):
        located = replace(located, features=describe(scores, located))
    located = without_banned(located, scores.ids, settings.bans)
    clusters = cluster_patches(
        located.features, located.ranking_score, settings.k, settings.discriminative_share
    )
    return rank_class(scores, located, clusters, settings)


def rank_class(
    scores: ClassScores, located: Located, clusters: Clusters, settings: SelectSettings
) -> ClassSelection:
    """The patches of one class in the order in which they stay, and the images that they make."""
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


def locate_class(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    maps: Maps | None = None,
) -> Located:
    """The best boxes of every image of a class, or where they were moved; the feature of each.

    maps: what `combined_maps` gives for these settings, for those who have it already.
    """
    patch_px = patch_size(settings, geometry)
    combined = combined_maps(scores, geometry, settings) if maps is None else maps
    boxes = _boxes(scores, geometry, settings, patch_px, combined)
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
        # Only the first box of an image leads over a runner-up.
        margin=np.where(nth == 0, boxes.margin[image], np.nan),
        features=patch_features(scores.features, x, y, patch_px, width, height, image),
        patch_px=patch_px,
    )


def ranking_scores(score: NDArray[np.float64], refined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What patches are ordered by, (P,): the score, but the refined ones stand before the others.

    The best box of few draws has caught the most noise, so that its score is too high beside one of
    many. The others keep their order and their distances, below the last of the refined ones.
    """
    if refined.all() or not refined.any():
        return score
    lead = score[~refined].max() - score[refined].min()
    return np.where(refined, score, score - max(lead, 0.0) - TIE)


def check_overrides(
    settings: SelectSettings, geometry: Geometry, frames: Mapping[str, Frame | None]
) -> None:
    """Raise `SettingError` for overrides that do not fit a run's images, by id; None was skipped.

    An image that was skipped may be banned, since it is not kept anyway.
    """
    overrides = settings.overrides
    check_known(overrides, frames)
    for name, image_ids in (("pins", overrides.pins), ("moves", overrides.corners)):
        for image_id in image_ids:
            if frames[image_id] is None:
                raise SettingError(
                    f"image {image_id!r} in {name} has no patch, since it was skipped when the run "
                    "was scored: take another image"
                )
    patch_px = patch_size(settings, geometry)
    for image_id, corner in overrides.corners.items():
        frame = frames[image_id]
        assert frame is not None  # the loop above
        check_corner(image_id, corner, patch_px, frame.proxy_width, frame.proxy_height)


def misplaced(
    settings: SelectSettings, geometry: Geometry, frames: Mapping[str, Frame | None]
) -> tuple[str, ...]:
    """The images, by id, whose boxes, moved by hand, reach beyond their pictures."""
    corners = settings.overrides.corners
    patch_px = patch_size(settings, geometry)
    return tuple(
        image_id
        for image_id, corner in corners.items()
        if (frame := frames.get(image_id)) is not None
        and not fits(corner, patch_px, frame.proxy_width, frame.proxy_height)
    )


def combined_maps(scores: ClassScores, geometry: Geometry, settings: SelectSettings) -> Maps:
    """The maps that locating uses, of each of a class's buckets."""
    return tuple(combined_gap(bucket, geometry, settings) for bucket in scores.buckets)


def combined_gap(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> NDArray[np.float32]:
    """The maps that locating uses, (n, h, w): the mean gap as a share of the loss."""
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    every = columns == list(range(len(geometry.timesteps)))
    gap = bucket.gap if every else bucket.gap[:, columns]
    return combine_timesteps(gap, geometry.losses[columns], settings.gap == "positive")


def image_bucket(scores: ClassScores, row: int) -> Bucket:
    """The maps of the `row`-th image of a class alone."""
    for bucket in scores.buckets:
        (found,) = np.nonzero(bucket.rows == row)
        if len(found):
            return Bucket(bucket.rows[found], bucket.conditional[found], bucket.gap[found])
    raise IndexError(f"class {scores.name!r} has {len(scores.ids)} scored images, no row {row}")


def timestep_columns(wanted: tuple[int, ...], scored: tuple[int, ...]) -> list[int]:
    """Where the wanted timesteps stand among the scored ones; all of them if none is named."""
    missing = [timestep for timestep in wanted if timestep not in scored]
    if missing:
        known = ", ".join(map(str, scored))
        raise SettingError(f"timestep {missing[0]} was not scored in this run; scored are {known}")
    return [scored.index(timestep) for timestep in wanted or scored]


def patch_size(settings: SelectSettings, geometry: Geometry) -> int:
    """The patch's side in proxy pixels; raises `SettingError` if it does not fit the picture."""
    patch_px = settings.patch_px or geometry.resolution_px // 2
    check_patch(patch_px, settings.per_image, geometry.resolution_px, geometry.resolution_px)
    return patch_px


def _boxes(
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, patch_px: int, combined: Maps
) -> BestBoxes:
    """The boxes of all images, in dataset order: found bucket by bucket, or given by hand."""
    images, count = len(scores.ids), settings.per_image
    boxes = BestBoxes(
        x=np.zeros((images, count)),
        y=np.zeros((images, count)),
        score=np.full((images, count), -np.inf),
        margin=np.full(images, np.nan),
    )
    how = (geometry.cell_px, patch_px, settings.stride_px or geometry.cell_px, count)
    moved = _moved(scores, settings, patch_px)
    for bucket, maps in zip(scores.buckets, combined, strict=True):
        _put(boxes, bucket.rows, best_boxes(maps, *how))
        for place in np.flatnonzero(np.isin(bucket.rows, list(moved))):
            one, corner = slice(place, place + 1), moved[int(bucket.rows[place])]
            _put(boxes, bucket.rows[one], boxes_with(maps[one], *how, corner.x, corner.y))
    return boxes


def _put(boxes: BestBoxes, rows: NDArray[np.int64], found: BestBoxes) -> None:
    boxes.x[rows], boxes.y[rows] = found.x, found.y
    boxes.score[rows], boxes.margin[rows] = found.score, found.margin


def _moved(scores: ClassScores, settings: SelectSettings, patch_px: int) -> Mapping[int, Corner]:
    """The corners given by hand to images of this class, by row."""
    corners = settings.overrides.corners
    moved = {row: corners[id_] for row, id_ in enumerate(scores.ids) if id_ in corners}
    for row, corner in moved.items():
        frame = scores.frames[row]
        check_corner(scores.ids[row], corner, patch_px, frame.proxy_width, frame.proxy_height)
    return moved


def without_banned(located: Located, ids: Sequence[str], bans: Sequence[str]) -> Located:
    """The patches of a class but those of banned images."""
    never = set(bans)
    banned = {row for row, image_id in enumerate(ids) if image_id in never}
    if not banned:
        return located
    kept = ~np.isin(located.image, list(banned))
    arrays = ("image", "x", "y", "score", "ranking_score", "margin", "features")
    return replace(located, **{name: getattr(located, name)[kept] for name in arrays})


def _pinned(located: Located, ids: Sequence[str], pins: Sequence[str]) -> tuple[int, ...]:
    """The positions of the best patches of the pinned images of this class, in pinned order."""
    best: dict[str, int] = {}
    for position, row in enumerate(located.image):
        best.setdefault(ids[row], position)  # an image's patches stand best first
    return tuple(best[image_id] for image_id in pins if image_id in best)


def _patches(
    scores: ClassScores, located: Located, clusters: Clusters, ranked: Sequence[int]
) -> tuple[Patch, ...]:
    """Records of the patches at these positions, best first."""
    order = np.array(ranked, np.int64)
    arrays = (located.image, located.x, located.y, located.score, located.margin)
    columns = [array[order].tolist() for array in (*arrays, clusters.labels, clusters.distance)]
    side = float(located.patch_px)  # as a kept selection is read: the manifest shows it
    patches = []
    for rank, (row, x, y, score, margin, cluster, distance) in enumerate(
        zip(*columns, strict=True)
    ):
        box = Box(x, y, side, side)
        source_box = scores.frames[row].to_source(box)
        explanation = (score, margin, cluster, distance, rank)
        patches.append(Patch(scores.ids[row], scores.index, box, source_box, *explanation))
    return tuple(patches)
