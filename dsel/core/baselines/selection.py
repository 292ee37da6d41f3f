"""A baseline's choice as the selection of a class: the same records as dsel's own ranking gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dsel.config import SelectSettings
from dsel.core.baselines.base import Boxes, Choice, Confidence, Doubles, Ints, Pool
from dsel.core.clustering import Clusters
from dsel.core.cut_boxes import cuts_around
from dsel.core.gap_maps import Maps
from dsel.core.integral_image import sums_inside
from dsel.core.ranking import compose_images
from dsel.core.selection import Scored, ranked_patches, repeated
from dsel.core.standard_errors import BoxesOf, standard_errors
from dsel.patches import Patches
from dsel.types import ClassScores, ClassSelection, Geometry


def pool_of(
    scores: ClassScores,
    scored: Scored,
    settings: SelectSettings,
    confidence: Confidence | None = None,
    object_share: Doubles | None = None,
) -> Pool:
    """Return what baselines see of a class: the images that have a scored patch, and their patches.

    confidence and object_share are of all images of the class.
    """
    rows, image = np.unique(scored.located.image, return_inverse=True)
    width, height = scores.frames.proxy[rows].T.astype(np.float64)
    return Pool(
        name=scores.name,
        image=image,
        ranking_score=scored.ranking,
        features=scores.features[rows].mean(axis=(1, 2), dtype=np.float32),
        width_px=width,
        height_px=height,
        patch_px=scored.located.patch_px,
        k=settings.k,
        seed=settings.baseline_seed,
        confidence=None if confidence is None else _of_rows(confidence, rows),
        object_share=None if object_share is None else object_share[rows],
    )


def baseline_selection(
    scores: ClassScores,
    scored: Scored,
    clusters: Clusters,
    choice: Choice,
    maps: Maps,
    geometry: Geometry,
    settings: SelectSettings,
) -> ClassSelection:
    """Return the patches that a baseline chose, in its order, composed to distilled images.

    A mosaic takes the next patches of the order, whatever their clusters. Patches that give the
    same cut as an earlier one of their image rank last, and are in no image. Cluster and distance
    are those of the patch that dsel located in the image; scores are those of the baseline's own
    box.
    maps: those that scores use, see `combined_maps`.
    """
    patches = _placed(scores, scored, clusters, choice, maps, geometry, settings)
    again = repeated(scored.located.image[choice.positions], patches.cut_box)
    order = np.argsort(again, kind="stable")
    kept = len(patches) - int(again.sum())
    one_cluster, falling = np.zeros(kept, np.int64), -np.arange(kept, dtype=float)
    keys = falling, one_cluster, falling
    return ClassSelection(
        scores.name,
        scores.index,
        replace(patches.take(order), rank=np.arange(len(order))),
        compose_images(*keys, "score", "pooled", settings.factor**2),
    )


def _placed(
    scores: ClassScores,
    scored: Scored,
    clusters: Clusters,
    choice: Choice,
    maps: Maps,
    geometry: Geometry,
    settings: SelectSettings,
) -> Patches:
    """Return the patches in a baseline's order, in its own boxes if it has any."""
    cut = settings if choice.cut is None else settings.replace(cut=choice.cut)
    patches = ranked_patches(scores, scored, clusters, choice.positions, cut)
    if choice.boxes is None:
        return patches
    rows = scored.located.image[choice.positions]
    x, y, side = choice.boxes.T
    of = scores, geometry, settings.timesteps, settings.score
    box, frames = np.column_stack([x, y, side, side]), scores.frames.take(rows)
    return replace(
        patches,
        box=box,
        source_box=frames.to_source(box),
        cut_box=frames.to_source(cuts_around(box, frames, cut)),
        score=_box_scores(maps, rows, choice.boxes / geometry.cell_px),
        standard_error=standard_errors(*of, BoxesOf(rows, x, y, side, side)),
        margin=np.full(len(patches), np.nan),
    )


def _of_rows(confidence: Confidence, rows: Ints) -> Confidence:
    return lambda images, boxes: confidence(rows[images], boxes)


def _box_scores(maps: Maps, rows: Ints, cells: Boxes) -> Doubles:
    """Return the means of the images' maps inside boxes in cells, (M, 3) -> (M,)."""
    x, y, side = cells.T
    means: Doubles = sums_inside(maps.tables, rows, x, y, side, side) / (side * side)
    return means
