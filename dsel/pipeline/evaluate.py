"""Train students on a set and on baselines of equal budget, and test them: events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from dsel import __version__
from dsel.config import EvaluateSettings
from dsel.config.base import fingerprint
from dsel.core.baselines.registry import BASELINES
from dsel.locks import locked
from dsel.pipeline.evaluation_rows import compared, evaluation_row, headline
from dsel.pipeline.held_out import HeldOutTest
from dsel.pipeline.student_progress import told
from dsel.pipeline.student_worker import StudentsHere, StudentWorker, Trained
from dsel.pipeline.tasks import (
    ComposeTask,
    Finished,
    HeldOutTask,
    StudentTask,
    TaskRunner,
    WantedSet,
)
from dsel.pipeline.training import how_trained, resolved
from dsel.pipeline.training_set import SetFacts
from dsel.pipeline.training_sets import OWN, TrainingSets
from dsel.runs.evaluations import FOLDER, Evaluation, read_evaluation, write_evaluation
from dsel.types import Done, Event, Notice, Progress, Started

Row: TypeAlias = tuple[str, int]
"""The name of a set, and its IPC."""


def evaluate(
    sets: TrainingSets,
    test: HeldOutTest,
    settings: EvaluateSettings,
    runner: TaskRunner | None = None,
) -> Iterator[Event]:
    """Train students on the set and on each baseline at each IPC, and store what they score.

    runner: trains the students, and is closed at the end; by default this process does. The same
    call again resumes after the last finished student. `Done` names the evaluation. Raises
    `StorageError` while another process trains students in this folder.
    """
    if not isinstance(test, HeldOutTest):
        raise TypeError(f"evaluate takes a HeldOutTest, got {type(test).__name__}")
    with runner or StudentsHere(StudentWorker(sets, test), settings.threads) as trainers:
        work = _evaluate(sets, test, settings, trainers)
        yield from locked(sets.subject.folder / FOLDER, work)


def _evaluate(
    sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings, runner: TaskRunner
) -> Iterator[Event]:
    settings = resolved(settings, sets.image_px)
    ipcs, names = _plan(sets, test, settings)
    begun = yield from _begin(sets, test, settings, ipcs, names, runner)
    evaluation = begun.evaluation
    if not evaluation.complete:
        yield from runner.run([HeldOutTask(settings.student_px)])
        done = sum(len(row.students) for row in evaluation.rows)
        students = len(names) * len(ipcs) * settings.seeds
        yield Started("evaluate", students * settings.steps, "steps", done * settings.steps)
        wanted = tuple((name, ipc) for ipc in ipcs for name in names)
        work = _Work(sets, settings, wanted, begun.own_images, evaluation)
        yield from work.train(runner)
        evaluation = work.finish()
    yield Done("evaluate", {"evaluation": evaluation.fingerprint, **headline(evaluation)})


def planned(
    sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings
) -> dict[str, int | str]:
    """Return the work that `evaluate` would do; nothing is composed or trained."""
    ipcs, names = _plan(sets, test, settings)
    return {
        "sets": len(names) * len(ipcs),
        "students": len(names) * len(ipcs) * settings.seeds,
        "steps": len(names) * len(ipcs) * settings.seeds * settings.steps,
        "student_px": resolved(settings, sets.image_px).student_px,
        "test_images": test.source.images,
        "test": test.source.fingerprint,
    }


def _plan(
    sets: TrainingSets, test: HeldOutTest, settings: EvaluateSettings
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the IPCs and the names of the sets."""
    sets.check_labels(settings, test.source)
    ipcs = tuple(dict.fromkeys(settings.ipcs or (sets.select.ipc,)))
    return ipcs, (OWN, *sets.check(settings.baselines, ipcs))


@dataclass(frozen=True, slots=True)
class _Begun:
    evaluation: Evaluation
    own_images: Mapping[int, int]


def _begin(
    sets: TrainingSets,
    test: HeldOutTest,
    settings: EvaluateSettings,
    ipcs: Sequence[int],
    names: Sequence[str],
    runner: TaskRunner,
) -> Generator[Event, None, _Begun]:
    """Return the stored evaluation of these sets, or store a new one without students."""
    subject = sets.subject
    yield from map(Notice, sets.notices)
    yield Started("compose", len(ipcs), "sets")
    wanted = (WantedSet(OWN, ipc, settings.seed, settings) for ipc in ipcs)
    own = yield from runner.run([ComposeTask(one, number) for number, one in enumerate(wanted)])
    own_images = {ipc: facts.images for ipc, facts in zip(ipcs, own, strict=True)}
    contents = []
    for ipc, facts in zip(ipcs, own, strict=True):
        contents.append(facts.fingerprint)
        # A teacher or a file of true objects may change while its name stays.
        contents += [sets.choice(name, ipc, settings.seed) for name in names if _needs_more(name)]
    name = fingerprint(
        __version__, sets.made_of, sets.select, settings, how_trained(settings), contents,
        test.source.fingerprint,
    )  # fmt: skip
    stored = read_evaluation(subject.folder, name)
    if stored is not None:
        return _Begun(stored, own_images)
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
    return _Begun(evaluation, own_images)


def _needs_more(name: str) -> bool:
    """Whether a set is chosen by more than the run: by a teacher, or by true objects."""
    return name in BASELINES and BASELINES[name].needs is not None


@dataclass(slots=True)
class _Work:
    """An evaluation in progress; `wanted` are the names and IPCs of its sets.

    own_images: of the evaluated set at each IPC. found: what is not equal about the budget of sets.
    """

    sets: TrainingSets
    settings: EvaluateSettings
    wanted: Sequence[Row]
    own_images: Mapping[int, int]
    evaluation: Evaluation
    before: tuple[str, ...] = ()
    found: dict[Row, tuple[str, ...]] = field(default_factory=dict)

    def train(self, runner: TaskRunner) -> Iterator[Event]:
        """Train the students that the evaluation does not have yet."""
        self.before = self.evaluation.notices
        missing = [one for row in self.wanted for one in self._missing(*row)]
        tasks = [StudentTask(one, seed, shard) for shard, (one, seed) in enumerate(missing)]
        folder, total = self.sets.subject.folder / FOLDER, len(self.wanted) * self.settings.seeds
        for event in told(folder, runner.stream(tasks), total, total - len(tasks)):
            if isinstance(event, Finished):
                yield from self._received(tasks[event.number].wanted, event.result)
            else:
                yield event

    def _missing(self, name: str, ipc: int) -> Iterator[tuple[WantedSet, int]]:
        row = self.evaluation.row(name, ipc)
        done = {student.seed for student in row.students} if row else set()
        for seeds in seeds_by_choice(self.sets, name, ipc, self.settings):
            wanted = WantedSet(name, ipc, seeds[0], self.settings)
            yield from ((wanted, seed) for seed in seeds if seed not in done)

    def _received(self, wanted: WantedSet, trained: Trained) -> Iterator[Event]:
        known = self.evaluation.notices
        self._check(wanted, trained.facts)
        self._store(wanted, trained)
        yield from (Notice(text) for text in self.evaluation.notices if text not in known)
        yield Progress(0, f"{wanted.label}: {trained.student.last:.1%}")

    def _check(self, wanted: WantedSet, facts: SetFacts) -> None:
        """Note what is not equal about the budget of a set: in the order of the sets."""
        name, ipc = wanted.name, wanted.ipc
        texts, ours = list(facts.shortfalls), self.own_images[ipc]
        if facts.images != ours:
            texts.append(
                f"unequal budget at IPC {ipc}: {name} has {facts.images} images, {OWN} {ours}"
            )
        before = self.found.get((name, ipc), ())
        self.found[name, ipc] = tuple(dict.fromkeys((*before, *texts)))
        told = (text for row in self.wanted for text in self.found.get(row, ()))
        notices = tuple(dict.fromkeys((*self.before, *told)))
        self.evaluation = replace(self.evaluation, notices=notices)

    def _store(self, wanted: WantedSet, trained: Trained) -> None:
        rows = {(one.name, one.ipc): one for one in self.evaluation.rows}
        key = wanted.name, wanted.ipc
        before = rows[key].students if key in rows else ()
        rows[key] = evaluation_row(*key, trained.facts, (*before, trained.student))
        ordered = tuple(rows[key] for key in self.wanted if key in rows)
        self.evaluation = replace(self.evaluation, rows=compared(ordered))
        write_evaluation(self.sets.subject.folder, self.evaluation)

    def finish(self) -> Evaluation:
        """Store the evaluation as complete."""
        self.evaluation = replace(self.evaluation, complete=True)
        write_evaluation(self.sets.subject.folder, self.evaluation)
        return self.evaluation


def seeds_by_choice(
    sets: TrainingSets, name: str, ipc: int, settings: EvaluateSettings
) -> list[list[int]]:
    """Group the students' seeds by what the set holds: a random baseline chooses anew for each."""
    groups: dict[str, list[int]] = {}
    for seed in range(settings.seed, settings.seed + settings.seeds):
        groups.setdefault(sets.choice(name, ipc, seed), []).append(seed)
    return list(groups.values())
