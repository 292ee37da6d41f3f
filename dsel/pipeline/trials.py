"""Trials: students of one candidate setting on validation images, to choose settings by."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean
from types import TracebackType
from typing import Self

from dsel.config import (
    EvaluateSettings,
    ExportSettings,
    PlaceSettings,
    SelectSettings,
    StudentSettings,
)
from dsel.config.base import fingerprint
from dsel.pipeline.evaluate import seeds_by_choice
from dsel.pipeline.held_out import Validation
from dsel.pipeline.launch import students_on
from dsel.pipeline.student_progress import told
from dsel.pipeline.tasks import Finished, HeldOutTask, StudentTask, TaskRunner, WantedSet
from dsel.pipeline.training import resolved
from dsel.pipeline.training_sets import OWN, RunSets
from dsel.runs import Run
from dsel.runs.evaluations import FOLDER
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """What to try: the set of some settings, or random whole images of the same budget.

    name: of the set. steps and seeds: of the students; 0 are those of the trials. first: added to
    the seed of the first student.
    """

    select: SelectSettings
    name: str = OWN
    steps: int = 0
    seeds: int = 0
    first: int = 0


class Trials:
    """Trains students of candidate settings of a run, and tests them on validation images.

    Students are stored in the run, so that the same trial is done once. A context, which ends the
    workers.
    """

    def __init__(
        self,
        run: Run,
        validation: Validation,
        student: StudentSettings,
        export: ExportSettings,
        place: PlaceSettings | None = None,
    ) -> None:
        """place: where students are trained; by default in this process."""
        if not isinstance(validation, Validation):
            raise TypeError(f"settings are chosen by a Validation: {type(validation).__name__}")
        self.validation = validation
        self.student, self._export = student, export.composed()
        self._sets = RunSets(run, SelectSettings(), (), export)
        self._place = place or PlaceSettings()
        self._runner: TaskRunner | None = None
        self._is_read = False

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

    def check(self) -> int:
        """Return the side of the students' images; raises `SettingError` for what cannot train."""
        settings = resolved(self._settings(), self._sets.image_px)
        self._sets.check_labels(settings, self.validation.source)
        return settings.student_px

    def read(self) -> Generator[Event, None, None]:
        """Read the validation images, once; no test of the run accepts them from then on."""
        if not self._is_read:
            side = self.check()  # first, so that a refused call uses up no images
            self.validation.record()
            yield from self._trainers.run([HeldOutTask(side)])
            self._is_read = True

    def run(self, attempts: Sequence[Attempt]) -> Generator[Event, None, list[Trial]]:
        """Try settings, all of them at a time where there are workers; returns the trials."""
        yield from self.read()
        wanted = [one for attempt in attempts for one in self._students(attempt)]
        tasks = [StudentTask(one, seed, shard) for shard, (one, seed) in enumerate(wanted)]
        found: dict[int, float] = {}
        folder = self._sets.subject.folder / FOLDER
        for event in told(folder, self._trainers.stream(tasks), len(tasks)):
            if isinstance(event, Finished):
                found[event.number] = event.result.student.last
                yield Progress(0, f"{tasks[event.number].wanted.label}: {found[event.number]:.1%}")
            else:
                yield event
        accuracies = iter([found[number] for number in range(len(tasks))])
        counts = [one.seeds or self.student.seeds for one in attempts]
        return [Trial(tuple(islice(accuracies, count))) for count in counts]

    def __enter__(self) -> Self:
        threads = self.student.threads
        runner = students_on(self._sets, self.validation, threads, self._place)
        runner.__enter__()
        self._runner, self._is_read = runner, False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._trainers.__exit__(kind, error, trace)
        self._runner = None

    @property
    def _trainers(self) -> TaskRunner:
        assert self._runner is not None, "trials are run in their context"
        return self._runner

    def _students(self, attempt: Attempt) -> Iterator[tuple[WantedSet, int]]:
        """Yield the set and the seed of each student."""
        select = attempt.select
        sets = self._sets.with_select(select)
        how = self._settings(attempt.steps, attempt.seeds, attempt.first)
        settings = resolved(how, sets.image_px)
        for seeds in seeds_by_choice(sets, attempt.name, select.ipc, settings):
            wanted = WantedSet(attempt.name, select.ipc, seeds[0], settings, select)
            yield from ((wanted, seed) for seed in seeds)

    def _settings(self, steps: int = 0, seeds: int = 0, first: int = 0) -> EvaluateSettings:
        student = EvaluateSettings(**self.student.plain())
        return student.replace(
            steps=steps or student.steps, seeds=seeds or student.seeds, seed=student.seed + first
        )
