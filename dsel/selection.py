"""From one class's scores to its ranked patches: the one path that the engine and the app share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.groups import Groups, group_patches
from dsel.patches import (
    BestBoxes,
    best_boxes,
    check_patch,
    combine_timesteps,
    patch_features,
)
from dsel.ranking import compose_images, rank_patches
from dsel.records import Box, Bucket, ClassScores, ClassSelection, Geometry, Patch


@dataclass(frozen=True, slots=True)
class Located:
    """P patches of one class: `image` is each one's row in the class; features (P, d)."""

    image: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    margin: NDArray[np.float64]
    features: NDArray[np.float32]
    patch_px: int


Describe: TypeAlias = Callable[[ClassScores, Located], NDArray[np.float32]]
"""Features (P, d) of the patches of a class."""


def select_class(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    describe: Describe | None = None,
) -> ClassSelection:
    """Locate, group and rank the patches of one class; by default, by the features of scoring."""
    located = locate_class(scores, geometry, settings)
    if not len(located.image):
        return ClassSelection(scores.name, scores.index, (), ())
    features = describe(scores, located) if describe else located.features
    groups = group_patches(features, located.score, settings.k)
    keys = (located.score, groups.labels, groups.distance, settings.within, settings.across)
    ranked = rank_patches(*keys)
    rank_of = {position: rank for rank, position in enumerate(ranked)}
    images = compose_images(*keys, settings.factor**2)
    return ClassSelection(
        name=scores.name,
        index=scores.index,
        patches=tuple(
            _patch(scores, located, groups, position, rank)
            for position, rank in sorted(rank_of.items(), key=lambda item: item[1])
        ),
        images=tuple(tuple(rank_of[position] for position in image) for image in images),
    )


def locate_class(scores: ClassScores, geometry: Geometry, settings: SelectSettings) -> Located:
    """The best boxes of every image of a class, and the feature of each."""
    patch_px = patch_size(settings, geometry)
    boxes = _boxes(scores, geometry, settings, patch_px)
    image, nth = np.nonzero(np.isfinite(boxes.score))
    x, y = boxes.x[image, nth], boxes.y[image, nth]
    sides = np.array([(frame.proxy_width, frame.proxy_height) for frame in scores.frames], float)
    width, height = sides.reshape(-1, 2)[image].T
    return Located(
        image=image,
        x=x,
        y=y,
        score=boxes.score[image, nth],
        # Only the first box of an image leads over a runner-up.
        margin=np.where(nth == 0, boxes.margin[image], np.nan),
        features=patch_features(scores.features[image], x, y, patch_px, width, height),
        patch_px=patch_px,
    )


def combined_gap(
    bucket: Bucket, geometry: Geometry, settings: SelectSettings
) -> NDArray[np.float32]:
    """The maps that locating uses, (n, h, w): the mean gap as a share of the loss."""
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    positive = settings.gap == "positive"
    return combine_timesteps(bucket.gap[:, columns], geometry.losses[columns], positive)


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
    scores: ClassScores, geometry: Geometry, settings: SelectSettings, patch_px: int
) -> BestBoxes:
    """The boxes of all images, in dataset order: found bucket by bucket."""
    images, count = len(scores.ids), settings.per_image
    boxes = BestBoxes(
        x=np.zeros((images, count)),
        y=np.zeros((images, count)),
        score=np.full((images, count), -np.inf),
        margin=np.full(images, np.nan),
    )
    for bucket in scores.buckets:
        maps = combined_gap(bucket, geometry, settings)
        stride_px = settings.stride_px or geometry.cell_px
        found = best_boxes(maps, geometry.cell_px, patch_px, stride_px, count)
        boxes.x[bucket.rows], boxes.y[bucket.rows] = found.x, found.y
        boxes.score[bucket.rows], boxes.margin[bucket.rows] = found.score, found.margin
    return boxes


def _patch(
    scores: ClassScores, located: Located, groups: Groups, position: int, rank: int
) -> Patch:
    row = int(located.image[position])
    side = float(located.patch_px)  # as a kept selection is read: the manifest shows it
    box = Box(float(located.x[position]), float(located.y[position]), side, side)
    return Patch(
        image_id=scores.ids[row],
        class_index=scores.index,
        box=box,
        source_box=scores.frames[row].to_source(box),
        score=float(located.score[position]),
        margin=float(located.margin[position]),
        group=int(groups.labels[position]),
        distance=float(groups.distance[position]),
        rank=rank,
    )
