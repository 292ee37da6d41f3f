"""Open what is evaluated: the selection of a run, or an exported set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.config import EvaluateSettings, ExportSettings, SelectSettings
from dsel.core.baselines.registry import BASELINES
from dsel.errors import RunError, SettingError, SourceError, unknown
from dsel.exports.base import MANIFEST as EXPORT
from dsel.pipeline.distill import RUN_IN_OUT
from dsel.pipeline.held_out import Subject, check_unseen
from dsel.pipeline.training_set import TrainingSet
from dsel.pipeline.training_sets import OWN, RunSets, TrainingSets
from dsel.runs import Run, open_run
from dsel.runs.evaluations import HeldOutSource
from dsel.runs.manifest import MANIFEST
from dsel.students.exported import ExportedSet, image_folder_of, labelled_images, read_export
from dsel.students.label_file import CropLabels
from dsel.students.records import LabelledImages

NO_RUN: Final = (
    "the baselines are left out, since they are composed from the run that the set was exported "
    "from: give it with --run"
)


def open_sets(
    path: Path,
    run: Path | None = None,
    selection: str = "",
    export: ExportSettings | None = None,
) -> TrainingSets:
    """Open the sets of an export, or of a run's selection, by default the current one.

    run: the run of an export; OUT/run if that is one. export: how a run's sets are composed; an
    export has its own settings. Raises `RunError` or `SourceError` for a path that is neither.
    """
    export = export or ExportSettings()
    if path.is_file():
        read_export(path)  # which says what to give instead of a file
    folder = image_folder_of(path)
    if not (folder / EXPORT).is_file():
        if not (path / MANIFEST).is_file():
            raise RunError(f"{path} is neither a run nor an exported set: give one of the two")
        return _of_run(path, run, selection, export)
    if selection:
        raise SettingError("an exported set has one selection: leave --selection out")
    if export != ExportSettings():
        raise SettingError(
            "an exported set keeps the settings that it was exported with: leave the flags of "
            "dsel export out, or give its run in place of it"
        )
    inside = path / RUN_IN_OUT
    opened = run or (inside if (inside / MANIFEST).is_file() else None)
    return ExportedSets(read_export(folder), None if opened is None else open_run(opened))


def _of_run(path: Path, run: Path | None, selection: str, export: ExportSettings) -> RunSets:
    if run is not None:
        raise SettingError(f"{path} is a run already: leave --run out")
    opened = open_run(path)
    select, selections = opened.read_selection(selection)
    return RunSets(opened, select, selections, export)


@dataclass(frozen=True, slots=True)
class ExportedSetsRecipe:
    """How to open an exported set again, and its run, if it has one."""

    path: Path
    run: Path | None

    def open(self) -> ExportedSets:
        """Open them."""
        return ExportedSets(
            read_export(self.path), None if self.run is None else open_run(self.run)
        )


class ExportedSets:
    """An exported set as it is on disk, and baselines from the run that it was exported from.

    A smaller IPC than that of the export takes the first images of each class. Raises
    `SettingError` for a run that the set was not exported from.
    """

    is_export: Final = True

    def __init__(self, exported: ExportedSet, run: Run | None = None) -> None:
        self.exported, self.run = exported, run
        facts = exported.manifest
        self.select, self.export = _settings(exported)
        self.image_px = exported.image_px
        self.selection = str(facts["selection"]) if run else ""
        self.made_of = str(facts["fingerprint"])
        if run is not None and run.identity.fingerprint != facts["run"]:
            raise SettingError(
                f"{exported.path} was exported from another run than {run.path}: give its own run "
                "with --run"
            )
        self._of_run = None if run is None else RunSets(run, self.select, (), self.export)

    @property
    def recipe(self) -> ExportedSetsRecipe:
        """How to open them again."""
        run = None if self.run is None else self.run.path.resolve()
        return ExportedSetsRecipe(self.exported.path.resolve(), run)

    @property
    def subject(self) -> Subject:
        """The run if there is one, else the export itself."""
        dataset = self.exported.manifest["dataset"]
        folder = self.exported.path if self.run is None else self.run.path
        classes = self.exported.classes
        return Subject(folder, classes, dataset["fingerprint"], dataset["origin"])

    @property
    def notices(self) -> tuple[str, ...]:
        """Why there are no baselines, or why theirs are cut from proxies."""
        return (NO_RUN,) if self._of_run is None else self._of_run.notices

    def check(self, baselines: Sequence[str], ipcs: Sequence[int], /) -> tuple[str, ...]:
        """Return the baselines; none without a run."""
        most = self.select.ipc
        if max(ipcs) > most:
            raise SettingError(
                f"the exported set has {most} images per class, got IPC {max(ipcs)}: give its run "
                "to compose larger sets"
            )
        for name in baselines:
            if name not in BASELINES:
                raise unknown("baseline", name, BASELINES)
            if BASELINES[name].needs == "teacher" and not self._teacher:
                raise SettingError(
                    f"the baseline {name} needs a teacher, and the set was exported without one: "
                    "export it with --teacher, or evaluate its run with --teacher"
                )
        return () if self._of_run is None else self._of_run.check(baselines, ipcs)

    def check_labels(self, settings: EvaluateSettings, held_out: HeldOutSource, /) -> None:
        """Raise an error where the set has no labels of a teacher, or it has seen `held_out`."""
        if settings.recipe == "soft":
            self._refuse_unlabelled()
        check_unseen(self._teacher, held_out)

    @property
    def _teacher(self) -> str:
        return self.export.teacher or self.select.teacher

    def choice(self, name: str, ipc: int, seed: int) -> str:
        """Name the patches of a set."""
        if name == OWN or self._of_run is None:
            return OWN
        return self._of_run.choice(name, ipc, seed)

    def _refuse_unlabelled(self) -> None:
        if not self.exported.is_labelled:
            raise SourceError(
                f"{self.exported.path} has no soft labels: export the set with --teacher"
            )

    def compose(self, name: str, ipc: int, seed: int, settings: EvaluateSettings) -> TrainingSet:
        """Read the exported images, or compose a baseline."""
        if name != OWN and self._of_run is not None:
            return self._of_run.compose(name, ipc, seed, settings)
        kept = first_images(self.exported, ipc)
        tiles = self.exported.tiles_per_image if settings.unpack else 1
        rows = (np.array(kept, np.int64)[:, None] * tiles + np.arange(tiles)).ravel()
        every = labelled_images(self.exported, settings.student_px, settings.unpack)
        images = LabelledImages(every.images[rows], every.labels[rows])
        if settings.recipe == "soft":
            self._refuse_unlabelled()
            images = replace(
                images,
                soft=None if every.soft is None else every.soft[rows],
                crops=None if every.crops is None else _of_rows(every.crops, rows),
            )
        classes = [self.exported.images[number].class_index for number in kept]
        counts = np.bincount(classes, minlength=len(self.exported.classes))
        return TrainingSet(images, tuple(counts.tolist()), self.image_px)


def _of_rows(crops: CropLabels, rows: NDArray[np.int64]) -> CropLabels:
    return CropLabels(crops.probabilities[rows], crops.boxes[rows], crops.flips[rows])


def first_images(exported: ExportedSet, ipc: int) -> list[int]:
    """Return the numbers of the first images of each class."""
    count = [0] * len(exported.classes)
    kept = []
    for number, image in enumerate(exported.images):
        if count[image.class_index] < ipc:
            kept.append(number)
        count[image.class_index] += 1
    return kept


def _settings(exported: ExportedSet) -> tuple[SelectSettings, ExportSettings]:
    """Read the settings of an export; its pixels are those that were really cut."""
    facts: Any = exported.manifest
    try:
        select = SelectSettings.from_plain(facts["select"])
        return select, ExportSettings.from_plain(facts["export"])
    except SettingError as error:
        raise SourceError(
            f"{exported.path} is from another version of dsel ({error}): export the set again"
        ) from error
