"""Train students on a set and on baselines of equal budget, and test them: events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from dsel import __version__
from dsel.config import EvaluateSettings
from dsel.config.base import fingerprint
from dsel.core.baselines.registry import BASELINES
from dsel.errors import SettingError
from dsel.locks import locked
from dsel.pipeline.evaluation_rows import compared, evaluation_row, headline
from dsel.pipeline.held_out import HeldOutTest
from dsel.pipeline.training import StudentTrainer, how_trained, resolved
from dsel.pipeline.training_sets import OWN, TrainingSet, TrainingSets
from dsel.runs.evaluations import (
    FOLDER,
    Evaluation,
    EvaluationRow,
    StudentResult,
    read_evaluation,
    write_evaluation,
)
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
        work = _Work(sets, StudentTrainer(test, images, settings), settings, evaluation)
        for ipc in ipcs:
            for name in names:
                yield from work.train(name, ipc)
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


@dataclass(slots=True)
class _Work:
    """An evaluation in progress."""

    sets: TrainingSets
    trainer: StudentTrainer
    settings: EvaluateSettings
    evaluation: Evaluation

    def train(self, name: str, ipc: int) -> Iterator[Event]:
        """Train the students of one set that are not stored yet."""
        row = self.evaluation.row(name, ipc)
        students = {student.seed: student for student in row.students} if row else {}
        for seeds in seeds_by_choice(self.sets, name, ipc, self.settings):
            missing = [seed for seed in seeds if seed not in students]
            if not missing:
                continue
            training_set = compose(self.sets, name, ipc, self.settings, missing[0])
            for notice in self._check(name, ipc, training_set):
                yield Notice(notice)
            for event in self.trainer.train(training_set, missing):
                if isinstance(event, StudentResult):
                    students[event.seed] = event
                    self._store(evaluation_row(name, ipc, training_set, students.values()))
                    yield Progress(0, f"{name} at IPC {ipc}: {event.last:.1%}")
                elif isinstance(event, Progress):
                    yield Progress(event.count, f"{name} at IPC {ipc}, {event.note}")
                else:
                    yield event

    def _check(self, name: str, ipc: int, training_set: TrainingSet) -> list[str]:
        """Return, and note in the evaluation, what is not equal about the budget of a set."""
        own = self.evaluation.row(OWN, ipc)
        texts = list(training_set.shortfalls)
        images = sum(training_set.per_class)
        if own is not None and images != own.images:
            texts.append(
                f"unequal budget at IPC {ipc}: {name} has {images} images, {OWN} {own.images}"
            )
        new = [text for text in texts if text not in self.evaluation.notices]
        self.evaluation = replace(self.evaluation, notices=(*self.evaluation.notices, *new))
        return new

    def _store(self, row: EvaluationRow) -> None:
        rows = {(one.name, one.ipc): one for one in self.evaluation.rows}
        rows[row.name, row.ipc] = row
        self.evaluation = replace(self.evaluation, rows=compared(tuple(rows.values())))
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
