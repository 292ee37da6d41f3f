"""The label AUC of settings: how often an image outscores one that is wrongly labelled like it.

The scores are those that rank, of the patches that these settings locate. See `dsel.core.label_auc`
for the pairs, and `dsel.runs.name_maps` for the images, which scoring has chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.core.gap_maps import combined_maps
from dsel.core.label_auc import LabelAuc, score_aucs
from dsel.core.selection import locate_class, score_class
from dsel.runs import Run
from dsel.runs.name_maps import AlikeMaps, NameMaps, read_name_maps
from dsel.types import Bucket, ClassScores, Frames, Geometry

Doubles: TypeAlias = NDArray[np.float64]

READS: Final = ("timesteps", "locate", "smooth", "patch_px", "stride_px", "score", "rank_by")
"""The select settings on which the figures depend."""

UNKNOWN: Final = (
    "the label AUC is unknown, because this run has no maps under wrong names; the same dsel score "
    "with --knowledge full measures them"
)


def has_name_maps(run: Run) -> bool:
    """Whether the label AUC can be computed."""
    knowledge = run.knowledge
    return bool(knowledge and knowledge.plan and knowledge.plan.maps)


def class_label_aucs(run: Run, settings: SelectSettings) -> Mapping[int, LabelAuc]:
    """Return the label AUC of each class that was measured, by its index; empty without maps.

    Raises `DamageError` for damaged maps.
    """
    knowledge = run.knowledge
    found: dict[int, LabelAuc] = {}
    if knowledge and knowledge.plan:
        for maps in read_name_maps(run, knowledge.plan):
            found |= _of_group(_Group(run, maps), what_is_read(settings))
    return found


def what_is_read(settings: SelectSettings) -> SelectSettings:
    """Return the settings on which the figures depend; all others are at their defaults."""
    return SelectSettings().replace(**{name: getattr(settings, name) for name in READS})


def ranking_scores(scores: ClassScores, geometry: Geometry, settings: SelectSettings) -> Doubles:
    """Return the score that ranks of the best patch of each image, (N,); NaN without a patch."""
    how = scores, geometry, settings.timesteps
    to_locate = combined_maps(*how, settings.locate, settings.smooth, locating=True)
    located = locate_class(scores, geometry, settings, to_locate)
    scored = score_class(scores, located, geometry, settings, combined_maps(*how, settings.score))
    images, first = np.unique(located.image, return_index=True)
    found = np.full(len(scores.ids), np.nan)
    found[images] = scored.ranking[first]
    return found


class _Group:
    """The images of a group of classes, whose maps are known under all of its names."""

    def __init__(self, run: Run, maps: NameMaps) -> None:
        self.run, self.maps = run, maps
        self.ids = tuple(image_id for bucket in maps.buckets for image_id in bucket.ids)
        of_class = {index: run.class_images(index) for index in maps.classes}
        places = {
            image_id: (index, row)
            for index, images in of_class.items()
            for row, image_id in enumerate(images.ids)
        }
        self.labels = np.array([places[image_id][0] for image_id in self.ids], np.int64)
        pairs = (places[image_id] for image_id in self.ids)
        self._frames = Frames.of([of_class[index].frames[row] for index, row in pairs])

    def named(self, column: int) -> ClassScores:
        """Return the scores of all images as if they were labelled with one of the names."""
        index, start, buckets = self.maps.classes[column], 0, []
        for alike in self.maps.buckets:
            buckets.append(_bucket(alike, column, start))
            start += len(alike.ids)
        return ClassScores(
            name=self.run.identity.classes[index],
            index=index,
            ids=self.ids,
            frames=self._frames,
            buckets=tuple(buckets),
            features=np.zeros((len(self.ids), 1, 1, 1), np.float16),
            draws=np.ones(len(self.ids), np.int64),
        )


def _of_group(group: _Group, settings: SelectSettings) -> Mapping[int, LabelAuc]:
    classes, geometry, scores = group.maps.classes, group.run.geometry, []
    for column in range(len(classes)):
        named = ranking_scores(group.named(column), geometry, settings)
        known = np.isfinite(named)
        scores.append([named[known & (group.labels == index)] for index in classes])
    return dict(zip(classes, score_aucs(scores), strict=True))


def _bucket(alike: AlikeMaps, column: int, start: int) -> Bucket:
    """Return the maps under one name; the first image is the `start`-th of all."""
    gap, difference = alike.gap[:, column], alike.difference[:, column]
    unknown = np.broadcast_to(np.float16(np.nan), gap.shape)
    return Bucket(
        rows=start + np.arange(len(gap)),
        conditional=unknown,
        gap=gap,
        difference=difference,
        noise=unknown,
        difference_noise=unknown,
    )
