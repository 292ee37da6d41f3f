"""Train students on a set and on baselines of equal budget, and test them: events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from dsel import __version__
from dsel.config import EvaluateSettings
from dsel.config.base import fingerprint
from dsel.core.baselines.registry import BASELINES
from dsel.errors import SettingError
from dsel.locks import locked
from dsel.pipeline.evaluation_rows import compared, evaluation_row, headline
from dsel.pipeline.held_out import HeldOutTest
from dsel.pipeline.parallel import merged
from dsel.pipeline.training import StudentTrainer, how_trained, resolved
from dsel.pipeline.training_sets import OWN, TrainingSet, TrainingSets
from dsel.runs.evaluations import (
    FOLDER,
    Evaluation,
    StudentResult,
    read_evaluation,
    write_evaluation,
)
from dsel.students.records import Outcome
from dsel.types import Done, Event, Notice, Progress, Started


def evaluate(sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings) -> Iterator[Event]:
    """Train students on the set and on each baseline at each IPC, and store what they score.

    The same call again resumes after the last finished student. `Done` names the evaluation.
    Raises `StorageError` while another process trains students in this folder.
    """
    if not isinstance(test, HeldOutTest):
        raise TypeError(f"evaluate takes a HeldOutTest, got {type(test).__name__}")
    yield from locked(sets.subject.folder / FOLDER, _evaluate(sets, test, settings))


def _evaluate(sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings) -> Iterator[Event]:
    settings = resolved(settings, sets.image_px)
    ipcs, names = _plan(sets, settings)
    evaluation = yield from _begin(sets, test, settings, ipcs, names)
    if not evaluation.complete:
        images = yield from test.read(settings.student_px)
        done = sum(len(row.students) for row in evaluation.rows)
        students = len(names) * len(ipcs) * settings.seeds
        yield Started("evaluate", students * settings.steps, "steps", done * settings.steps)
        wanted = tuple((name, ipc) for ipc in ipcs for name in names)
        trainer = StudentTrainer(test, images, settings)
        work = _Work(sets, trainer, settings, evaluation, wanted)
        yield from work.train(students - done)
        evaluation = work.finish()
    yield Done("evaluate", {"evaluation": evaluation.fingerprint, **headline(evaluation)})


def planned(
    sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings
) -> dict[str, int | str]:
    """Return the work that `evaluate` would do; nothing is composed or trained."""
    ipcs, names = _plan(sets, settings)
    return {
        "sets": len(names) * len(ipcs),
        "students": len(names) * len(ipcs) * settings.seeds,
        "steps": len(names) * len(ipcs) * settings.seeds * settings.steps,
        "student_px": resolved(settings, sets.image_px).student_px,
        "test_images": test.source.images,
        "test": test.source.fingerprint,
    }


def _plan(
    sets: TrainingSets, settings: EvaluateSettings
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the IPCs and the names of the sets."""
    ipcs = tuple(dict.fromkeys(settings.ipcs or (sets.select.ipc,)))
    return ipcs, (OWN, *sets.check(settings.baselines, ipcs))


def _begin(
    sets: TrainingSets,
    test: HeldOutTest,
    settings: EvaluateSettings,
    ipcs: Sequence[int],
    names: Sequence[str],
) -> Generator[Event, None, Evaluation]:
    """Return the stored evaluation of these sets, or store a new one without students."""
    subject = sets.subject
    yield from map(Notice, sets.notices)
    yield Started("compose", len(ipcs), "sets")
    contents = []
    for ipc in ipcs:
        contents.append(compose(sets, OWN, ipc, settings).fingerprint)
        # A teacher or a file of true objects may change while its name stays.
        contents += [sets.choice(name, ipc, settings.seed) for name in names if _needs_more(name)]
        yield Progress()
    name = fingerprint(
        __version__, sets.made_of, sets.select, settings, how_trained(settings), contents,
        test.source.fingerprint,
    )  # fmt: skip
    stored = read_evaluation(subject.folder, name)
    if stored is not None:
        return stored
    evaluation = Evaluation(
        fingerprint=name,
        complete=False,
        settings=settings,
        select=sets.select.plain(),
        selection=sets.selection,
        made_of=sets.made_of,
        test=test.source,
        validation=False,
        classes=subject.classes,
        notices=sets.notices,
        is_export=sets.is_export,
    )
    # Before any student is tested, so that no sweep takes these images for its choices.
    write_evaluation(subject.folder, evaluation)
    return evaluation


def _needs_more(name: str) -> bool:
    """Whether a set is chosen by more than the run: by a teacher, or by true objects."""
    return name in BASELINES and BASELINES[name].needs is not None


@dataclass(frozen=True, slots=True)
class _Student:
    """A student to train, the set that it is trained on, and what is to be said of that set."""

    name: str
    ipc: int
    training_set: TrainingSet
    seed: int
    notices: tuple[str, ...]


_Trained: TypeAlias = tuple[_Student, "StudentResult | Outcome | Event"]


@dataclass(slots=True)
class _Work:
    """An evaluation in progress; `wanted` are the names and IPCs of its sets."""

    sets: TrainingSets
    trainer: StudentTrainer
    settings: EvaluateSettings
    evaluation: Evaluation
    wanted: Sequence[tuple[str, int]]
    own_images: dict[int, int] = field(default_factory=dict)

    def train(self, count: int) -> Iterator[Event]:
        """Train the `count` students that the evaluation does not have yet, some at a time."""
        from dsel.students.training import divide_threads, limit_threads

        at_once, threads = divide_threads(self.settings.threads, count)
        with limit_threads(threads):
            streams = (
                self._stream(student, threads)
                for name, ipc in self.wanted
                for student in self._missing(name, ipc)
            )
            for student, event in merged(streams, at_once):
                yield from self._received(student, event)

    def _missing(self, name: str, ipc: int) -> Iterator[_Student]:
        row = self.evaluation.row(name, ipc)
        done = {student.seed for student in row.students} if row else set()
        for seeds in seeds_by_choice(self.sets, name, ipc, self.settings):
            missing = [seed for seed in seeds if seed not in done]
            if missing:
                training_set = compose(self.sets, name, ipc, self.settings, missing[0])
                notices = self._check(name, ipc, training_set)
                for seed in missing:
                    yield _Student(name, ipc, training_set, seed, notices)
                    notices = ()

    def _stream(self, student: _Student, threads: int) -> Generator[_Trained, None, None]:
        """Yield what happens while a student is trained; nothing is stored here."""
        for notice in student.notices:
            yield student, Notice(notice)
        stored = self.trainer.stored(student.training_set).get(student.seed)
        if stored is not None:
            yield student, Progress(self.settings.steps)
            yield student, stored
            return
        for event in self.trainer.outcomes(student.training_set, [student.seed], threads):
            yield student, event

    def _received(
        self, student: _Student, event: StudentResult | Outcome | Event
    ) -> Iterator[Event]:
        name = f"{student.name} at IPC {student.ipc}"
        if isinstance(event, Outcome):
            event = self.trainer.store(student.training_set, event)
        if isinstance(event, StudentResult):
            self._store(student, event)
            yield Progress(0, f"{name}: {event.last:.1%}")
        elif isinstance(event, Progress):
            yield Progress(event.count, f"{name}, {event.note}")
        else:
            yield event

    def _check(self, name: str, ipc: int, training_set: TrainingSet) -> tuple[str, ...]:
        """Return, and note in the evaluation, what is not equal about the budget of a set."""
        images = sum(training_set.per_class)
        if name == OWN:
            self.own_images[ipc] = images
        own = self.evaluation.row(OWN, ipc)
        ours = own.images if own is not None else self.own_images[ipc]
        texts = list(training_set.shortfalls)
        if images != ours:
            texts.append(f"unequal budget at IPC {ipc}: {name} has {images} images, {OWN} {ours}")
        new = tuple(text for text in texts if text not in self.evaluation.notices)
        self.evaluation = replace(self.evaluation, notices=(*self.evaluation.notices, *new))
        return new

    def _store(self, student: _Student, result: StudentResult) -> None:
        rows = {(one.name, one.ipc): one for one in self.evaluation.rows}
        key = student.name, student.ipc
        before = rows[key].students if key in rows else ()
        rows[key] = evaluation_row(*key, student.training_set, (*before, result))
        ordered = tuple(rows[key] for key in self.wanted if key in rows)
        self.evaluation = replace(self.evaluation, rows=compared(ordered))
        write_evaluation(self.sets.subject.folder, self.evaluation)

    def finish(self) -> Evaluation:
        """Store the evaluation as complete."""
        self.evaluation = replace(self.evaluation, complete=True)
        write_evaluation(self.sets.subject.folder, self.evaluation)
        return self.evaluation


def compose(
    sets: TrainingSets, name: str, ipc: int, settings: EvaluateSettings, seed: int | None = None
) -> TrainingSet:
    """Compose a set for these students; raises `SettingError` if it is empty."""
    at = settings.seed if seed is None else seed
    training_set = sets.compose(name, ipc, at, settings)
    if not len(training_set.images.labels):
        raise SettingError(f"the set {name} has no images at IPC {ipc}: nothing can be trained")
    return training_set


def seeds_by_choice(
    sets: TrainingSets, name: str, ipc: int, settings: EvaluateSettings
) -> list[list[int]]:
    """Group the students' seeds by what the set holds: a random baseline chooses anew for each."""
    groups: dict[str, list[int]] = {}
    for seed in range(settings.seed, settings.seed + settings.seeds):
        groups.setdefault(sets.choice(name, ipc, seed), []).append(seed)
    return list(groups.values())
