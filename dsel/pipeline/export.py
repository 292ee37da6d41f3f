"""Compose and write the distilled set of a run: a generator of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dsel import __version__
from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import result_settings
from dsel.core.composing import Canvas, Cut, check_image_px, compose_class
from dsel.errors import SettingError
from dsel.exports import FORMATS, Export, class_folders, is_archive, is_zip, write_export, write_zip
from dsel.exports.base import CHOSEN
from dsel.pipeline.cutting import proxy_cutter, source_cutter, source_of
from dsel.pipeline.labelling import check_labels, labeller, open_teacher
from dsel.pipeline.selector import Selector
from dsel.runs import Run
from dsel.runs.evaluations import Evaluation
from dsel.types import (
    ClassSelection,
    Dataset,
    Distilled,
    Event,
    Notice,
    Patch,
    Pixels,
)

LIBRARIES = ("numpy", "pillow", "scikit-learn", "torch", "umap-learn")


def export(
    run: Run,
    out: Path,
    settings: ExportSettings,
    selection: str = "",
    also_ours: Sequence[str] = (),
) -> Iterator[Event]:
    """Write the images of a stored selection, by default the current one, in one or more formats.

    Where `out` ends in .zip, the folder is packed into one file, with the same bytes every time.
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
    chosen: Sequence[str] = (),
) -> Iterator[Event]:
    """Write the images of any selections, like `export`; nothing is written to the run.

    chosen: the ids of the images, where they were chosen one by one (see `export_images`).
    """
    if is_archive(out) and not is_zip(out):
        raise SettingError(
            f"out must be a folder, or a file that ends in .zip, got {out.name}: for tar files in "
            "a folder use --format webdataset"
        )
    image_px = check_export(run, select_settings, settings)
    teacher = open_teacher(settings, run.identity.classes)
    dataset, why = source_of(run, settings.pixels)
    if why:
        yield Notice(why)
    origin = None if teacher is None else teacher.origin
    from_source = dataset is not None
    plan = plan_export(run, selections, select_settings, settings, image_px, from_source, origin)
    plan = with_story(plan, run)
    if chosen:  # no student has seen these
        plan = replace(plan, facts={**plan.facts, CHOSEN: list(chosen)}, evaluation=None)
    needed = any(FORMATS[name].needs_pixels for name in settings.format)
    cut = _cutter(run, dataset) if needed or teacher is not None else _blank
    labels = labeller(plan, teacher)

    def images() -> Iterator[Distilled]:
        return _images(plan, cut)

    if is_zip(out):
        yield from write_zip(
            plan, lambda folder: write_export(plan, images, folder, labels=labels), out
        )
    else:
        yield from write_export(plan, images, out, also_ours, labels)


def compose_images(
    run: Run,
    selections: Sequence[ClassSelection],
    select_settings: SelectSettings,
    settings: ExportSettings,
) -> Iterator[Distilled]:
    """Compose the distilled images of selections, class by class, as `export` writes them.

    Raises `SettingError` for what cannot be exported.
    """
    image_px = check_export(run, select_settings, settings)
    dataset, _ = source_of(run, settings.pixels)
    plan = plan_export(run, selections, select_settings, settings, image_px, dataset is not None)
    yield from _images(plan, _cutter(run, dataset))


def plan_export(
    run: Run,
    selections: Sequence[ClassSelection],
    select_settings: SelectSettings,
    settings: ExportSettings,
    image_px: int,
    from_source: bool,
    teacher: Mapping[str, str] | None = None,
) -> Export:
    """Collect everything that determines an exported set; `image_px` is from `check_export`.

    teacher: name and fingerprint of the teacher that labels the images.
    """
    return Export(
        classes=run.identity.classes,
        folders=class_folders(run.identity.folders or run.identity.classes),
        selections=selections,
        select=select_settings,
        settings=settings,
        canvas=Canvas(
            image_px=image_px,
            factor=select_settings.factor,
            tile_scale=select_settings.tile_scale,
            resolution_px=run.identity.resolution_px,
        ),
        pixels="source" if from_source else "proxy",
        facts=_facts(run, select_settings) | ({"teacher": teacher} if teacher else {}),
    )


def with_story(plan: Export, run: Run) -> Export:
    """Add what some formats write of the run: sizes of the source's pictures, and an evaluation."""
    kept = {
        one.patches.id_of(rank) for one in plan.selections for rank in one.kept(plan.select.ipc)
    }
    images = run.images
    chosen = images.take(np.array(sorted(map(images.row_of.__getitem__, kept)), np.int64))
    sizes = {
        row.id: (row.frame.source_width, row.frame.source_height)
        for row in chosen
        if row.frame is not None
    }
    return replace(plan, picture_sizes=sizes, evaluation=_evaluation(plan, run))


def check_export(run: Run, select: SelectSettings, settings: ExportSettings) -> int:
    """Return the side of the distilled images; raises `SettingError` if settings do not fit."""
    Selector(run).check_overrides(select)
    image_px = settings.image_px or run.identity.resolution_px
    check_image_px(image_px, select.factor)
    check_labels(settings)
    return image_px


def _evaluation(plan: Export, run: Run) -> Evaluation | None:
    """Return the last complete test of this selection; None without one."""
    tested = [
        found
        for found in run.evaluations()
        if found.complete and not found.validation and found.selection == plan.facts["selection"]
        if (row := found.row("dsel", plan.select.ipc)) and row.image_px == plan.canvas.image_px
    ]
    return tested[-1] if tested else None


def _cutter(run: Run, dataset: Dataset | None) -> Cut:
    return proxy_cutter(run) if dataset is None else source_cutter(run, dataset)


def _blank(_: Patch, width_px: int, height_px: int) -> Pixels:
    """Return no picture, for formats without any."""
    return np.zeros((height_px, width_px, 3), np.uint8)


def _images(plan: Export, cut: Cut) -> Iterator[Distilled]:
    for selected in plan.selections:
        yield from compose_class(selected, plan.select.ipc, plan.canvas, cut)


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
