"""An open run: live answers to slider moves, from stored maps and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsel.analysis.baselines import Baseline, baseline, random_places
from dsel.analysis.comparison import Comparison, Together, compare, together
from dsel.analysis.explanation import Explanation, Reading, explain, read_cell
from dsel.analysis.ground_truth import GroundTruth, read_ground_truth, read_objects
from dsel.analysis.layouts import FITTER, OWN, Wanted, layout_name, place_images
from dsel.analysis.listing import (
    ClusterCard,
    Listing,
    Marks,
    Page,
    Row,
    SkippedRow,
    cluster_cards,
    list_patches,
    list_skipped,
    marks_of,
)
from dsel.analysis.localization import (
    BaselineRates,
    ClassObjects,
    Localization,
    baseline_rates,
    class_objects,
    localization,
    localization_overall,
)
from dsel.analysis.quality import Overall, Quality, class_quality, overall
from dsel.analysis.ranges import Ranges, class_ranges
from dsel.cache import SHARED, Cache
from dsel.config import SelectSettings
from dsel.core.box_search import patch_size
from dsel.core.composing import compose_class
from dsel.core.gap_maps import combined_gap, image_bucket, timestep_columns
from dsel.core.lasso import inside
from dsel.core.overrides import misplaced
from dsel.data.images import crop, decode
from dsel.pipeline.selector import DEFAULTS, PATCH_BYTES, Selector
from dsel.runs import Run
from dsel.types import ClassSelection, Distilled, Patch, Pixels


@dataclass(frozen=True, slots=True)
class Maps:
    """What is known of one image, means over the chosen timesteps, (h, w) float32 each.

    combined is the map that locating uses: each timestep's gap divided by its loss first, and
    without its negative part unless the settings say signed.
    """

    conditional: NDArray[np.float32]
    unconditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    combined: NDArray[np.float32]


class Explorer(Selector):
    """Answers questions about a finished run; what it computes stays for the next move."""

    def __init__(self, run: Run, cache: Cache = SHARED) -> None:
        super().__init__(run, cache)

    # Pictures

    def proxy(self, class_index: int, row: int) -> Pixels:
        """The picture of a class's `row`-th scored image as the prior saw it."""
        image = self.run.class_rows(class_index)[row]
        return self._cached(
            ("proxy", image.id), lambda: decode(self.run.image_bytes([image], "proxy")[0])
        )

    def files(
        self, class_index: int, image_ids: Sequence[str], kind: Literal["proxy", "thumbnail"]
    ) -> list[bytes]:
        """Pictures of a class's images as they are stored: WebP bytes."""
        rows = self.run.class_rows(class_index)
        wanted = [rows[self.row_of(class_index, image_id)] for image_id in image_ids]
        return self.run.image_bytes(wanted, kind)

    def cut(self, patch: Patch, width_px: int, height_px: int) -> Pixels:
        """A patch's pixels from its image's proxy."""
        row = self.row_of(patch.class_index, patch.image_id)
        return crop(self.proxy(patch.class_index, row), patch.box, width_px, height_px)

    # One image

    def maps(self, class_index: int, row: int, settings: SelectSettings = DEFAULTS) -> Maps:
        """The heat maps of one image, over the timesteps that the settings count."""
        bucket = image_bucket(self.scores(class_index), row)
        columns = timestep_columns(settings.timesteps, self.geometry.timesteps)
        conditional = _mean(bucket.conditional[0, columns])
        gap = _mean(bucket.gap[0, columns])
        combined = combined_gap(bucket, self.geometry, settings)[0]
        return Maps(conditional, conditional + gap, gap, combined)

    def explanation(
        self, class_index: int, image_id: str, settings: SelectSettings, nth: int = 0
    ) -> Explanation:
        """Why an image's patch was chosen, the `nth` of its patches by rank."""
        scores, row = self.scores(class_index), self.row_of(class_index, image_id)
        return explain(
            scores, self.geometry, settings, self.select(class_index, settings), row, nth
        )

    def values(
        self, class_index: int, image_id: str, settings: SelectSettings, x_px: float, y_px: float
    ) -> Reading:
        """Losses and gaps of an image at a pixel of its proxy."""
        bucket = image_bucket(self.scores(class_index), self.row_of(class_index, image_id))
        return read_cell(bucket, self.geometry, settings, x_px, y_px)

    def misplaced(self, settings: SelectSettings) -> tuple[str, ...]:
        """The images of the run whose boxes, moved by hand, reach beyond their pictures."""
        frames = {row.id: row.frame for row in self.run.images} if settings.moves else {}
        return misplaced(settings, self.geometry, frames)

    # One class

    def preview(
        self, class_index: int, settings: SelectSettings, image_px: int = 0
    ) -> Sequence[Distilled]:
        """The class's distilled images, cut from proxies."""
        return self._composed(self.select(class_index, settings), settings, image_px)

    def ranges(self, class_index: int, settings: SelectSettings) -> Ranges:
        """The ranges of a class's maps, over the timesteps that the settings count."""
        wanted = DEFAULTS.replace(timesteps=settings.timesteps, gap=settings.gap)
        columns = timestep_columns(settings.timesteps, self.geometry.timesteps)
        scores, maps = self.scores(class_index), self._maps(class_index, wanted)
        name = ("ranges", class_index, wanted)
        return self._cached(name, lambda: class_ranges(scores, columns, maps))

    def layout(self, class_index: int, name: str = OWN) -> NDArray[np.float32]:
        """Places (N, 2) of the class's images in the plane, in the layout of that name."""
        return self._cached(
            ("layout", class_index, name),
            lambda: place_images(self.run, class_index, name, self.located, self.layout),
        )

    def layout_of(self, class_index: int, settings: SelectSettings) -> Wanted:
        """The layout of these patches; one that is not there is begun in the background."""
        name = layout_name(self.run, class_index, settings)
        ready = name == OWN or self._cache.holds(self._owner, ("layout", class_index, name))
        key = self._owner, class_index, name
        return FITTER.wanted(name, key, ready, lambda: self.layout(class_index, name))

    def lasso(self, class_index: int, polygon: ArrayLike, layout: str = OWN) -> tuple[str, ...]:
        """The images whose places in a layout lie inside a polygon of corners (V, 2)."""
        chosen = inside(self.layout(class_index, layout), polygon)
        ids = self.scores(class_index).ids
        return tuple(ids[row] for row in np.flatnonzero(chosen))

    def marks(self, class_index: int, settings: SelectSettings) -> Marks:
        """What a plot shows of each of the class's images."""
        ids = self.scores(class_index).ids
        return marks_of(self.select(class_index, settings), ids, settings.ipc)

    def gallery(self, class_index: int, settings: SelectSettings, view: Listing) -> Page[Row]:
        """A page of a class's patches."""
        scores = self.scores(class_index)
        frames = dict(zip(scores.ids, scores.frames, strict=True))
        return list_patches(self.select(class_index, settings), frames, settings.ipc, view)

    def skipped(self, class_index: int, page: int = 0) -> Page[SkippedRow]:
        """A page of a class's images that were not scored."""
        return list_skipped(self.run.images, class_index, page)

    def cards(self, class_index: int, settings: SelectSettings) -> tuple[ClusterCard, ...]:
        """The clusters of a class at a glance."""
        return cluster_cards(self.select(class_index, settings), settings.ipc)

    def quality(self, class_index: int, settings: SelectSettings) -> Quality:
        """Figures of a class's kept set."""

        def make() -> Quality:
            selected = self.select(class_index, settings)
            features = self._features(class_index, settings, selected)
            return class_quality(selected, features, settings.ipc)

        return self._cached(("quality", class_index, settings), make)

    def compare(self, class_index: int, a: SelectSettings, b: SelectSettings) -> Comparison:
        """What differs between two settings on one class."""
        return self._cached(
            ("comparison", class_index, a, b),
            lambda: compare(self.select(class_index, a), self.select(class_index, b), a.ipc, b.ipc),
            lambda comparison: PATCH_BYTES * len(comparison.changes),
        )

    def baseline(
        self, class_index: int, settings: SelectSettings, kind: Baseline, seed: int = 0
    ) -> ClassSelection:
        """The class's patches with a random one, the centre or the whole image in their place."""
        return self._cached(
            ("baseline", class_index, settings, kind, seed),
            lambda: baseline(
                kind,
                self.scores(class_index),
                self.select(class_index, settings),
                self._maps(class_index, settings),
                self.geometry.cell_px,
                self._places(class_index, seed),
            ),
            lambda selected: PATCH_BYTES * len(selected.patches),
        )

    def preview_baseline(
        self, class_index: int, settings: SelectSettings, kind: Baseline, image_px: int = 0
    ) -> Sequence[Distilled]:
        """The distilled images that a baseline gives, cut from proxies."""
        return self._composed(self.baseline(class_index, settings, kind), settings, image_px)

    def localization(self, class_index: int, settings: SelectSettings) -> tuple[Localization, ...]:
        """Hit rate and coverage of the chosen patches and of each baseline; empty without boxes.

        Raises `SourceError` if the run's boxes cannot be read.
        """
        truth = self.ground_truth()
        if truth is None:
            return ()
        scores, selected = self.scores(class_index), self.select(class_index, settings)
        frames = dict(zip(scores.ids, scores.frames, strict=True))
        objects: ClassObjects = self._cached(
            ("objects", class_index), lambda: class_objects(frames, truth)
        )
        patch_px = patch_size(settings, self.geometry)
        baselines: BaselineRates = self._cached(
            ("baseline rates", class_index, patch_px), lambda: baseline_rates(objects, patch_px)
        )
        return localization(objects, selected, baselines)

    # All classes

    def ground_truth(self) -> GroundTruth | None:
        """The true objects that the run carries; raises `SourceError` if they cannot be read."""
        path = self.run.objects_path
        if not path.is_file():
            return None
        return self._cached(
            ("ground truth",),
            lambda: read_ground_truth(self.run, read_objects(path)),
            # Python's numbers take several times the bytes of their JSON.
            lambda _: 4 * path.stat().st_size,
        )

    def quality_overall(self, settings: SelectSettings) -> Overall:
        """Figures of all kept sets together."""
        return overall([self.quality(index, settings) for index in range(len(self.classes))])

    def compare_overall(self, a: SelectSettings, b: SelectSettings) -> Together:
        """What differs between two settings on all classes."""
        return together([self.compare(index, a, b) for index in range(len(self.classes))])

    def localization_overall(self, settings: SelectSettings) -> tuple[Localization, ...]:
        """Hit rate and coverage over all classes; empty without boxes."""
        return localization_overall(
            [self.localization(index, settings) for index in range(len(self.classes))]
        )

    def _composed(
        self, selected: ClassSelection, settings: SelectSettings, image_px: int
    ) -> list[Distilled]:
        side = image_px or self.geometry.resolution_px
        return list(compose_class(selected, settings, side, self.cut))

    def _places(self, class_index: int, seed: int) -> NDArray[np.float64]:
        scores = self.scores(class_index)
        return self._cached(("places", class_index, seed), lambda: random_places(scores, seed))


def _mean(maps: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(maps.astype(np.float32).mean(axis=0))
