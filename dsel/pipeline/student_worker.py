"""A worker that composes sets and trains students of them, and the runner of one in this process.

Whoever trains a student reads the held-out images, composes its set and stores its accuracies
itself. Sets and students follow from their names and seeds, so that it does not matter where.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from dsel.errors import SettingError
from dsel.pipeline.background import BackgroundWriter
from dsel.pipeline.cutting import open_again
from dsel.pipeline.held_out import HeldOut, Subject
from dsel.pipeline.parallel import merged
from dsel.pipeline.reporting import Reporter
from dsel.pipeline.tasks import (
    ComposeTask,
    Finished,
    HeldOutTask,
    StudentTask,
    StudentWork,
    WantedSet,
    Work,
    collected,
)
from dsel.pipeline.training import StudentTrainer
from dsel.pipeline.training_set import SetFacts, TrainingSet
from dsel.pipeline.training_sets import RunSets, SetsRecipe, TrainingSets
from dsel.runs.evaluations import FOLDER, HeldOutSource, StudentResult
from dsel.students.records import LabelledImages, Outcome
from dsel.types import Event, Progress

SETS_KEPT: Final = 2
"""Composed sets that stay in memory: the students of one come after another."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A student, and the set that it was trained on."""

    facts: SetFacts
    student: StudentResult


@dataclass(frozen=True, slots=True)
class StudentRecipe:
    """All that a worker needs to train students, wherever it runs.

    subject: whose folder stores them. held_out: how to open the held-out images again.
    """

    sets: SetsRecipe
    subject: Subject
    held_out: HeldOutSource
    threads: int = 0
    device: str = "auto"

    @property
    def path(self) -> Path:
        """The folder in which workers say what they do."""
        return self.subject.folder / FOLDER

    def on(self, device: str) -> Self:
        """Return the same on another device."""
        return replace(self, device=device)

    def with_threads(self, threads: int) -> Self:
        """Return the same with so many threads for each student; 0 for all."""
        return replace(self, threads=threads)

    def open(self) -> StudentWorker:
        """Open the sets and the held-out images; raises `SettingError` for other images."""
        import torch

        from dsel.students.training import choose_device

        if self.device.startswith("cuda:"):
            torch.cuda.set_device(self.device)
        torch.set_num_threads(self.threads or torch.get_num_threads())
        held_out = HeldOut(self.subject, open_again(self.held_out.origin))
        if held_out.source.fingerprint != self.held_out.fingerprint:
            raise SettingError(
                f"a worker finds other images at {self.held_out.source} than the command does: all "
                "must reach the same files"
            )
        is_named = self.device.startswith("cuda:")  # elsewhere Ray or the system chooses
        reporter = Reporter(self.path, self.device if is_named else str(choose_device()), "")
        return StudentWorker(self.sets.open(), held_out, self.threads, reporter)


class StudentWorker:
    """Composes sets, and trains students of them on held-out images.

    threads: of each student, 0 for all. reporter: tells other processes how far a student is.
    """

    images, calls, seconds = 0, 0, 0.0

    def __init__(
        self, sets: TrainingSets, held_out: HeldOut, threads: int = 0,
        reporter: Reporter | None = None,
    ) -> None:  # fmt: skip
        self._sets, self._held_out = sets, held_out
        self._threads, self._reporter = threads, reporter
        self._images: dict[int, LabelledImages] = {}
        self._composed: OrderedDict[tuple[Any, ...], TrainingSet] = OrderedDict()

    def work(
        self,
        task: StudentWork,
        writer: BackgroundWriter,  # noqa: ARG002
    ) -> Generator[Event, None, Any]:
        """Do a task; returns its result."""
        events = self.begun(task, self._threads)
        if self._reporter is None or not isinstance(task, StudentTask):
            return (yield from events)
        return (yield from self._reporter.reported(events, task, task.wanted.settings.steps))

    def begun(self, task: StudentWork, threads: int) -> Generator[Event, None, Any]:
        """Compose the set of a task; what is left to do may run in another thread."""
        if isinstance(task, HeldOutTask):
            return self._read(task.image_px)
        training_set = self._compose(task.wanted)
        if isinstance(task, ComposeTask):
            return _counted(training_set.facts)
        images = self._held_out_images(task.wanted.settings.student_px)
        return self._student(task, training_set, images, threads)

    def close(self) -> None:
        """Remove the report on the work."""
        if self._reporter is not None:
            self._reporter.close()

    def _read(self, image_px: int) -> Generator[Event, None, None]:
        self._images[image_px] = yield from self._held_out.read(image_px)

    def _held_out_images(self, image_px: int) -> LabelledImages:
        if image_px not in self._images:
            for _ in self._read(image_px):
                pass  # whoever was the first to read them has told
        return self._images[image_px]

    def _compose(self, wanted: WantedSet) -> TrainingSet:
        """Compose a set, or return it as it was composed just before."""
        settings = wanted.settings
        key = (
            wanted.name, wanted.ipc, wanted.seed, wanted.select, settings.student_px,
            settings.unpack, settings.recipe,
        )  # fmt: skip
        if key not in self._composed:
            sets = self._sets
            if wanted.select is not None and isinstance(sets, RunSets):
                sets = sets.with_select(wanted.select)
            found = sets.compose(wanted.name, wanted.ipc, wanted.seed, settings)
            if not len(found.images.labels):
                raise SettingError(
                    f"the set {wanted.name} has no images at IPC {wanted.ipc}: nothing can be "
                    "trained"
                )
            self._composed[key] = found
        self._composed.move_to_end(key)
        while len(self._composed) > SETS_KEPT:
            self._composed.popitem(last=False)
        return self._composed[key]

    def _student(
        self, task: StudentTask, training_set: TrainingSet, images: LabelledImages, threads: int
    ) -> Generator[Event, None, Trained]:
        """Train a student, unless it is stored; progress counts its steps in any case."""
        trainer = StudentTrainer(self._held_out, images, task.wanted.settings)
        result = trainer.stored(training_set).get(task.seed)
        if result is None:
            for event in trainer.outcome(training_set, task.seed, threads):
                if isinstance(event, Outcome):
                    result = trainer.store(training_set, event)
                elif isinstance(event, Progress):
                    yield Progress(event.count, f"{task.wanted.label}, {event.note}")
                else:
                    yield event
        else:
            yield Progress(task.wanted.settings.steps)
        assert result is not None  # training ends with an outcome
        return Trained(training_set.facts, result)


def _counted(facts: SetFacts) -> Generator[Event, None, SetFacts]:
    yield Progress()
    return facts


class StudentsHere:
    """Runs tasks with one worker in this process; students are trained some at a time, in threads.

    threads: of all students together, 0 for all of the processor.
    """

    workers = 1

    def __init__(self, worker: StudentWorker, threads: int = 0) -> None:
        self._worker, self._threads = worker, threads

    def run(self, tasks: Sequence[Work]) -> Generator[Event, None, list[Any]]:
        """Run tasks; returns their results in order."""
        return (yield from collected(self.stream(tasks), len(tasks)))

    def stream(self, tasks: Sequence[Work]) -> Generator[Event | Finished, None, None]:
        """Run tasks; yields the end of each among the events. Sets are composed in this thread."""
        if not any(isinstance(task, StudentTask) for task in tasks):
            yield from merged(self._streams(tasks, self._threads), 1)
            return
        from dsel.students.training import divide_threads, limit_threads

        at_once, threads = divide_threads(self._threads, len(tasks))
        with limit_threads(threads):
            yield from merged(self._streams(tasks, threads), at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._worker.close()

    def _streams(
        self, tasks: Sequence[Work], threads: int
    ) -> Iterator[Generator[Event | Finished, None, None]]:
        for number, task in enumerate(tasks):
            yield _finishing(number, self._worker.begun(task, threads))  # type: ignore[arg-type]


def _finishing(
    number: int, events: Generator[Event, None, Any]
) -> Generator[Event | Finished, None, None]:
    result = yield from events
    yield Finished(number, result)
