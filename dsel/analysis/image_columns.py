"""What is known of all images of a run under one selection, as columns that filters read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explorer import Explorer
from dsel.analysis.quality import NEAR_COSINE, Quality
from dsel.config import SelectSettings
from dsel.core.class_likeness import Likeness, class_likeness, twins
from dsel.core.clustering import unit_features
from dsel.runs.images import Images

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
Flags: TypeAlias = NDArray[np.bool_]

FULL_S: Final = 1.0
"""Seconds that one request may take to select further classes."""


@dataclass(eq=False)
class ImageColumns:
    """Columns of the N images of a run, in dataset order, filled class by class.

    Of each image's patch of the best rank: cluster and rank (N,), -1 without a patch; score (the
    one that ranks), error, margin (N,) and box (N, 4), NaN without. kept: whether a patch of the
    image is in the distilled set. hit: 1, 0, or -1 where unknown. twin: the row of the most similar
    image of the class if it is a near-duplicate, else -1. features: (N, d), where has_features.
    ready: (C,), the classes that are filled; figures: of their kept sets.
    """

    images: Images
    ready: Flags
    cluster: NDArray[np.int32]
    rank: NDArray[np.int32]
    score: Floats
    error: Floats
    margin: Floats
    box: Floats
    kept: Flags
    hit: NDArray[np.int8]
    twin: NDArray[np.int32]
    banned: Flags
    pinned: Flags
    moved: Flags
    copy: Flags
    has_features: Flags
    features: NDArray[np.float16]
    figures: list[Quality | None]
    lock: Lock = field(default_factory=Lock, repr=False)
    _likeness: Likeness | None = None

    @property
    def complete(self) -> bool:
        """Whether all classes are filled."""
        return bool(self.ready.all())

    @property
    def likeness(self) -> Likeness:
        """Which other class each image's patch looks like, once all classes are filled."""
        if self._likeness is None:
            self._likeness = self._compared()
        return self._likeness

    def rows_of(self, class_index: int) -> Ints:
        """Return the rows of the scored images of a class."""
        chosen = self.images.is_scored & (self.images.class_index == class_index)
        return np.flatnonzero(chosen)

    def _compared(self) -> Likeness:
        count = len(self.images)
        found = Likeness(np.full(count, -1), np.full(count, np.nan, np.float32))
        rows = np.flatnonzero(self.has_features)
        labels = self.images.class_index[rows]
        mine = class_likeness(self.features[rows], labels, len(self.ready))
        found.other[rows], found.lead[rows] = mine.other, mine.lead
        return found


def image_columns(
    explorer: Explorer, settings: SelectSettings, first: Ints, budget_s: float = FULL_S
) -> ImageColumns:
    """Return the columns of a selection; classes are filled until the seconds are used up.

    first: the classes that are needed most. At least one class is filled, so that the same call
    again finishes the rest.
    """
    columns = explorer.kept_in_memory(("columns", settings), lambda: _empty(explorer, settings))
    end = time.monotonic() + budget_s
    others = np.setdiff1d(np.arange(len(columns.ready)), first)
    with columns.lock:
        for index in np.concatenate([first, others]).tolist():
            if columns.ready[index]:
                continue
            _fill(columns, explorer, settings, index)
            columns.ready[index] = True
            if time.monotonic() > end:
                break
    return columns


def _empty(explorer: Explorer, settings: SelectSettings) -> ImageColumns:
    images, classes = explorer.run.images, len(explorer.classes)
    count = len(images)
    score, error, margin = (np.full(count, np.nan, np.float32) for _ in range(3))
    return ImageColumns(
        images=images,
        ready=np.zeros(classes, bool),
        cluster=np.full(count, -1, np.int32),
        rank=np.full(count, -1, np.int32),
        score=score,
        error=error,
        margin=margin,
        box=np.full((count, 4), np.nan, np.float32),
        kept=np.zeros(count, bool),
        hit=np.full(count, -1, np.int8),
        twin=np.full(count, -1, np.int32),
        banned=_named(images, settings.bans),
        pinned=_named(images, settings.pins),
        moved=_named(images, settings.overrides.corners),
        copy=_named(images, explorer.run.copies),
        has_features=np.zeros(count, bool),
        features=np.zeros((count, explorer.located(0, settings).features.shape[1]), np.float16),
        figures=[None] * classes,
    )


def _named(images: Images, image_ids: Iterable[str]) -> Flags:
    """Return which images have one of these ids."""
    flags = np.zeros(len(images), bool)
    flags[[images.row_of[one] for one in image_ids if one in images.row_of]] = True
    return flags


def _fill(
    columns: ImageColumns, explorer: Explorer, settings: SelectSettings, class_index: int
) -> None:
    rows = columns.rows_of(class_index)
    if not len(rows):
        return
    best = explorer.best_patches(class_index, settings)
    for name in ("cluster", "rank", "score", "margin", "box", "kept"):
        getattr(columns, name)[rows] = getattr(best, name)
    columns.error[rows] = best.standard_error
    columns.hit[rows] = explorer.hits(class_index, settings)
    located = explorer.located(class_index, settings)
    mine, first = np.unique(located.image, return_index=True)  # the best patch comes first
    features = located.features[first]
    columns.features[rows[mine]], columns.has_features[rows[mine]] = features, True
    near = twins(unit_features(features), NEAR_COSINE)
    found = np.flatnonzero(near >= 0)
    columns.twin[rows[mine[found]]] = rows[mine[near[found]]]
    columns.figures[class_index] = explorer.quality(class_index, settings)
