"""An open run: live answers to slider moves, from stored maps and without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsel.compose import compose_class
from dsel.config import SelectSettings
from dsel.errors import unknown
from dsel.pictures import crop, decode
from dsel.records import ClassSelection, Distilled, Patch, Pixels
from dsel.runs import Run
from dsel.selection import combined_gap, image_bucket, select_class, timestep_columns

DEFAULTS = SelectSettings()
CLASSES_KEPT = 8
"""Classes whose scores stay in memory: about 2 MB per 100 images of a Stable Diffusion run."""


@dataclass(frozen=True, slots=True)
class Maps:
    """What is known of one image, means over the chosen timesteps, (h, w) float32 each.

    combined is the map that locating uses: each timestep's gap divided by its scale first, and
    without its negative part unless the settings say signed.
    """

    conditional: NDArray[np.float32]
    unconditional: NDArray[np.float32]
    gap: NDArray[np.float32]
    combined: NDArray[np.float32]


class Explorer:
    """Answers questions about a finished run; everything it computes is kept for the next move."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.geometry = run.geometry
        self.classes = run.identity.classes
        # Caches belong to this object, so that closing a run frees them.
        self.scores = lru_cache(CLASSES_KEPT)(run.class_scores)
        self.select = lru_cache(64)(self._select)
        self.thumbnails = lru_cache(CLASSES_KEPT)(self._thumbnails)
        self._proxy = lru_cache(256)(self._read_proxy)

    def class_index(self, name: str) -> int:
        """The place of a class; raises `SettingError` for an unknown name."""
        if name not in self.classes:
            raise unknown("class", name, self.classes)
        return self.classes.index(name)

    def proxy(self, class_index: int, row: int) -> Pixels:
        """The picture of a class's `row`-th scored image as the prior saw it."""
        return self._proxy(class_index, row)

    def row_of(self, class_index: int, image_id: str) -> int:
        """Which row of its class an image is."""
        return self.scores(class_index).ids.index(image_id)

    def maps(self, class_index: int, row: int, settings: SelectSettings = DEFAULTS) -> Maps:
        """The heat maps of one image, over the timesteps that the settings count."""
        bucket = image_bucket(self.scores(class_index), row)
        columns = timestep_columns(settings.timesteps, self.geometry.timesteps)
        conditional = _mean(bucket.conditional[0, columns])
        gap = _mean(bucket.gap[0, columns])
        combined = combined_gap(bucket, self.geometry, settings)[0]
        return Maps(conditional, conditional + gap, gap, combined)

    def layout(self, class_index: int) -> NDArray[np.float32]:
        """Places (N, 2) of the class's images in the plane, fitted when the run was scored."""
        places = self.run.read_layout(class_index)
        count = len(self.scores(class_index).ids)
        return np.zeros((count, 2), np.float32) if places is None else places

    def preview(
        self, class_index: int, settings: SelectSettings, image_px: int = 0
    ) -> Sequence[Distilled]:
        """The class's distilled images, cut from proxies."""
        selected = self.select(class_index, settings)
        side = image_px or self.geometry.resolution_px
        return list(compose_class(selected, settings, side, self.cut))

    def cut(self, patch: Patch, width_px: int, height_px: int) -> Pixels:
        """A patch's pixels from its image's proxy."""
        row = self.row_of(patch.class_index, patch.image_id)
        return crop(self._proxy(patch.class_index, row), patch.box, width_px, height_px)

    def _select(self, class_index: int, settings: SelectSettings) -> ClassSelection:
        return select_class(self.scores(class_index), self.geometry, settings)

    def _thumbnails(self, class_index: int) -> list[Pixels]:
        rows = self.run.class_rows(class_index)
        return [decode(picture) for picture in self.run.pictures(rows, "thumbnail")]

    def _read_proxy(self, class_index: int, row: int) -> Pixels:
        image = self.run.class_rows(class_index)[row]
        return decode(self.run.pictures([image], "proxy")[0])


def _mean(maps: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(maps.astype(np.float32).mean(axis=0))
