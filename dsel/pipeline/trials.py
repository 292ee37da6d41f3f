"""Trials: students of one candidate setting on validation images, to choose settings by."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from dsel.config import EvaluateSettings, ExportSettings, SelectSettings, StudentSettings
from dsel.config.base import fingerprint
from dsel.pipeline.evaluate import compose, seeds_by_choice
from dsel.pipeline.evaluation_rows import REFERENCE
from dsel.pipeline.held_out import Validation
from dsel.pipeline.training import StudentTrainer, resolved
from dsel.pipeline.training_sets import OWN, RunSets
from dsel.runs import Run
from dsel.runs.evaluations import StudentResult
from dsel.students.records import LabelledImages
from dsel.students.statistics import deviation
from dsel.types import Event, Progress


@dataclass(frozen=True, slots=True)
class Trial:
    """The last accuracies of the students of one setting, in 0 to 1."""

    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.accuracies)

    @property
    def sd(self) -> float | None:
        """Their standard deviation; None of a single student."""
        return deviation(self.accuracies)


class Trials:
    """Trains students of candidate settings of a run, and tests them on validation images.

    Students are stored in the run, so that the same trial is done once.
    """

    def __init__(
        self, run: Run, validation: Validation, student: StudentSettings, export: ExportSettings
    ) -> None:
        if not isinstance(validation, Validation):
            raise TypeError(f"settings are chosen by a Validation: {type(validation).__name__}")
        self.validation = validation
        self.student, self._export = student, export.composed()
        self._sets = RunSets(run, SelectSettings(), (), export)
        self._images: LabelledImages | None = None

    @property
    def fingerprint(self) -> str:
        """A name of the validation images, the students and the pixels."""
        return fingerprint(self.validation.source.fingerprint, self.student, self._export)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader of the figures should know about the sets."""
        return self._sets.notices

    @property
    def steps(self) -> int:
        """The training steps of a trial, of all its students."""
        return self.student.steps * self.student.seeds

    def read(self) -> Generator[Event, None, LabelledImages]:
        """Read the validation images, once; no test of the run accepts them from then on."""
        if self._images is None:
            self.validation.record()
            side = resolved(self._settings(), self._sets.image_px).student_px
            self._images = yield from self.validation.read(side)
        return self._images

    def own(
        self, select: SelectSettings, steps: int = 0, seeds: int = 0, first: int = 0
    ) -> Generator[Event, None, Trial]:
        """Try the set of these settings.

        steps, seeds: those of the students if 0. first: added to the seed of the first student.
        """
        return self._try(OWN, select, self._settings(steps, seeds, first))

    def random(
        self, select: SelectSettings, steps: int = 0, seeds: int = 0, first: int = 0
    ) -> Generator[Event, None, Trial]:
        """Try random whole images of the same budget."""
        return self._try(REFERENCE, select, self._settings(steps, seeds, first))

    def _try(
        self, name: str, select: SelectSettings, wanted: EvaluateSettings
    ) -> Generator[Event, None, Trial]:
        images = yield from self.read()
        sets = self._sets.with_select(select)
        settings = resolved(wanted, sets.image_px)
        trainer = StudentTrainer(self.validation, images, settings)
        found: list[float] = []
        for group in seeds_by_choice(sets, name, select.ipc, settings):
            training_set = compose(sets, name, select.ipc, settings, group[0])
            found += yield from _accuracies(trainer.train(training_set, group))
        return Trial(tuple(found))

    def _settings(self, steps: int = 0, seeds: int = 0, first: int = 0) -> EvaluateSettings:
        student = EvaluateSettings(**self.student.plain())
        return student.replace(
            steps=steps or student.steps, seeds=seeds or student.seeds, seed=student.seed + first
        )


def _accuracies(
    events: Iterator[StudentResult | Event],
) -> Generator[Event, None, Sequence[float]]:
    """Pass events on, and return the last accuracy of each student."""
    found = []
    for event in events:
        if isinstance(event, StudentResult):
            found.append(event.last)
            yield Progress(0, f"{event.last:.1%}")
        else:
            yield event
    return found
