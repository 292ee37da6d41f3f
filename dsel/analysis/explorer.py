"""An open run: live answers to changes of settings, from stored maps and without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsel.analysis.baselines import Baseline, baseline, random_corners
from dsel.analysis.comparison import Comparison, OverallComparison, compare, compare_overall
from dsel.analysis.explained import CellReading, Explanation
from dsel.analysis.explanation import explain, read_cell
from dsel.analysis.layouts import FITTER, OWN, LayoutStatus, image_positions, layout_name
from dsel.analysis.listing import (
    ChangeRow,
    Changing,
    ClusterCard,
    Listing,
    Page,
    Side,
    SkippedRow,
    change_rows,
    cluster_cards,
    list_changes,
    list_patches,
    list_skipped,
)
from dsel.analysis.localization import (
    ClassObjects,
    Localization,
    baseline_rates,
    class_objects,
    image_hits,
    localization,
    localization_overall,
)
from dsel.analysis.override_status import OverrideStatus, override_statuses
from dsel.analysis.patch_view import PatchView, baseline_views, image_views, patch_views
from dsel.analysis.quality import OverallQuality, Quality, class_quality, overall_quality
from dsel.analysis.ranges import Ranges, class_ranges
from dsel.analysis.repeated_tiles import clusters_without_repeats
from dsel.analysis.replacements import (
    Replacements,
    SwapEffect,
    find_replacements,
    swap_effect,
    swapped,
)
from dsel.cache import SHARED, Cache
from dsel.config import SelectSettings
from dsel.core.best_patches import BestPatches, best_patches
from dsel.core.box_search import patch_size
from dsel.core.cut_boxes import cut_in_proxy
from dsel.core.gap_maps import combined_map, image_bucket, timestep_columns
from dsel.core.lasso import inside
from dsel.core.overrides import misplaced
from dsel.data.images import crop, decode
from dsel.pipeline.selector import DEFAULTS, Selector, selection_bytes
from dsel.runs import Run
from dsel.runs.ground_truth import GroundTruth
from dsel.types import ClassSelection, Patch, Pixels

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Maps:
    """The maps of one image, means over the chosen timesteps, (h, w) float32 each.

    combined is the map that locating uses: the difference or the gap of each timestep is divided by
    its loss, the negative part of a positive gap is set to 0, and the mean is smoothed.
    """

    conditional: NDArray[np.float32]
    unconditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    difference: NDArray[np.float32]
    combined: NDArray[np.float32]


class Explorer(Selector):
    """Answers questions about a finished run and caches what it computes."""

    def __init__(self, run: Run, cache: Cache = SHARED) -> None:
        super().__init__(run, cache)

    # Images

    def proxy(self, class_index: int, row: int) -> Pixels:
        """Return the proxy of a class's `row`-th scored image."""
        image = self.run.class_rows(class_index)[row]
        return self._cached(
            ("proxy", image.id), lambda: decode(self.run.image_bytes([image], "proxy")[0])
        )

    def files(
        self, class_index: int, image_ids: Sequence[str], kind: Literal["proxy", "thumbnail"]
    ) -> list[bytes]:
        """Return proxies or thumbnails of a class's images as they are stored: WebP bytes."""
        rows = self.run.class_rows(class_index)
        wanted = [rows[self.row_of(class_index, image_id)] for image_id in image_ids]
        return self.run.image_bytes(wanted, kind)

    def cut(self, patch: Patch, width_px: int, height_px: int) -> Pixels:
        """Cut what is exported around a patch from the proxy of its image."""
        row = self.row_of(patch.class_index, patch.image_id)
        return crop(self.proxy(patch.class_index, row), cut_in_proxy(patch), width_px, height_px)

    # One image

    def maps(self, class_index: int, row: int, settings: SelectSettings = DEFAULTS) -> Maps:
        """Return the heat maps of one image over the timesteps that the settings use."""
        bucket = image_bucket(self.scores(class_index), row)
        columns = timestep_columns(settings.timesteps, self.geometry.timesteps)
        conditional = _mean(bucket.conditional[0, columns])
        gap = _mean(bucket.gap[0, columns])
        difference = _mean(bucket.difference[0, columns])
        how = settings.timesteps, settings.locate, settings.smooth
        combined = combined_map(bucket, self.geometry, *how, locating=True)[0]
        return Maps(conditional, conditional + gap, gap, difference, combined)

    def explanation(
        self, class_index: int, image_id: str, settings: SelectSettings, nth: int = 0
    ) -> Explanation:
        """Explain why an image's patch was chosen, the `nth` of its patches by rank."""
        scores, row = self.scores(class_index), self.row_of(class_index, image_id)
        return explain(
            scores, self.geometry, settings, self.select(class_index, settings), row, nth,
            self.run.copies,
        )  # fmt: skip

    def values(
        self, class_index: int, image_id: str, settings: SelectSettings, x_px: float, y_px: float
    ) -> CellReading:
        """Read losses and gaps of an image at a pixel of its proxy."""
        bucket = image_bucket(self.scores(class_index), self.row_of(class_index, image_id))
        return read_cell(bucket, self.geometry, settings, x_px, y_px)

    def misplaced(self, settings: SelectSettings) -> tuple[str, ...]:
        """Return the ids of images whose manually moved boxes reach beyond the image."""
        return misplaced(settings, self.geometry, self.run.frames)

    # One class

    def ranges(self, class_index: int, settings: SelectSettings) -> Ranges:
        """Return the ranges of a class's maps over the timesteps that the settings use."""
        columns = timestep_columns(settings.timesteps, self.geometry.timesteps)
        scores = self.scores(class_index)
        maps = self._locating_maps(class_index, settings, scores)
        name = "ranges", class_index, settings.timesteps, settings.locate, settings.smooth
        return self._cached(name, lambda: class_ranges(scores, columns, maps), small=True)

    def layout(self, class_index: int, name: str = OWN) -> NDArray[np.float32]:
        """Return the positions (N, 2) of the class's images in the layout of that name."""
        return self._cached(
            ("layout", class_index, name),
            lambda: image_positions(self.run, class_index, name, self.located, self.layout),
        )

    def layout_status(self, class_index: int, settings: SelectSettings) -> LayoutStatus:
        """Return the status of the layout of these patches; a missing one is started."""
        name = layout_name(self.run, class_index, settings)
        ready = name == OWN or self._cache.holds(self._owner, ("layout", class_index, name))
        key = self._owner, class_index, name
        return FITTER.request(name, key, ready, lambda: self.layout(class_index, name))

    def lasso(self, class_index: int, polygon: ArrayLike, layout: str = OWN) -> tuple[str, ...]:
        """Return the images whose positions in a layout are inside a polygon of corners (V, 2)."""
        chosen = inside(self.layout(class_index, layout), polygon)
        ids = self.images(class_index).ids
        return tuple(ids[row] for row in np.flatnonzero(chosen))

    def best_patches(self, class_index: int, settings: SelectSettings) -> BestPatches:
        """Return the best patch of each of the class's images as arrays for a plot."""
        ids = self.images(class_index).ids
        return best_patches(self.select(class_index, settings), ids, settings)

    def gallery(self, class_index: int, settings: SelectSettings, view: Listing) -> Page[PatchView]:
        """Return a page of a class's patches."""
        selected = self.select(class_index, settings)
        return list_patches(selected, self.images(class_index), settings, view)

    def skipped(self, class_index: int, page: int = 0) -> Page[SkippedRow]:
        """Return a page of a class's images that were not scored."""
        return list_skipped(self.run.images.skipped(class_index), class_index, page)

    def cluster_cards(self, class_index: int, settings: SelectSettings) -> tuple[ClusterCard, ...]:
        """Return a card of each cluster of a class."""
        selected = self.select(class_index, settings)
        return cluster_cards(selected, self.images(class_index), settings)

    def distilled(
        self, class_index: int, settings: SelectSettings
    ) -> tuple[tuple[PatchView, ...], ...]:
        """Return the patches of each of the class's distilled images, row by row."""
        selected = self.select(class_index, settings)
        return image_views(selected, self.images(class_index), settings)

    def replacements(
        self, class_index: int, settings: SelectSettings, image_id: str
    ) -> Replacements:
        """Find patches that could replace the best patch of an image."""
        selected = self.select(class_index, settings)
        return find_replacements(selected, self.images(class_index), settings, image_id)

    def swap_effects(
        self, class_index: int, settings: SelectSettings, removed: str, added: Sequence[str]
    ) -> list[SwapEffect]:
        """Return what replacing an image by each of some others changes besides."""
        before = self.select(class_index, settings)
        return [
            swap_effect(
                before,
                self.select(class_index, swapped(settings, removed, one)),
                settings.ipc,
                removed,
                one,
            )
            for one in added
        ]

    def clusters_without_repeats(self, settings: SelectSettings) -> int:
        """Return a smaller number of clusters whose mosaics repeat no tile; 0 if there is none."""
        classes = range(len(self.classes))
        return self._overall(
            ("clusters without repeats", settings),
            lambda: clusters_without_repeats(
                settings, lambda other: (self.select(index, other) for index in classes)
            ),
        )

    def quality(self, class_index: int, settings: SelectSettings) -> Quality:
        """Measure how well a class's kept set represents the class."""

        def make() -> Quality:
            selected = self.select(class_index, settings)
            features = self._features(class_index, settings, selected)
            return class_quality(selected, features, settings.ipc)

        return self._cached(("quality", class_index, settings), make, small=True)

    def near_duplicates(
        self, class_index: int, settings: SelectSettings, most: int
    ) -> tuple[tuple[PatchView, PatchView], ...]:
        """Return the first pairs of kept patches that are near-duplicates."""
        pairs = self.quality(class_index, settings).near_duplicates[:most]
        ranks = sorted({rank for pair in pairs for rank in pair})
        selected, images = self.select(class_index, settings), self.images(class_index)
        views = dict(zip(ranks, patch_views(selected, images, settings, ranks), strict=True))
        return tuple((views[a], views[b]) for a, b in pairs)

    def compare(self, class_index: int, a: SelectSettings, b: SelectSettings) -> Comparison:
        """Compare two settings on one class."""
        return self._cached(
            ("comparison", class_index, a, b),
            lambda: compare(self.select(class_index, a), self.select(class_index, b), a.ipc, b.ipc),
            lambda comparison: comparison.changes.nbytes + comparison.moves.nbytes,
        )

    def changes(
        self, class_index: int, a: SelectSettings, b: SelectSettings, view: Changing
    ) -> Page[ChangeRow]:
        """Return a page of the images of a class, by how much two settings differ on them."""
        comparison = self.compare(class_index, a, b)
        sides = self._side(class_index, a), self._side(class_index, b)
        return list_changes(comparison, *sides, self.images(class_index), view)

    def change(
        self, class_index: int, a: SelectSettings, b: SelectSettings, image_id: str
    ) -> ChangeRow | None:
        """Return how two settings differ on one image; None if it has no patch in either."""
        changes = self.compare(class_index, a, b).changes
        found = [changes[changes.ids.index(image_id)]] if image_id in changes.ids else []
        sides = self._side(class_index, a), self._side(class_index, b)
        return next(iter(change_rows(found, *sides, self.images(class_index))), None)

    def baseline(
        self, class_index: int, settings: SelectSettings, kind: Baseline, seed: int = 0
    ) -> ClassSelection:
        """Replace the class's patches by random ones, the centres or the whole images."""
        return self._cached(
            ("baseline", class_index, settings, kind, seed),
            lambda: baseline(
                kind,
                self.scores(class_index),
                self.select(class_index, settings),
                self._maps(class_index, settings.timesteps, settings.score),
                self.geometry,
                settings,
                self._random_corners(class_index, seed),
            ),
            selection_bytes,
            small=True,
        )

    def baseline_images(
        self, class_index: int, settings: SelectSettings, kind: Baseline, seed: int = 0
    ) -> tuple[tuple[PatchView, ...], ...]:
        """Return the patches of each of a baseline's distilled images, like `distilled`."""
        chosen = self.distilled(class_index, settings)
        return baseline_views(chosen, self.baseline(class_index, settings, kind, seed))

    def localization(self, class_index: int, settings: SelectSettings) -> tuple[Localization, ...]:
        """Hit rate and coverage of the chosen patches and of each baseline; empty without boxes.

        Raises `SourceError` if the run's boxes cannot be read.
        """
        truth = self.ground_truth()
        if truth is None:
            return ()
        patch_px = patch_size(settings, self.geometry)

        def make() -> tuple[Localization, ...]:
            objects = self._objects(class_index, truth)
            baselines = self._cached(
                ("baseline rates", class_index, patch_px),
                lambda: baseline_rates(objects, patch_px),
                small=True,
            )
            return localization(objects, self.select(class_index, settings), baselines)

        return self._cached(("localization", class_index, settings), make, small=True)

    def hits(self, class_index: int, settings: SelectSettings) -> NDArray[np.int8]:
        """Return whether each image's best patch hits its object, see `image_hits`."""
        ids, truth = self.images(class_index).ids, self.ground_truth()
        if truth is None:
            return np.full(len(ids), -1, np.int8)
        objects = self._objects(class_index, truth)
        return image_hits(objects, self.select(class_index, settings), ids)

    # All classes

    def kept_in_memory(self, name: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return what was made under a name before, or make it: for answers about the run."""
        return self._cached(name, make)

    def override_statuses(self, settings: SelectSettings) -> tuple[OverrideStatus, ...]:
        """List all manual overrides with their problems."""
        return tuple(override_statuses(settings, self.geometry, self.run.images, self.run.copies))

    def quality_overall(self, settings: SelectSettings) -> OverallQuality:
        """Measure the kept sets of all classes together."""
        classes = range(len(self.classes))
        return self._overall(
            ("quality", settings),
            lambda: overall_quality([self.quality(index, settings) for index in classes]),
        )

    def compare_overall(self, a: SelectSettings, b: SelectSettings) -> OverallComparison:
        """Compare two settings on all classes."""
        classes = range(len(self.classes))
        return self._overall(
            ("comparison", a, b),
            lambda: compare_overall(self.compare(index, a, b) for index in classes),
        )

    def localization_overall(self, settings: SelectSettings) -> tuple[Localization, ...]:
        """Hit rate and coverage over all classes; empty without boxes."""
        if self.ground_truth() is None:
            return ()
        classes = range(len(self.classes))
        return self._overall(
            ("localization", settings),
            lambda: localization_overall([self.localization(index, settings) for index in classes]),
        )

    def _overall(self, name: tuple[object, ...], make: Callable[[], T]) -> T:
        """Return a figure of all classes, which is small whatever it is made of."""
        return self._cached(("overall", *name), make, small=True)

    def _objects(self, class_index: int, truth: GroundTruth) -> ClassObjects:
        return self._cached(
            ("objects", class_index), lambda: class_objects(self.images(class_index), truth)
        )

    def _side(self, class_index: int, settings: SelectSettings) -> Side:
        return Side(self.select(class_index, settings), settings)

    def _random_corners(self, class_index: int, seed: int) -> NDArray[np.float64]:
        scores = self.scores(class_index)
        return self._cached(
            ("random corners", class_index, seed), lambda: random_corners(scores, seed)
        )


def _mean(maps: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(maps.astype(np.float32).mean(axis=0))
