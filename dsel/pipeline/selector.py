"""From scores to ranked patches step by step, each kept for the next time it is asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.cache import SHARED, Cache, bytes_of
from dsel.config import SelectSettings
from dsel.core.clustering import Clusters, cluster_patches
from dsel.core.selection import (
    Located,
    Maps,
    check_overrides,
    combined_maps,
    locate_class,
    rank_class,
    without_banned,
)
from dsel.errors import SettingError, unknown
from dsel.pipeline.feature_cache import describer
from dsel.runs import Run
from dsel.types import ClassScores, ClassSelection

T = TypeVar("T")
DEFAULTS = SelectSettings()

MOST_CLUSTERS = 10_000
"""Clusters that may be asked for; IPC, which they follow by themselves, may be larger."""

PATCH_BYTES = 800
"""What a patch and its place in a list take in memory."""


class Selector:
    """The steps over one finished run: a move of a setting repeats only those that it changes.

    Any number of threads may ask. The cache is that of the process unless another one is given.
    """

    def __init__(self, run: Run, cache: Cache = SHARED) -> None:
        self.run = run
        self.geometry = run.geometry
        self.classes = run.identity.classes
        self._cache = cache
        self._owner = object()
        # What is kept for this object is of no use to others, so that closing a run frees it.
        weakref.finalize(self, cache.forget, self._owner).atexit = False

    def class_index(self, name: str) -> int:
        """The place of a class; raises `SettingError` for an unknown name."""
        if name not in self.classes:
            raise unknown("class", name, self.classes)
        return self.classes.index(name)

    def row_of(self, class_index: int, image_id: str) -> int:
        """Which row of its class an image is; raises `SettingError` if it was not scored."""
        ids = self.scores(class_index).ids
        if image_id not in ids:
            name = self.classes[class_index]
            raise SettingError(f"class {name!r} has no scored image {image_id!r}")
        return ids.index(image_id)

    def scores(self, class_index: int) -> ClassScores:
        """All scores of a class."""
        return self._cached(("scores", class_index), lambda: self.run.class_scores(class_index))

    def select(self, class_index: int, settings: SelectSettings) -> ClassSelection:
        """A class's ranked patches. Each step is kept apart, so that a move repeats no earlier one.

        IPC changes nothing but the number of clusters, where those follow it. Raises `SettingError`
        for overrides that do not fit the run.
        """
        if settings.overrides:
            check_overrides(settings, self.geometry, {one.id: one.frame for one in self.run.images})
        wanted = settings.replace(clusters=min(settings.k, MOST_CLUSTERS), ipc=1)
        return self._cached(
            ("selection", class_index, wanted),
            lambda: rank_class(
                self.scores(class_index),
                self._located(class_index, wanted),
                self._clusters(class_index, wanted),
                wanted,
            ),
            lambda selected: PATCH_BYTES * len(selected.patches),
        )

    def _maps(self, class_index: int, settings: SelectSettings) -> Maps:
        """What locating reads, kept for the settings that it follows from."""
        wanted = DEFAULTS.replace(timesteps=settings.timesteps, gap=settings.gap)
        return self._cached(
            ("maps", class_index, wanted),
            lambda: combined_maps(self.scores(class_index), self.geometry, wanted),
        )

    def _located(self, class_index: int, settings: SelectSettings) -> Located:
        """A class's patches and what clusters them, but those of banned images."""
        # What only clustering and ranking read is set aside.
        wanted = settings.replace(
            clusters=1, ipc=1, within=DEFAULTS.within, across=DEFAULTS.across, factor=1,
            pins=(), bans=(), discriminative_share=DEFAULTS.discriminative_share,
        )  # fmt: skip
        scores = self.scores(class_index)

        def make() -> Located:
            maps = self._maps(class_index, wanted)
            located = locate_class(scores, self.geometry, wanted, maps)
            describe = describer(self.run, wanted)
            if describe is None or not len(located.image):
                return located
            return replace(located, features=describe(scores, located))

        located: Located = self._cached(("located", class_index, wanted), make)
        return without_banned(located, scores.ids, settings.bans)

    def _clusters(self, class_index: int, settings: SelectSettings) -> Clusters:
        wanted = settings.replace(
            clusters=min(settings.k, MOST_CLUSTERS), ipc=1, within=DEFAULTS.within,
            across=DEFAULTS.across, factor=1, pins=(),
        )  # fmt: skip

        def make() -> Clusters:
            located = self._located(class_index, wanted)
            return cluster_patches(
                located.features, located.ranking_score, wanted.k, wanted.discriminative_share
            )

        return self._cached(("clusters", class_index, wanted), make)

    def _features(
        self, class_index: int, settings: SelectSettings, selected: ClassSelection
    ) -> NDArray[np.float32]:
        """The features (P, d) of ranked patches, in their order."""
        located, ids = self._located(class_index, settings), self.scores(class_index).ids
        corners = zip(located.image.tolist(), located.x.tolist(), located.y.tolist(), strict=True)
        place = {(ids[row], x, y): n for n, (row, x, y) in enumerate(corners)}
        order = [place[one.image_id, one.box.x, one.box.y] for one in selected.patches]
        return located.features[order]

    def _cached(
        self, name: Hashable, make: Callable[[], T], weigh: Callable[[T], int] = bytes_of
    ) -> T:
        return self._cache.get(self._owner, name, make, weigh)
