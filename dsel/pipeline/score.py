"""Score every image of a dataset into a run: a generator of events."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dsel.checksums import check_file
from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.config.overrides import KnownIds, check_known
from dsel.core.box_search import patch_size
from dsel.core.composing import check_image_px
from dsel.core.gap_maps import timestep_columns
from dsel.core.projection import Projection, project
from dsel.data.prefetch import Prefetcher
from dsel.errors import DamageError, shown
from dsel.locks import locked
from dsel.pipeline.backend import settled_backend
from dsel.pipeline.contents import contents_events
from dsel.pipeline.knowledge import figures_of, knowledge_notices, measure_knowledge
from dsel.pipeline.rounds import further_rounds
from dsel.pipeline.scoring_checks import check_every_class, check_scores
from dsel.pipeline.scoring_loop import ScoringInputs, first_pass
from dsel.pipeline.selector import DEFAULTS, Selector
from dsel.pipeline.zipped_boxes import take_boxes
from dsel.runs import Identity, Run, create_run, made_again, remedies
from dsel.runs.copies import contradictions, note_of_contradictions
from dsel.runs.draws import draw_keeper
from dsel.runs.run import SUMMARY, TABLE
from dsel.types import (
    Dataset,
    Done,
    Event,
    Geometry,
    Notice,
    Prior,
    Progress,
    Started,
)

if TYPE_CHECKING:
    from dsel.priors.scorer import Scorer


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


def score(dataset: Dataset, prior: Prior, path: Path, settings: ScoreSettings) -> Iterator[Event]:
    """Score every image into the run at `path`, and resume a run that was interrupted.

    What is about to be scored is the first event, before any image is read. Raises `StorageError`
    while another process scores into the run, and `RunError` at the end if the scores cannot be
    used, or a class has none.

    Figures: images, skipped and evaluations (noised latents that the prior saw, all and the mean of
    an image) of the whole run;
    model_calls, images_per_s and model_share (of the wall time) of this call.
    """
    from dsel.priors.scorer import Scorer  # torch: only where images are scored

    scorer = Scorer(prior, dataset.names, settings)  # first: it rejects what does not fit
    scorer.check_classes(range(len(dataset.classes)))
    yield from locked(path, _score(dataset, prior, path, settings, scorer))


def _score(
    dataset: Dataset, prior: Prior, path: Path, settings: ScoreSettings, scorer: Scorer
) -> Iterator[Event]:
    from dsel.priors.threads import thread_count, torch_threads

    run = create_run(path, identity_of(dataset, prior, settings, thread_count()))
    yield from contents_events(dataset, run.identity.settings, prior.reads)
    yield from _repaired(run)
    yield from _unknown_names(dataset, prior)
    threads = run.identity.threads
    is_done = (run.path / SUMMARY).is_file()
    if threads not in (0, thread_count()) and not is_done:
        yield Notice(
            f"the run was begun with {threads} threads: as many compute the rest, "
            f"not {thread_count()}, because their number changes the last digits of scores"
        )
    with torch_threads(threads):
        yield from settled_backend(run, prior, scorer, is_done)
        yield from _score_and_lay_out(run, dataset, prior, scorer)


def _score_and_lay_out(run: Run, dataset: Dataset, prior: Prior, scorer: Scorer) -> Iterator[Event]:
    settings = run.identity.settings
    began = time.perf_counter()
    if settings.fit == "whole" and not prior.step_px:
        yield Notice("this prior sees squares only: images are cropped to their centre")
    with ThreadPoolExecutor(settings.decoders) as pool:
        prefetcher = Prefetcher(dataset, prior, settings, pool)
        scorer.keep_draws = draw_keeper(run, dataset.refs)
        inputs = ScoringInputs(run, dataset.refs, prefetcher, scorer)
        yield from first_pass(inputs)
        run.gather_images()
        if note := note_of_contradictions(contradictions(run.images)):
            yield Notice(note)
        check_scores(run)
        rounds = yield from further_rounds(inputs)
        yield from measure_knowledge(inputs, settings)
    seconds = time.perf_counter() - began
    run.finish(rounds)
    yield from take_boxes(run, dataset)
    yield from fit_layouts(run)
    check_every_class(run)
    yield from knowledge_notices(run.knowledge, dataset.classes)
    worked = bool(scorer.images)
    yield Done(
        "score",
        {
            "images": run.summary.scored,
            "skipped": run.summary.skipped,
            "evaluations": run.summary.evaluations,
            "evaluations_per_image": round(run.summary.evaluations_per_image, 1),
            "model_calls": scorer.calls,
            "images_per_s": round(scorer.images / seconds, 3) if worked else 0.0,
            "model_share": round(scorer.seconds / seconds, 4) if worked else 0.0,
            **figures_of(run.knowledge),
        },
    )


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


def _unknown_names(dataset: Dataset, prior: Prior) -> Iterator[Event]:
    """Note the classes that the prior was not trained on, where that is known."""
    from dsel.priors.known_classes import known_classes, unknown_classes

    known = known_classes(*(str(prior.origin.get(name, "")) for name in ("prior", "lora")))
    if known and (strange := unknown_classes(dataset.classes, known)):
        yield Notice(
            f"the prior was trained on {', '.join(shown(known))} only, and not on "
            f"{', '.join(shown(strange))}: scores of other classes mean little"
        )


def refuse_unfit(
    dataset: Dataset,
    prior: Prior,
    score: ScoreSettings,
    select: SelectSettings,
    export: ExportSettings,
) -> None:
    """Raise `SettingError` for settings of later stages that will not fit, before scoring."""
    losses = np.ones(len(score.timesteps), np.float32)
    geometry = Geometry(score.timesteps, losses, prior.cell_px, prior.resolution_px)
    patch_size(select, geometry)
    timestep_columns(select.timesteps, score.timesteps)
    if select.overrides:
        known = dict.fromkeys(ref.id for ref in dataset.refs)
        check_known(KnownIds(known).respell(select.overrides), known)
    check_image_px(export.image_px or prior.resolution_px, select.factor)


def fit_layouts(run: Run) -> Iterator[Event]:
    """Project each class's images into the plane, by the features of their default patches."""
    missing = []
    for index in range(len(run.identity.classes)):
        try:
            if run.read_layout(index) is None:
                missing.append(index)
        except DamageError as error:
            missing.append(index)
            yield Notice(made_again(error))
    if missing:
        yield Started("layout", len(missing), "classes")
    selector, problem = Selector(run), ""
    for index in missing:
        scores = selector.scores(index)
        found = Projection(np.zeros((0, 2), np.float32))
        if scores.ids:
            located = selector.located(index, DEFAULTS, scores)
            found = project(located.features, run.identity.settings.noise_seed)
        run.write_layout(index, found.positions)
        if found.problem and not problem:
            problem = found.problem
            yield Notice(
                f"UMAP cannot run here, so principal components lay out the images ({problem}); "
                f"to try again, remove {run.path / 'layouts'} and score again"
            )
        yield Progress()
