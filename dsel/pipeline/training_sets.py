"""The sets that students are trained on: the evaluated one, and baselines of equal budget."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np

from dsel.cache import SHARED, Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import fingerprint
from dsel.core.composing import Cut, compose_class, shortfall, tile_sides
from dsel.data.images import crop
from dsel.errors import SettingError
from dsel.pipeline.cutting import proxy_cutter, source_cutter, source_of
from dsel.pipeline.export import check_export
from dsel.pipeline.held_out import Subject
from dsel.pipeline.selector import Selector
from dsel.runs import Run
from dsel.students.records import LabelledImages
from dsel.types import Box, ClassSelection, Dataset, Distilled, Featurizer, ImageRef, Patch, Pixels

OWN: Final = "dsel"
"""The name of the evaluated set among those of its baselines."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Images at the student's size, and the budget that they came from.

    per_class: distilled images of each class. image_px: their side. shortfalls: a sentence for each
    class with fewer images than IPC.
    """

    images: LabelledImages
    per_class: tuple[int, ...]
    image_px: int
    shortfalls: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all pixels and labels."""
        parts = (self.images.images, self.images.labels, self.images.soft)
        digest = hashlib.sha256()
        for part in parts:
            if part is not None:
                digest.update(f"{part.shape}{part.dtype}".encode())
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


class TrainingSets(Protocol):
    """Composes the evaluated set and its baselines."""

    @property
    def subject(self) -> Subject:
        """What is evaluated."""

    @property
    def select(self) -> SelectSettings:
        """The settings of the evaluated set."""

    @property
    def selection(self) -> str:
        """The fingerprint of its selection; empty without a run."""

    @property
    def made_of(self) -> str:
        """A name of everything that the sets follow from."""

    @property
    def image_px(self) -> int:
        """The side of the distilled images."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader of the figures should know about the sets."""

    def check(self, names: Sequence[str], ipcs: Sequence[int], /) -> None:
        """Raise `SettingError` for sets that cannot be composed."""

    def choice(self, name: str, ipc: int, seed: int) -> str:
        """Name what a set holds: equal for seeds that make no difference to it."""

    def compose(self, name: str, ipc: int, seed: int, student_px: int, unpack: bool) -> TrainingSet:
        """Compose a set; the seed is that of a baseline's random choices."""


class RunSets:
    """Sets of a run, with the pixels that `dsel export` writes.

    At the IPC of the selection, the evaluated set is the selection; at another IPC it is what
    `dsel select --ipc` gives.
    """

    def __init__(
        self,
        run: Run,
        select: SelectSettings,
        selections: Sequence[ClassSelection] = (),
        export: ExportSettings | None = None,
        featurizer: Featurizer | None = None,
        cache: Cache = SHARED,
    ) -> None:
        """selections: those of the settings, if they are at hand."""
        self.run = run
        self.select = select
        self.export = export or ExportSettings()
        self.image_px = check_export(run, select, self.export)
        self._selections = tuple(selections)
        self._selector = Selector(run, cache, featurizer)

    @property
    def subject(self) -> Subject:
        """The run."""
        of = self.run.identity
        return Subject(self.run.path, of.classes, of.dataset_fingerprint, of.dataset_origin)

    @property
    def selection(self) -> str:
        """The fingerprint of the selection."""
        return self.run.selection_name(self.select)

    @property
    def made_of(self) -> str:
        """A name of the run, the image size, and the pixels that are cut."""
        dataset, _ = self._pixels
        where = "proxy" if dataset is None else "source"
        return fingerprint(self.run.identity.fingerprint, self.image_px, where)

    @property
    def notices(self) -> tuple[str, ...]:
        """Why proxies are used instead of the source, if they are."""
        _, why = self._pixels
        return (why,) if why else ()

    def check(self, names: Sequence[str], _ipcs: Sequence[int], /) -> None:
        """Raise `SettingError` for an unknown baseline."""
        for name in names:
            if name not in (OWN, "random-whole"):
                raise SettingError(f"unknown baseline {name!r}; known are: random-whole")

    def choice(self, name: str, ipc: int, seed: int) -> str:
        """Name the patches of the set."""
        kept = [
            [(one.patches[rank].image_id, str(one.patches[rank].source_box)) for rank in image]
            for one in self._of(name, self.select.replace(ipc=ipc), seed)
            for image in one.kept_images(ipc)
        ]
        return fingerprint(kept)

    def compose(self, name: str, ipc: int, seed: int, student_px: int, unpack: bool) -> TrainingSet:
        """Compose a set from the pixels that `dsel export` would write."""
        settings = self.select.replace(ipc=ipc)
        selections = self._of(name, settings, seed)
        distilled = [
            one
            for selected in selections
            for one in compose_class(selected, settings, self.image_px, self._cut)
        ]
        return TrainingSet(
            images=labelled(distilled, settings, student_px, unpack),
            per_class=tuple(len(one.kept_images(ipc)) for one in selections),
            image_px=self.image_px,
            shortfalls=tuple(filter(None, (shortfall(one, settings) for one in selections))),
        )

    def _of(self, name: str, settings: SelectSettings, seed: int) -> tuple[ClassSelection, ...]:
        if name == OWN and settings.ipc == self.select.ipc and self._selections:
            return self._selections
        every = range(len(self.run.identity.classes))
        chosen = tuple(self._selector.select(index, settings) for index in every)
        if name == OWN:
            return chosen
        return tuple(_random_whole(one, settings.factor, seed, self._frames) for one in chosen)

    @cached_property
    def _frames(self) -> dict[str, Box]:
        return {row.id: row.frame.view for row in self.run.images if row.frame is not None}

    @cached_property
    def _pixels(self) -> tuple[Dataset | None, str]:
        return source_of(self.run, self.export.pixels)

    @cached_property
    def _cut(self) -> Cut:
        dataset, _ = self._pixels
        if dataset is None:
            return proxy_cutter(self.run)
        return source_cutter(self.run, _Remembered(dataset))


def labelled(
    distilled: Sequence[Distilled], settings: SelectSettings, student_px: int, unpack: bool
) -> LabelledImages:
    """Return distilled images, or the tiles of mosaics, at the student's size."""
    pixels: list[Pixels] = []
    labels: list[int] = []
    for one in distilled:
        boxes = _tiles(one, settings.factor) if unpack else [Box(0, 0, *one.pixels.shape[:2])]
        pixels += [crop(one.pixels, box, student_px, student_px) for box in boxes]
        labels += [one.class_index] * len(boxes)
    none = np.zeros((0, student_px, student_px, 3), np.uint8)
    return LabelledImages(np.stack(pixels) if pixels else none, np.array(labels, np.int64))


def _tiles(distilled: Distilled, factor: int) -> list[Box]:
    sides = tile_sides(len(distilled.pixels), factor)
    starts = [sum(sides[:n]) for n in range(factor)]
    return [
        Box(starts[x], starts[y], sides[x], sides[y]) for y in range(factor) for x in range(factor)
    ]


def _random_whole(
    selected: ClassSelection, factor: int, seed: int, views: dict[str, Box]
) -> ClassSelection:
    rng = np.random.default_rng([seed, selected.index])
    order = rng.permutation(len(selected.patches))
    patches = [selected.patches[int(n)] for n in order]
    whole = tuple(
        replace(patch, source_box=_square(views[patch.image_id]), rank=rank)
        for rank, patch in enumerate(patches)
    )
    count = len(whole) // factor**2
    images = tuple(tuple(range(n * factor**2, (n + 1) * factor**2)) for n in range(count))
    return ClassSelection(selected.name, selected.index, whole, images)


def _square(view: Box) -> Box:
    side = min(view.width, view.height)
    x, y = view.x + (view.width - side) / 2, view.y + (view.height - side) / 2
    return Box(x, y, side, side)


class _Remembered:
    """A dataset whose images stay in memory, within limits: many sets are cut out of one pool."""

    def __init__(self, dataset: Dataset, limit_bytes: int = 1 << 29) -> None:
        self._dataset, self._cache = dataset, Cache(limit_bytes)
        self.classes, self.names = dataset.classes, dataset.names
        self.fingerprint, self.origin = dataset.fingerprint, dataset.origin
        self.refs = dataset.refs

    def read(self, ref: ImageRef) -> Pixels:
        return self._cache.get(self, (ref.id,), lambda: self._dataset.read(ref))


__all__ = ["OWN", "Patch", "RunSets", "TrainingSet", "TrainingSets", "labelled"]
