"""What a job of the app does: score a source, or export a run; with priors that stay loaded."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Final, Literal, TypeAlias, TypeVar, cast

from dsel.analysis.explorer import Explorer
from dsel.config import (
    ExportSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
)
from dsel.config.base import Settings
from dsel.data import open_dataset
from dsel.errors import DselError, RunError, SettingError
from dsel.files import place_copy, write_atomically
from dsel.pipeline.export import export_selections
from dsel.pipeline.score import fit_layouts, score
from dsel.pipeline.select import select_classes
from dsel.priors import load_prior
from dsel.runs import Run, open_run
from dsel.types import Dataset, Done, Event, Prior, Progress, Started

RUN: Final = "run"
"""Where a score job's run lies in its folder."""

SET: Final = "dsel_export.zip"
"""What an export job makes in its folder, under the name that a browser saves it by."""

DEMO: Final = "demo"
PRIORS_KEPT: Final = 2
LEAST_S: Final = 30
MOST_S: Final = 300
LOADING_S: Final = 20
PER_SECOND: Final = 150
"""Evaluations a second that an accelerator is trusted with, of a prior of unknown size."""

PER_SECOND_DEMO: Final = 3000
SHARD_S: Final = 30
SHARE_USED: Final = 0.8
"""Of the seconds that were asked for: what runs over is lost with its shard."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a visitor may ask of one job; 0 is no limit."""

    images: int = 200_000
    evaluations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTask:
    """Score a source into a run.

    moved: (file, place in the job's folder) each, copied there first, and written: (place, text)
    each. `source` is relative to that folder then.
    """

    kind: ClassVar[Literal["score"]] = "score"
    title: str
    source: str
    source_settings: SourceSettings = field(default_factory=SourceSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    settings: ScoreSettings = field(default_factory=ScoreSettings)
    moved: tuple[tuple[str, str], ...] = ()
    written: tuple[tuple[str, str], ...] = ()

    def taken_into(self, folder: Path) -> ScoreTask:
        """The same work on copies in the job's folder, which no visitor can reach any more."""
        if not self.moved:
            return self
        for place, text in self.written:
            write_atomically(folder / place, text.encode())
        for file, place in self.moved:
            place_copy(Path(file), folder / place)
        return replace(self, source=str(folder.resolve() / self.source), moved=(), written=())

    def result(self, folder: Path) -> Path:
        """The run."""
        return folder / RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    """Write the distilled set of a run as a zip file."""

    kind: ClassVar[Literal["export"]] = "export"
    title: str
    run: str
    select: SelectSettings = field(default_factory=SelectSettings)
    settings: ExportSettings = field(default_factory=ExportSettings)

    def taken_into(self, folder: Path) -> ExportTask:  # noqa: ARG002
        """Nothing lies elsewhere."""
        return self

    def result(self, folder: Path) -> Path:
        """The zip file."""
        return folder / SET


T = TypeVar("T")
Work: TypeAlias = ScoreTask | ExportTask
Events: TypeAlias = Generator[T, None, None]
Portion: TypeAlias = Callable[[ScoreTask, Path, int], Events[Event | DselError]]
Accelerate: TypeAlias = Callable[[Portion, Callable[[ScoreTask, Path, int], int]], Portion]
"""(what needs the accelerator, the seconds that it takes) -> the same, where there is one.

Both are called with the same arguments, which go to another process there, and events come back.
"""


def plain_task(work: Work) -> dict[str, Any]:
    """Values for JSON."""
    values = {one.name: getattr(work, one.name) for one in fields(work)}
    plain = {k: v.plain() if isinstance(v, Settings) else v for k, v in values.items()}
    return {"kind": work.kind, **plain}


def restored_task(plain: Mapping[str, Any]) -> Work:
    """Undo `plain_task`."""
    values = {key: value for key, value in plain.items() if key not in ("kind", "moved", "written")}
    if plain["kind"] == "export":
        values["select"] = SelectSettings.from_plain(plain["select"])
        values["settings"] = ExportSettings.from_plain(plain["settings"])
        return ExportTask(**values)
    values["source_settings"] = SourceSettings.from_plain(plain["source_settings"])
    values["prior"] = PriorSettings.from_plain(plain["prior"])
    values["settings"] = ScoreSettings.from_plain(plain["settings"])
    return ScoreTask(**values)


class Priors:
    """Loaded priors: the last used stay, so that a second job with one starts at once.

    Of those that are not the demo's, one stays: two may not fit in memory.
    """

    def __init__(
        self, load: Callable[[PriorSettings], Prior] = load_prior, most: int = PRIORS_KEPT
    ) -> None:
        self._load, self._most = load, most
        self._lock = Lock()
        self._kept: OrderedDict[PriorSettings, Prior] = OrderedDict()

    def get(self, settings: PriorSettings) -> Prior:
        """The prior of these settings, loaded if it is not there."""
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
    """Does works, as generators of events.

    accelerate: where an accelerator is lent for seconds only, what borrows it. open_explorer: where
    what an open run has computed may be used by exports too.
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
        self._explorer = open_explorer or (lambda path: Explorer(open_run(path)))
        self._lent = accelerate is not None
        self._portion = accelerate(self._score, seconds_of) if accelerate else self._score
        self._opened: dict[Path, Dataset] = {}

    def fitted(self, work: Work) -> Work:
        """The same work in shards that are done within the time that an accelerator is lent for."""
        if not self._lent or isinstance(work, ExportTask):
            return work
        most = max(round(SHARD_S * _rate(work) / evaluations_of(work.settings)), 1)
        size = min(work.settings.shard_size, most)
        return replace(work, settings=work.settings.replace(shard_size=size))

    def events(self, work: Work, folder: Path) -> Events[Event]:
        """Do a work in its folder; the same call again goes on where an earlier one stopped."""
        if isinstance(work, ExportTask):
            return self._export(work, folder)
        return self._portions(work, folder)

    def _portions(self, work: ScoreTask, folder: Path) -> Events[Event]:
        """Score at once, or as often as a lent accelerator must be asked for again."""
        yield Started("open", 1, "sources")
        dataset = self._opened[folder] = open_dataset(work.source, work.source_settings)
        try:
            self._check(work, dataset)
            yield Progress()
            while not (yield from self._once(work, folder, len(dataset.refs))):
                pass
        finally:
            del self._opened[folder]

    def _once(self, work: ScoreTask, folder: Path, images: int) -> Generator[Event, None, bool]:
        """Score a portion; tell whether it was the last one."""
        if self._lent and _is_scored(work, folder):
            yield from _laid_out(open_run(work.result(folder)))
            return True
        before = _shards(work, folder)
        passes = 2 if work.settings.refine else 1
        left = max(images * passes - before * work.settings.shard_size, 1)
        with closing(self._portion(work, folder, left if self._lent else 0)) as events:
            for event in events:
                if isinstance(event, DselError):
                    raise event
                yield event
                if isinstance(event, Done):
                    return True
        if not _is_scored(work, folder) and _shards(work, folder) == before:
            raise RunError(
                f"a shard of {work.settings.shard_size} images takes longer than the accelerator "
                "is lent for: score with a smaller shard size, or fewer draws"
            )
        return False

    def _score(self, work: ScoreTask, folder: Path, left: int) -> Events[Event | DselError]:
        """Score the `left` images for as long as they should take; 0 takes all the time it needs.

        A lent accelerator is given back before the layouts, which have no use for it. What went
        wrong comes as the last event, since errors lose their words between processes.
        """
        end = time.monotonic() + SHARE_USED * seconds_of(work, folder, left) if left else math.inf
        try:
            yield Started("load", 1, "priors")
            prior = self.priors.get(work.prior)
            yield Progress()
            known = self._opened.get(folder)
            dataset = known or open_dataset(work.source, work.source_settings)
            run = work.result(folder)
            with closing(_closable(score(dataset, prior, run, work.settings))) as events:
                for event in events:
                    if left and isinstance(event, Started) and event.stage == "layout":
                        return
                    yield event
                    if time.monotonic() > end:
                        return
        except DselError as error:
            yield error

    def _check(self, work: ScoreTask, dataset: Dataset) -> None:
        images, most = len(dataset.refs), self.limits
        evaluations = images * evaluations_of(work.settings)
        if most.images and images > most.images:
            raise SettingError(
                f"the source has {images:,} images, and at most {most.images:,} are scored here: "
                "take fewer of each class"
            )
        if most.evaluations and evaluations > most.evaluations:
            raise SettingError(
                f"{images:,} images at these settings take {evaluations:,} evaluations of the "
                f"prior, and at most {most.evaluations:,} are allowed here: take fewer images of "
                "each class, fewer timesteps or fewer draws"
            )

    def _export(self, work: ExportTask, folder: Path) -> Events[Event]:
        explorer = self._explorer(Path(work.run))
        selections = yield from select_classes(explorer, work.select)
        out = work.result(folder)
        yield from export_selections(explorer.run, selections, work.select, out, work.settings)


def evaluations_of(settings: ScoreSettings) -> int:
    """Noised latents that the prior is shown of one image, at most."""
    return 2 * len(settings.timesteps) * settings.draws


def seconds_of(work: ScoreTask, folder: Path, left: int) -> int:  # noqa: ARG001
    """How long to borrow an accelerator for `left` images."""
    wanted = LOADING_S + left * evaluations_of(work.settings) / _rate(work)
    return min(max(round(wanted), LEAST_S), MOST_S)


def _rate(work: ScoreTask) -> float:
    return PER_SECOND_DEMO if work.prior.prior == DEMO else PER_SECOND


def _shards(work: ScoreTask, folder: Path) -> int:
    """Shards that are there: of the first pass, and of the second where there is one."""
    run = work.result(folder)
    return sum(len(list((run / name).glob("*.safetensors"))) for name in ("scores", "refined"))


def _is_scored(work: ScoreTask, folder: Path) -> bool:
    return (work.result(folder) / "summary.json").is_file()


def _laid_out(run: Run) -> Iterator[Event]:
    """What is left to do of a run that is scored."""
    yield from fit_layouts(run)
    found = run.summary
    yield Done(
        "score",
        {"images": found.scored, "skipped": found.skipped, "evaluations": found.evaluations},
    )


def _closable(events: Iterator[Event]) -> Events[Event]:
    """The engine's stages are generators, whose `close` lets them put things in order."""
    return cast("Events[Event]", events)
