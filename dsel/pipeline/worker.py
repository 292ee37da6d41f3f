"""A worker: an open dataset and a loaded prior, with which shards of a run are scored."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsel.checksums import check_file
from dsel.config import ScoreSettings
from dsel.data.decoders import Decoders
from dsel.data.prefetch import Prefetcher
from dsel.errors import DamageError, shown
from dsel.pipeline.backend import settled_backend
from dsel.pipeline.background import BackgroundWriter
from dsel.pipeline.contents import contents_events
from dsel.pipeline.knowledge import measure_group
from dsel.pipeline.reporting import Reporter
from dsel.pipeline.score_names import score_names
from dsel.pipeline.score_shard import ScoringInputs, score_shard
from dsel.pipeline.tasks import BoxesTask, KnowledgeTask, NamesTask, PrepareTask, ScoreWork
from dsel.pipeline.zipped_boxes import take_boxes
from dsel.runs import Identity, Run, create_run, made_again, open_run, remedies
from dsel.runs.draws import draw_keeper
from dsel.runs.manifest import check_same
from dsel.runs.run import SUMMARY, TABLE
from dsel.types import Dataset, Event, Notice, Prior

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer


class ShardWorker:
    """Scores shards of the run at `path`, which it creates in `prepare`, or joins.

    Raises `SettingError` or `PriorError` at once for what the prior does not support. Close it
    after use. threads: of torch, in a new run; 0 leaves their number as it is. alike: as in
    `dsel.pipeline.score`.
    """

    def __init__(
        self, dataset: Dataset, prior: Prior, path: Path, settings: ScoreSettings,
        threads: int = 0, part: str = "", alike: bool = False,
    ) -> None:  # fmt: skip
        from dsel.priors.scorer import Scorer  # torch: only where images are scored

        self.scorer: Scorer = Scorer(prior, dataset.names, settings)  # it rejects what is unfit
        self.scorer.check_classes(range(len(dataset.classes)))
        self._dataset, self._prior, self._path, self._settings = dataset, prior, path, settings
        self._threads, self._alike = threads, alike
        self._reporter = Reporter(path, str(prior.device), part)
        self._opened = ExitStack()
        self._inputs: ScoringInputs | None = None

    @property
    def images(self) -> int:
        """Images scored."""
        return self.scorer.images

    @property
    def calls(self) -> int:
        """Calls of the prior."""
        return self.scorer.calls

    @property
    def seconds(self) -> float:
        """Seconds in these calls."""
        return self.scorer.seconds

    def prepare(self) -> Generator[Event, None, Run]:
        """Create the run, or resume it; the caller has locked it."""
        from dsel.priors.threads import thread_count

        threads = self._threads or thread_count()
        run = create_run(self._path, self._identity(threads))
        yield from contents_events(self._dataset, run.identity.settings, self._prior.reads)
        yield from _repaired(run)
        yield from self._unknown_names()
        yield from map(Notice, unused(self._settings))
        is_done = (run.path / SUMMARY).is_file()
        if run.identity.threads not in (0, threads) and not is_done:
            yield Notice(
                f"the run was begun with {run.identity.threads} threads: as many compute the rest, "
                f"not {threads}, because their number changes the last digits of scores"
            )
        self._enter(run)
        yield from settled_backend(run, self._prior, self.scorer, is_done)
        if self._settings.fit == "whole" and not self._prior.step_px:
            yield Notice("this prior sees squares only: images are cropped to their centre")
        return run

    def work(
        self, task: ScoreWork | PrepareTask, writer: BackgroundWriter
    ) -> Generator[Event, None, Any]:
        """Do a task of the run; returns its result."""
        if isinstance(task, PrepareTask):
            yield from self.prepare()
            return None
        if isinstance(task, BoxesTask):
            yield from take_boxes(open_run(self._path), self._dataset)
            return None
        inputs = self._inputs or self._join()
        if isinstance(task, KnowledgeTask):
            total = sum(map(len, task.images.values()))
            events: Generator[Event, None, Any] = measure_group(inputs, task)
        elif isinstance(task, NamesTask):
            total, events = len(inputs.refs), score_names(inputs, task)
        else:
            total = len(task.chosen) or inputs.run.identity.images_in(task.shard)
            events = score_shard(inputs, task, writer)
        return (yield from self._reporter.reported(events, task, total))

    def close(self) -> None:
        """End the threads that read images, and the report on the work."""
        self._reporter.close()
        self._opened.close()

    def _join(self) -> ScoringInputs:
        """Open the run that another worker has prepared, and run its backend."""
        found = open_run(self._path)
        threads, backend = found.identity.threads, found.identity.backend
        mine = self._identity(threads)
        check_same(self._path, found.identity, mine)
        run = Run(self._path, replace(mine, backend=backend))
        inputs = self._enter(run)
        for _ in settled_backend(run, self._prior, self.scorer, is_done=False):
            pass  # whoever prepared the run has told
        return inputs

    def _identity(self, threads: int) -> Identity:
        mine = identity_of(self._dataset, self._prior, self._settings, threads)
        return replace(mine, alike=self._alike)

    def _enter(self, run: Run) -> ScoringInputs:
        from dsel.priors.threads import torch_threads

        settings = run.identity.settings
        self._opened.enter_context(torch_threads(run.identity.threads))
        threads = Decoders(settings.decoders, settings.decode_limit_s)
        decoders = self._opened.enter_context(threads)
        prefetcher = Prefetcher(self._dataset, self._prior, settings, decoders)
        self.scorer.keep_draws = draw_keeper(run, self._dataset.refs)
        self._inputs = ScoringInputs(run, self._dataset.refs, prefetcher, self.scorer)
        return self._inputs

    def _unknown_names(self) -> Iterator[Event]:
        """Note the classes that the prior was not trained on, where that is known."""
        from dsel.priors.known_classes import known_classes, unknown_classes

        origin = self._prior.origin
        known = known_classes(*(str(origin.get(name, "")) for name in ("prior", "lora")))
        if known and (strange := unknown_classes(self._dataset.classes, known)):
            yield Notice(
                f"the prior was trained on {', '.join(shown(known))} only, and not on "
                f"{', '.join(shown(strange))}: scores of other classes mean little"
            )


def identity_of(
    dataset: Dataset, prior: Prior, settings: ScoreSettings, threads: int = 0
) -> Identity:
    """Return everything that names the run of this dataset, prior and settings."""
    return Identity(
        classes=dataset.classes,
        dataset_fingerprint=dataset.fingerprint,
        dataset_origin=dict(dataset.origin),
        images=len(dataset.refs),
        prior=prior.name,
        prior_origin=dict(prior.origin),
        prior_fingerprint=prior.fingerprint,
        resolution_px=prior.resolution_px,
        cell_px=prior.cell_px,
        precision=prior.precision,
        settings=settings,
        threads=threads,
        folders=dataset.structure.folders,
    )


def unused(settings: ScoreSettings) -> Iterator[str]:
    """Name the settings that were given but change nothing beside the others."""
    for name in ("keep", "tolerance"):
        value = getattr(settings, name)
        if not settings.most_draws and value != getattr(ScoreSettings(), name):
            yield f"{name} {value:g} is not used: it needs most draws of more than 0"


def _repaired(run: Run) -> Iterator[Event]:
    """Name the files that opening the run has repaired, and the tables that are written again."""
    for text in run.notices:
        yield Notice(text)
    for name in (TABLE, SUMMARY):
        try:
            if (run.path / name).exists():
                check_file(run.path / name, remedies.SCORE)
        except DamageError as error:
            yield Notice(made_again(error))
