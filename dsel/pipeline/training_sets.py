"""The sets that students are trained on: the evaluated one, and baselines of equal budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from dsel.cache import SHARED, Cache
from dsel.config import EvaluateSettings, ExportSettings, SelectSettings
from dsel.config.base import fingerprint
from dsel.core.baselines.registry import BASELINES
from dsel.core.composing import Cut, compose_class, shortfall
from dsel.core.patch_features import Featurizer
from dsel.data.images import FileFormat, crop, decode, encode
from dsel.errors import SettingError, unknown
from dsel.pipeline.confidences import asks_teacher
from dsel.pipeline.cutting import proxy_cutter, source_cutter, source_of
from dsel.pipeline.export import check_export, plan_export
from dsel.pipeline.held_out import Subject, check_unseen, subject_of
from dsel.pipeline.selector import Selector
from dsel.pipeline.training_set import TrainingSet
from dsel.runs import Run, open_run
from dsel.runs.evaluations import HeldOutSource
from dsel.students.label_file import SoftLabels, ViewName
from dsel.students.records import Images, LabelledImages
from dsel.students.soft_labels import VIEWS, group_size, joined, label_pictures
from dsel.students.unpack import unpack
from dsel.types import (
    Box,
    ClassSelection,
    Dataset,
    Distilled,
    ImageRef,
    Pixels,
)

if TYPE_CHECKING:
    from dsel.students.teachers import Teacher

OWN: Final = "dsel"
"""The name of the evaluated set among those of its baselines."""

NO_TEACHER: Final = "the soft recipe needs a teacher: name one with --teacher"

SOURCE_BYTES: Final = 1 << 29
"""Memory for images of the source: many sets are cut out of one pool."""


class SetsRecipe(Protocol):
    """How to open sets again, in any process; a small record."""

    def open(self) -> TrainingSets:
        """Open them."""


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
    def is_export(self) -> bool:
        """Whether the evaluated set is an export, of which a smaller IPC takes the first images."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader of the figures should know about the sets."""

    @property
    def recipe(self) -> SetsRecipe:
        """How to open them again."""

    def check(self, baselines: Sequence[str], ipcs: Sequence[int], /) -> tuple[str, ...]:
        """Return the baselines that can be composed.

        Raises `SettingError` for an unknown one, and for an IPC that the set does not have.
        """

    def check_labels(self, settings: EvaluateSettings, held_out: HeldOutSource, /) -> None:
        """Raise `SettingError` for a teacher that is missing, or has seen the held-out images."""

    def choice(self, name: str, ipc: int, seed: int) -> str:
        """Name what a set holds: equal for seeds that make no difference to it."""

    def compose(self, name: str, ipc: int, seed: int, settings: EvaluateSettings) -> TrainingSet:
        """Compose a set for these students; the seed is that of a baseline's random choices."""


@dataclass(frozen=True, slots=True)
class RunSetsRecipe:
    """How to open the sets of a run again."""

    run: Path
    select: SelectSettings
    export: ExportSettings

    def open(self) -> RunSets:
        """Open them."""
        return RunSets(open_run(self.run), self.select, (), self.export)


class RunSets:
    """Sets of a run, with the pixels that `dsel export` writes.

    At the IPC of the selection, the evaluated set is the selection; at another IPC it is what
    `dsel select --ipc` gives.
    """

    is_export: Final = False

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
        self.export = (export or ExportSettings()).composed()
        self.image_px = check_export(run, select, self.export)
        self._selections = tuple(selections)
        self._cache, self._featurizer = cache, featurizer
        self._teachers: dict[str, Teacher] = {}
        self._selectors: dict[str, Selector] = {}

    def with_select(self, select: SelectSettings) -> RunSets:
        """Return the sets of other settings, which share what is in memory."""
        _ = self._cut  # the source is opened once
        other = copy(self)
        other.select, other._selections = select, ()
        other.image_px = check_export(self.run, select, self.export)
        return other

    @property
    def recipe(self) -> RunSetsRecipe:
        """How to open them again."""
        return RunSetsRecipe(self.run.path.resolve(), self.select, self.export)

    @property
    def subject(self) -> Subject:
        """The run."""
        return subject_of(self.run)

    @property
    def selection(self) -> str:
        """The fingerprint of the selection."""
        return self.run.selection_name(self.select)

    @property
    def made_of(self) -> str:
        """A name of the run, and of how images are composed and which pixels are cut."""
        dataset, _ = self._pixels
        where = "proxy" if dataset is None else "source"
        return fingerprint(self.run.identity.fingerprint, self.export, self.image_px, where)

    @property
    def notices(self) -> tuple[str, ...]:
        """Why proxies are used instead of the source, and which baseline stands for the set."""
        _, why = self._pixels
        name = self.select.baseline
        kind = "" if name == "none" else f"the evaluated set was selected by the baseline {name}"
        return tuple(filter(None, (why, kind)))

    def check(self, baselines: Sequence[str], _ipcs: Sequence[int], /) -> tuple[str, ...]:
        """Return the baselines, each once.

        Raises `SettingError` for an unknown one, and for one that lacks what it needs.
        """
        for name in baselines:
            if name not in BASELINES:
                raise unknown("baseline", name, BASELINES)
            if BASELINES[name].needs == "teacher" and not self._teacher_name:
                raise SettingError(f"the baseline {name} needs a teacher: name one with --teacher")
            if BASELINES[name].needs == "objects" and not self.run.objects_path.is_file():
                raise SettingError(
                    f"the baseline {name} needs the true objects of the images: put their boxes in "
                    f"COCO format into {self.run.objects_path}"
                )
        return tuple(dict.fromkeys(baselines))

    def check_labels(self, settings: EvaluateSettings, held_out: HeldOutSource, /) -> None:
        """Raise `SettingError` for a teacher that is missing, or has seen the held-out images."""
        name = self._teacher_name
        if settings.recipe == "soft" and not name:
            raise SettingError(NO_TEACHER)
        check_unseen(name, held_out)
        if settings.recipe == "soft":
            self._teacher(name)

    def choice(self, name: str, ipc: int, seed: int) -> str:
        """Name the cuts of a set."""
        kept = [
            [(one.patches.id_of(rank), str(one.patches[rank].cut_box)) for rank in image]
            for one in self._chosen(name, self.select.replace(ipc=ipc), seed)
            for image in one.kept_images(ipc)
        ]
        return fingerprint(kept)

    def compose(self, name: str, ipc: int, seed: int, settings: EvaluateSettings) -> TrainingSet:
        """Compose a set from the pixels that `dsel export` would write."""
        select = self.select.replace(ipc=ipc)
        chosen = self._chosen(name, select, seed)
        dataset, _ = self._pixels
        plan = plan_export(
            self.run, chosen, select, self.export, self.image_px, dataset is not None
        )
        distilled = (
            as_written(one, self.export.file_format, self.export.quality)
            for selected in chosen
            for one in compose_class(selected, ipc, plan.canvas, self._cut)
        )
        images = self._labelled(distilled, select, settings)
        return TrainingSet(
            images=images,
            per_class=tuple(len(one.kept_images(ipc)) for one in chosen),
            image_px=self.image_px,
            shortfalls=tuple(filter(None, (shortfall(one, select) for one in chosen))),
        )

    def _labelled(
        self, distilled: Iterator[Distilled], select: SelectSettings, settings: EvaluateSettings
    ) -> LabelledImages:
        """Label the images of a set; only a few of them are in memory at their full size."""
        is_soft = settings.recipe == "soft"
        tiles = select.factor**2 if settings.unpack else 1
        size = group_size(tiles, self.export.label_crops) if is_soft else 1
        parts, soft, first = [labelled([], select, settings)], [], 0
        while group := list(islice(distilled, size)):
            parts.append(labelled(group, select, settings))
            if is_soft:
                soft.append(self._soft(group, select, settings, first))
            first += len(parts[-1].labels)
        images = LabelledImages(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )
        if not soft:
            return images
        labels = joined(soft)
        return replace(images, soft=labels.probabilities, crops=labels.crops)

    def _soft(
        self,
        distilled: Sequence[Distilled],
        select: SelectSettings,
        settings: EvaluateSettings,
        first: int,
    ) -> SoftLabels:
        """Label images, or the tiles of mosaics, as an export does: at their full size.

        first: the number of the first one in the set.
        """
        if not self._teacher_name:
            raise SettingError(NO_TEACHER)
        teacher = self._teacher(self._teacher_name)
        full = settings.replace(student_px=self.image_px)
        view: ViewName = "tiles" if settings.unpack and select.factor > 1 else "images"
        pictures = labelled(distilled, select, full).images
        stream = VIEWS.index(view), first
        return label_pictures(pictures, teacher, self.export.label_crops, stream)

    def _chosen(self, name: str, settings: SelectSettings, seed: int) -> tuple[ClassSelection, ...]:
        """Select the patches of a set at the settings' IPC."""
        if name != OWN:
            settings = _by_baseline(settings, name, seed, self._teacher_name)
        elif settings == self.select and self._selections:
            return self._selections
        selector = self._selector(settings.teacher if asks_teacher(settings) else "")
        every = range(len(self.run.identity.classes))
        return tuple(selector.select(index, settings) for index in every)

    @property
    def _teacher_name(self) -> str:
        return self.export.teacher or self.select.teacher

    def _teacher(self, name: str) -> Teacher:
        """Load a teacher, once."""
        if name not in self._teachers:
            from dsel.students.teachers import load_teacher

            self._teachers[name] = load_teacher(name, self.run.identity.classes)
        return self._teachers[name]

    def _selector(self, teacher: str) -> Selector:
        """Return the selector whose baselines ask this teacher; "" is none."""
        if teacher not in self._selectors:
            asked = self._teacher(teacher) if teacher else None
            self._selectors[teacher] = Selector(self.run, self._cache, self._featurizer, asked)
        return self._selectors[teacher]

    @cached_property
    def _pixels(self) -> tuple[Dataset | None, str]:
        return source_of(self.run, self.export.pixels)

    @cached_property
    def _cut(self) -> Cut:
        dataset, _ = self._pixels
        if dataset is None:
            return proxy_cutter(self.run)
        return source_cutter(self.run, _Remembered(dataset))


def as_written(distilled: Distilled, file_format: FileFormat, quality: int) -> Distilled:
    """Return a distilled image as it is read back from its file."""
    if file_format == "png":
        return distilled
    return replace(distilled, pixels=decode(encode(distilled.pixels, file_format, quality)))


def labelled(
    distilled: Sequence[Distilled], select: SelectSettings, settings: EvaluateSettings
) -> LabelledImages:
    """Return distilled images, or the tiles of mosaics, at the students' size."""
    side = settings.student_px
    parts = [_shown(one, select, settings) for one in distilled]
    labels = [one.class_index for one, part in zip(distilled, parts, strict=True) for _ in part]
    none = np.zeros((0, side, side, 3), np.uint8)
    return LabelledImages(np.concatenate([none, *parts]), np.array(labels, np.int64))


def _shown(distilled: Distilled, select: SelectSettings, settings: EvaluateSettings) -> Images:
    pixels, side = distilled.pixels, settings.student_px
    if settings.unpack:
        return unpack(pixels, distilled.tiles, side, select.tile_scale)
    return crop(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]), side, side)[None]


def _by_baseline(settings: SelectSettings, name: str, seed: int, teacher: str) -> SelectSettings:
    """Return the settings that select by a baseline at the same budget."""
    asked = teacher if BASELINES[name].needs == "teacher" else ""
    return settings.replace(baseline=name, baseline_seed=seed, teacher=asked)


class _Remembered:
    """A dataset whose images stay in memory, within limits."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._cache = dataset, Cache(SOURCE_BYTES)
        self.classes, self.names = dataset.classes, dataset.names
        self.fingerprint, self.origin = dataset.fingerprint, dataset.origin
        self.refs, self.orientation = dataset.refs, dataset.orientation
        self.structure = dataset.structure

    def read(self, ref: ImageRef) -> Pixels:
        return self._cache.get(self, (ref.id,), lambda: self._dataset.read(ref))
