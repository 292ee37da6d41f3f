"""The stages in order, as generators of events: score, select, export."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dsel import __version__
from dsel.compose import check_image_px, compose_class, shortfall
from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.cutting import proxy_cutter, source_cutter, source_of
from dsel.described import describer
from dsel.exports import Export, is_zip, write_image_folder, write_zip
from dsel.groups import layout
from dsel.overrides import check_known
from dsel.passes import Work, first_pass, second_pass
from dsel.reading import Reader
from dsel.records import (
    ClassSelection,
    Dataset,
    Distilled,
    Done,
    Event,
    Featurizer,
    Geometry,
    Notice,
    Prior,
    Progress,
    Started,
)
from dsel.runs import Identity, Run, create_run
from dsel.selection import (
    check_overrides,
    locate_class,
    patch_size,
    select_class,
    timestep_columns,
)
from dsel.settings import result_settings

LIBRARIES = ("numpy", "pillow", "scikit-learn", "torch", "umap-learn")


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
    from dsel.scoring import Scorer  # torch: only where images are scored

    scorer = Scorer(prior, dataset.names, settings)  # first: it refuses what does not fit
    scorer.check_classes(range(len(dataset.classes)))
    run = create_run(path, identity_of(dataset, prior, settings))
    began = time.perf_counter()
    if settings.fit == "whole" and not prior.step_px:
        yield Notice("this prior sees squares only: pictures are cut to their centre")
    with ThreadPoolExecutor(settings.decoders) as pool:
        work = Work(run, dataset.refs, Reader(dataset, prior, settings, pool), scorer)
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


def select(
    run: Run, settings: SelectSettings, featurizer: Featurizer | None = None
) -> Iterator[Event]:
    """Locate, group and rank the patches of every class, and keep them as the current selection.

    The featurizer describes the patches for settings whose features are not the free ones; what it
    says is kept in the run, so that the app can show the same groups without it.
    """
    classes = run.identity.classes
    _check_overrides(run, settings)
    yield Started("select", len(classes), "classes")
    selections = []
    describe = describer(run, settings, featurizer)
    for index in range(len(classes)):
        selected = select_class(run.class_scores(index), run.geometry, settings, describe)
        selections.append(selected)
        if lack := shortfall(selected, settings):
            yield Notice(lack)
        yield Progress()
    run.write_selection(settings, selections)
    yield Done(
        "select",
        {
            "classes": len(classes),
            "patches": sum(len(s.patches) for s in selections),
            "images": sum(min(settings.ipc, len(s.images)) for s in selections),
            "selection": run.selection_name(settings),
        },
    )


def export(
    run: Run,
    out: Path,
    settings: ExportSettings,
    selection: str = "",
    also_ours: Sequence[str] = (),
) -> Iterator[Event]:
    """Compose the images of a kept selection, by default the current one, into an image folder.

    Where `out` ends in .zip, the folder is packed, to the same bytes every time.
    """
    select_settings, selections = run.read_selection(selection)
    yield from export_selections(run, selections, select_settings, out, settings, also_ours)


def export_selections(
    run: Run,
    selections: Sequence[ClassSelection],
    select_settings: SelectSettings,
    out: Path,
    settings: ExportSettings,
    also_ours: Sequence[str] = (),
) -> Iterator[Event]:
    """Compose the images of any selections, like `export`; nothing is written to the run."""
    image_px = check_export(run, select_settings, settings)
    dataset, why = source_of(run, settings.pixels)
    if why:
        yield Notice(why)
    plan = Export(
        classes=run.identity.classes,
        selections=selections,
        select=select_settings,
        settings=settings,
        image_px=image_px,
        pixels="source" if dataset else "proxy",
        facts=_facts(run, select_settings),
    )
    cut = source_cutter(run, dataset) if dataset else proxy_cutter(run)

    def images() -> Iterator[Distilled]:
        for selected in selections:
            yield from compose_class(selected, select_settings, image_px, cut)

    if is_zip(out):
        yield from write_zip(plan, lambda folder: write_image_folder(plan, images(), folder), out)
    else:
        yield from write_image_folder(plan, images(), out, also_ours)


def check_export(run: Run, select: SelectSettings, settings: ExportSettings) -> int:
    """The side of the distilled images; raises `SettingError` for what cannot be exported."""
    _check_overrides(run, select)
    image_px = settings.image_px or run.identity.resolution_px
    check_image_px(image_px, select.factor)
    return image_px


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


def _check_overrides(run: Run, settings: SelectSettings) -> None:
    if settings.overrides:
        check_overrides(settings, run.geometry, {row.id: row.frame for row in run.images})


def _facts(run: Run, settings: SelectSettings) -> dict[str, Any]:
    identity = run.identity
    return {
        "dsel": __version__,
        "versions": {name: version(name) for name in LIBRARIES},
        "run": identity.fingerprint,
        "selection": run.selection_name(settings),
        "prior": {"name": identity.prior, "fingerprint": identity.prior_fingerprint},
        "dataset": {
            "fingerprint": identity.dataset_fingerprint,
            "origin": dict(identity.dataset_origin),
        },
        "score": result_settings(identity.settings) | {"precision": identity.precision},
    }
