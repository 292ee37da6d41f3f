"""Runs the tasks of jobs as generators of events; loaded priors stay loaded."""

from __future__ import annotations

import math
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias, TypeVar, cast

from dsel.analysis.advice import advise
from dsel.analysis.explorer import Explorer
from dsel.analysis.report import Plan, write_report
from dsel.app.hub_login import current_login, forget_login
from dsel.app.jobs.tasks import (
    RUN_WORD,
    AdviseTask,
    EvaluateTask,
    ExportTask,
    HeldOutTask,
    PushTask,
    ReportTask,
    ScoreTask,
    Task,
)
from dsel.config import LaunchSettings, PlaceSettings, PriorSettings
from dsel.data import open_dataset
from dsel.data.spec import spell_source
from dsel.errors import DselError, RunError, SettingError, StorageError
from dsel.files import files_below
from dsel.locks import HOLDER
from dsel.pipeline.chosen import export_images
from dsel.pipeline.evaluate import evaluate
from dsel.pipeline.export import export_selections
from dsel.pipeline.held_out import HeldOut, HeldOutTest, Subject, Validation, subject_of
from dsel.pipeline.launch import is_here, score_on, students_on
from dsel.pipeline.push import check_push, hub_api, push
from dsel.pipeline.score import fit_layouts, score
from dsel.pipeline.select import select_classes
from dsel.pipeline.serving import Recipe
from dsel.pipeline.training_sets import RunSets
from dsel.pipeline.trials import Trials
from dsel.priors import load_prior
from dsel.runs import Run, open_run
from dsel.runs.evaluations import list_evaluations
from dsel.types import Dataset, Done, Event, Prior, Progress, Started

DEMO: Final = "demo"
PRIORS_KEPT: Final = 2
LEAST_S: Final = 30
MOST_S: Final = 300
LOADING_S: Final = 20
PER_SECOND: Final = 150
"""Assumed evaluations per second of an accelerator, for a prior of unknown size."""

PER_SECOND_DEMO: Final = 3000
SHARD_S: Final = 30
WAIT_S: Final = 1.0
SHARE_USED: Final = 0.8
"""The share of the borrowed seconds to use: a shard that takes longer is lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one job; 0 is no limit."""

    images: int = 200_000
    evaluations: int = 0


T = TypeVar("T")
Events: TypeAlias = Generator[T, None, None]
Portion: TypeAlias = Callable[[ScoreTask, Path, int], Events[Event | DselError]]
Accelerate: TypeAlias = Callable[[Portion, Callable[[ScoreTask, Path, int], int]], Portion]
"""(function that needs an accelerator, its seconds) -> the same function, which borrows one.

Both functions get the same arguments, which are sent to another process; its events come back.
"""


class Priors:
    """Loaded priors: those used last stay loaded, so that the next job with them starts at once.

    Only one of them may be other than the demo prior: two may not fit in memory.
    """

    def __init__(
        self, load: Callable[[PriorSettings], Prior] = load_prior, most: int = PRIORS_KEPT
    ) -> None:
        self._load, self._most = load, most
        self._lock = Lock()
        self._kept: OrderedDict[PriorSettings, Prior] = OrderedDict()

    def get(self, settings: PriorSettings) -> Prior:
        """Return the prior of these settings, and load it if necessary."""
        with self._lock:
            if settings not in self._kept:
                self._make_room(settings)
                self._kept[settings] = self._load(settings)
            self._kept.move_to_end(settings)
            return self._kept[settings]

    def _make_room(self, settings: PriorSettings) -> None:
        if settings.prior != DEMO:
            for large in [key for key in self._kept if key.prior != DEMO]:
                del self._kept[large]
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)


class JobRunner:
    """Runs tasks as generators of events.

    accelerate: borrows an accelerator that is lent for seconds only. open_explorer: opens a run, so
    that exports can use what an open run has computed. charge: counts the evaluations that the job
    in a folder will take at most, and raises a `DselError` if they are too many.
    """

    def __init__(
        self,
        priors: Priors | None = None,
        limits: Limits | None = None,
        accelerate: Accelerate | None = None,
        open_explorer: Callable[[Path], Explorer] | None = None,
    ) -> None:
        self.priors = priors or Priors()
        self.limits = limits or Limits()
        self.charge: Callable[[Path, int], None] = lambda _folder, _evaluations: None
        self._explorer = open_explorer or (lambda path: Explorer(open_run(path)))
        self._lent = accelerate is not None
        self._portion = accelerate(self._score, seconds_of) if accelerate else self._score
        self._opened: dict[Path, Dataset] = {}

    def fitted(self, task: Task) -> Task:
        """Return the same task, in shards that fit into the time of a borrowed accelerator.

        There it runs on torch, because each portion would compile the network again.
        """
        if not self._lent or not isinstance(task, ScoreTask):
            return task
        most = max(round(SHARD_S * _rate(task) / task.settings.most_evaluations), 1)
        size = min(task.settings.shard_size, most)
        prior = task.prior.replace(backend="torch")
        return replace(task, prior=prior, settings=task.settings.replace(shard_size=size))

    def events(self, task: Task, folder: Path) -> Events[Event]:
        """Run a task in its folder; the same call again resumes it."""
        if isinstance(task, ExportTask):
            return self._export(task, folder)
        if isinstance(task, PushTask):
            return self._push(task, folder)
        if isinstance(task, ReportTask):
            return self._report(task, folder)
        if isinstance(task, EvaluateTask):
            return self._evaluate(task, folder)
        if isinstance(task, AdviseTask):
            return self._advise(task)
        return self._portions(task, folder)

    def _portions(self, task: ScoreTask, folder: Path) -> Events[Event]:
        """Score in one portion, or in as many as a borrowed accelerator needs."""
        yield Started("open", 1, "sources")
        dataset = self._opened[folder] = open_dataset(task.source, task.source_settings)
        try:
            self._check(task, folder, dataset)
            yield Progress()
            while not (yield from self._once(task, folder, len(dataset.refs))):
                pass
        finally:
            del self._opened[folder]

    def _once(self, task: ScoreTask, folder: Path, images: int) -> Generator[Event, None, bool]:
        """Score a portion; return whether it was the last one."""
        if self._lent and _is_scored(task, folder):
            yield from _laid_out(open_run(task.result(folder)))
            return True
        before, size = _shards(task, folder), task.settings.shard_size
        left = max(images - before * size, min(images, size))  # and further draws of a few
        with closing(self._portion(task, folder, left if self._lent else 0)) as events:
            for event in events:
                if isinstance(event, DselError):
                    raise event
                yield event
                if isinstance(event, Done):
                    return True
        if not _is_scored(task, folder) and _shards(task, folder) == before:
            raise RunError(
                f"a shard of {task.settings.shard_size} images takes longer than the accelerator "
                "is lent for: score with a smaller shard size, or fewer draws"
            )
        return False

    def _score(self, task: ScoreTask, folder: Path, left: int) -> Events[Event | DselError]:
        """Score the `left` images for as long as they should take; 0 sets no limit.

        A borrowed accelerator is returned before the layouts, which do not need it. An error is
        the last event, since exceptions lose their message between processes.
        """
        end = time.monotonic() + SHARE_USED * seconds_of(task, folder, left) if left else math.inf
        try:
            if self._is_shared(task, folder):
                scoring = _score_shared(task, folder)
            else:
                scoring = yield from self._score_here(task, folder)
            with closing(_closable(scoring)) as events:
                for event in events:
                    if left and isinstance(event, Started) and event.stage == "layout":
                        return
                    yield event
                    if time.monotonic() > end:
                        return
        except DselError as error:
            yield error

    def _is_shared(self, task: ScoreTask, folder: Path) -> bool:
        """Return whether worker processes score: one per visible device, or as many as asked for.

        A picture under several names, and a borrowed accelerator, need this process; a single shard
        is no work for several unless they are asked for.
        """
        if task.alike or self._lent:
            return False
        known = self._opened.get(folder)
        if not task.workers and (known is None or len(known.refs) <= task.settings.shard_size):
            return False
        return not is_here(task.prior.device, LaunchSettings(workers=task.workers))

    def _score_here(self, task: ScoreTask, folder: Path) -> Generator[Event, None, Iterator[Event]]:
        yield Started("load", 1, "priors")
        prior = self.priors.get(task.prior)
        yield Progress()
        known = self._opened.get(folder)
        dataset = known or open_dataset(task.source, task.source_settings)
        return score(dataset, prior, task.result(folder), task.settings, alike=task.alike)

    def _check(self, task: ScoreTask, folder: Path, dataset: Dataset) -> None:
        images, most = len(dataset.refs), self.limits
        evaluations = images * task.settings.most_evaluations
        self._check_images(images)
        if most.evaluations and evaluations > most.evaluations:
            raise SettingError(
                f"{images:,} images at these settings take {evaluations:,} evaluations of the "
                f"prior, and at most {most.evaluations:,} are allowed here: take fewer images of "
                "each class, fewer timesteps or fewer draws"
            )
        self.charge(folder, evaluations)

    def _check_images(self, images: int) -> None:
        most = self.limits.images
        if most and images > most:
            raise SettingError(
                f"the source has {images:,} images, and at most {most:,} are allowed here: take "
                "fewer of each class"
            )

    def _push(self, task: PushTask, folder: Path) -> Events[Event]:
        """Export and push; the login is forgotten at the end, however it ends."""
        try:
            login, out = current_login(), task.result(folder)
            if login is None:
                raise SettingError("nobody is logged in to the Hugging Face Hub any more: log in")
            check_push(task.repo, task.settings, out, login.token)
            yield from self._export(task, folder)
            yield Started("push", 1, "uploads")
            yield from push(out, task.repo, task.public, hub_api(login.token))
            shutil.rmtree(out, ignore_errors=True)
        finally:
            forget_login()

    def _export(self, task: ExportTask | PushTask, folder: Path) -> Events[Event]:
        explorer, out = self._explorer(Path(task.run)), task.result(folder)
        if isinstance(task, ExportTask) and task.images:
            yield from export_images(explorer, task.images, task.select, out, task.settings)
            return
        selections = yield from select_classes(explorer, task.select)
        yield from export_selections(explorer.run, selections, task.select, out, task.settings)

    def _report(self, task: ReportTask, folder: Path) -> Events[Event]:
        explorer = self._explorer(Path(task.run))
        stored = [one for path in task.folders for one in list_evaluations(Path(path))]
        plan = Plan(task.select, (*explorer.run.evaluations(), *stored))
        path = Path(RUN_WORD) if task.public else explorer.run.path.resolve()
        out = task.result(folder)
        yield from write_report(explorer, out, plan, path=path, is_public=task.public)

    def _evaluate(self, task: EvaluateTask, folder: Path) -> Events[Event]:
        run, dataset = yield from self._held_out(task)
        sets = _StoredSets(run, task.select, export=task.export)
        sets.folder = task.result(folder)
        HeldOutTest(subject_of(run), dataset)  # refuses what settings of the run were chosen by
        test = HeldOutTest(sets.subject, dataset)
        named = _named(test, task)
        place, threads = PlaceSettings(), task.settings.threads  # one worker per visible device
        yield from _when_free(
            lambda: evaluate(sets, named, task.settings, students_on(sets, named, threads, place))
        )

    def _advise(self, task: AdviseTask) -> Events[Event]:
        run, dataset = yield from self._held_out(task)
        validation = _named(Validation(subject_of(run), dataset), task)
        trials = Trials(run, validation, task.student, task.export)
        yield from _when_free(lambda: advise(run, task.select, task.settings, trials))

    def _held_out(self, task: HeldOutTask) -> Generator[Event, None, tuple[Run, Dataset]]:
        """Open the run and the held-out images of a task."""
        yield Started("open", 1, "sources")
        dataset = open_dataset(task.source, task.source_settings)
        self._check_images(len(dataset.refs))
        yield Progress()
        return self._explorer(Path(task.run)).run, dataset


def _score_shared(task: ScoreTask, folder: Path) -> Iterator[Event]:
    """Score with worker processes, each of which opens the source and loads the prior."""
    settings, run = task.source_settings, task.result(folder)
    recipe = Recipe(task.source, settings, task.prior, run, task.settings)
    return score_on(recipe, LaunchSettings(workers=task.workers))


def _when_free(stage: Callable[[], Iterator[Event]]) -> Events[Event]:
    """Run a stage as soon as no other job or process writes to its folder."""
    while True:
        try:
            yield from stage()
        except StorageError as error:
            if HOLDER not in error.fields:
                raise
            yield Progress(0, f"waits for {error.fields[HOLDER]}")
        else:
            return
        time.sleep(WAIT_S)


H = TypeVar("H", bound=HeldOut)


def _named(held_out: H, task: HeldOutTask) -> H:
    """Name held-out images as they were asked for, as the command line does."""
    named = spell_source(task.source, task.source_settings)
    held_out.source = replace(held_out.source, source=named)
    return held_out


class _StoredSets(RunSets):
    """Sets of a run whose evaluations another folder stores."""

    folder: Path

    @property
    def subject(self) -> Subject:
        """The run, with that folder."""
        return replace(super().subject, folder=self.folder)


def seconds_of(task: ScoreTask, folder: Path, left: int) -> int:  # noqa: ARG001
    """Return the seconds for which to borrow an accelerator for `left` images."""
    wanted = LOADING_S + left * task.settings.most_evaluations / _rate(task)
    return min(max(round(wanted), LEAST_S), MOST_S)


def _rate(task: ScoreTask) -> float:
    return PER_SECOND_DEMO if task.prior.prior == DEMO else PER_SECOND


def _shards(task: ScoreTask, folder: Path) -> int:
    """Count the finished shards of the first pass, and the files of further draws."""
    run = task.result(folder)
    stored = (path for name in ("scores", "rounds") for path in files_below(run / name))
    return sum(path.suffix == ".safetensors" for path in stored)


def _is_scored(task: ScoreTask, folder: Path) -> bool:
    return (task.result(folder) / "summary.json").is_file()


def _laid_out(run: Run) -> Iterator[Event]:
    """Fit the layouts of a run that is already scored."""
    yield from fit_layouts(run)
    found = run.summary
    yield Done(
        "score",
        {"images": found.scored, "skipped": found.skipped, "evaluations": found.evaluations},
    )


def _closable(events: Iterator[Event]) -> Events[Event]:
    """Type the events as a generator: closing it lets the stage clean up."""
    return cast("Events[Event]", events)
