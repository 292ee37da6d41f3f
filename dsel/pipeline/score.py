"""Score every image of a dataset into a run: a generator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.config.overrides import check_known
from dsel.core.composing import check_image_px
from dsel.core.projection import layout
from dsel.core.selection import (
    locate_class,
    patch_size,
    timestep_columns,
)
from dsel.data.prefetch import Prefetcher
from dsel.pipeline.scoring_loop import Work, first_pass, second_pass
from dsel.runs import Identity, Run, create_run
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


def identity_of(dataset: Dataset, prior: Prior, settings: ScoreSettings) -> Identity:
    """What the run of this dataset, prior and settings follows from."""
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
    )


def score(dataset: Dataset, prior: Prior, path: Path, settings: ScoreSettings) -> Iterator[Event]:
    """Score every image into the run at `path`, going on where an earlier call stopped.

    Figures: images, skipped, evaluations (noised latents that the prior was shown, for the whole
    run), and of this call model_calls, images_per_s and model_share (of the wall time).
    """
    from dsel.priors.scorer import Scorer  # torch: only where images are scored

    scorer = Scorer(prior, dataset.names, settings)  # first: it refuses what does not fit
    scorer.check_classes(range(len(dataset.classes)))
    run = create_run(path, identity_of(dataset, prior, settings))
    began = time.perf_counter()
    if settings.fit == "whole" and not prior.step_px:
        yield Notice("this prior sees squares only: pictures are cut to their centre")
    with ThreadPoolExecutor(settings.decoders) as pool:
        work = Work(run, dataset.refs, Prefetcher(dataset, prior, settings, pool), scorer)
        yield from first_pass(work, settings.first)
        run.gather_images()
        if settings.refine:
            yield from second_pass(work, _promising(run), settings.further)
    seconds = time.perf_counter() - began
    run.finish()
    yield from fit_layouts(run)
    worked = bool(scorer.images)
    yield Done(
        "score",
        {
            "images": run.summary.scored,
            "skipped": run.summary.skipped,
            "evaluations": run.summary.evaluations,
            "model_calls": scorer.calls,
            "images_per_s": round(scorer.images / seconds, 3) if worked else 0.0,
            "model_share": round(scorer.seconds / seconds, 4) if worked else 0.0,
        },
    )


def refuse_unfit(
    dataset: Dataset,
    prior: Prior,
    score: ScoreSettings,
    select: SelectSettings,
    export: ExportSettings,
) -> None:
    """Raise `SettingError` for what a run of these could not give, before it is scored."""
    losses = np.ones(len(score.timesteps), np.float32)
    geometry = Geometry(score.timesteps, losses, prior.cell_px, prior.resolution_px)
    patch_size(select, geometry)
    timestep_columns(select.timesteps, score.timesteps)
    if select.overrides:
        check_known(select.overrides, dict.fromkeys(ref.id for ref in dataset.refs))
    check_image_px(export.image_px or prior.resolution_px, select.factor)


def fit_layouts(run: Run) -> Iterator[Event]:
    """Place each class's images in the plane, by the features of their default patches."""
    missing = [
        index for index in range(len(run.identity.classes)) if run.read_layout(index) is None
    ]
    if missing:
        yield Started("layout", len(missing), "classes")
    for index in missing:
        scores = run.class_scores(index)
        places = np.zeros((0, 2), np.float32)
        if scores.ids:
            located = locate_class(scores, run.geometry, SelectSettings())
            places = layout(located.features, run.identity.settings.noise_seed)
        run.write_layout(index, places)
        yield Progress()


def _promising(run: Run) -> frozenset[str]:
    """Images worth further draws: by the first ones, those of the highest scores in each class."""
    share, geometry = run.identity.settings.refine, run.first_geometry
    chosen: list[str] = []
    for index in range(len(run.identity.classes)):
        scores = run.class_scores(index, first=True)
        if scores.ids:
            located = locate_class(scores, geometry, SelectSettings())
            best = np.argsort(-located.score, kind="stable")
            most = math.ceil(share * len(scores.ids))
            chosen += [scores.ids[located.image[place]] for place in best[:most]]
    return frozenset(chosen)
