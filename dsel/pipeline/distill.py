"""Score, select and export in one go: a generator of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dsel.config import ExportSettings, LaunchSettings, ScoreSettings, SelectSettings
from dsel.config.export import FORMAT_NAMES
from dsel.contents import Contents
from dsel.core.patch_features import Featurizer
from dsel.data import open_dataset
from dsel.errors import SettingError
from dsel.exports import is_archive, refuse_foreign
from dsel.pipeline.confidences import asks_teacher, teacher_for
from dsel.pipeline.export import export
from dsel.pipeline.labelling import check_labels, open_teacher
from dsel.pipeline.launch import is_here, score_on
from dsel.pipeline.score import refuse_unfit, score
from dsel.pipeline.select import select
from dsel.pipeline.serving import Recipe
from dsel.priors import load_prior
from dsel.runs import Run, open_run
from dsel.runs.manifest import RUN_IN_OUT as RUN_IN_OUT
from dsel.types import Dataset, Event, Prior


def check_out(out: Path, settings: ExportSettings) -> None:
    """Raise before the hours of scoring, not after them, for an output that would be refused."""
    if is_archive(out):
        raise SettingError(f"out must be a folder, got {out}: dsel export packs it into a zip file")
    formats = FORMAT_NAMES if len(settings.format) > 1 else ()
    refuse_foreign(out, also_ours=(RUN_IN_OUT, *formats))


def featurizer_for(run: Run, settings: SelectSettings, device: str = "auto") -> Featurizer | None:
    """Load the model that describes patches under these settings; None for the free features."""
    if settings.features == "free":
        return None
    from dsel.priors import load_featurizer

    of = run.identity
    return load_featurizer(settings, of.settings, of.prior_origin, of.prior_fingerprint, device)


def distill(
    dataset: Dataset,
    prior: Prior,
    path: Path,
    out: Path,
    settings: tuple[ScoreSettings, SelectSettings, ExportSettings],
    device: str = "auto",
    threads: int = 0,
) -> Iterator[Event]:
    """Score into the run at `path`, select from it, and write the distilled set to `out`.

    The same call again resumes. Raises `DselError` before anything is scored for settings that a
    later stage would refuse. The export's teacher also answers a baseline that asks one. threads:
    of torch, see `score`.
    """
    scoring, selecting, exporting = settings
    selecting = _with_teacher(selecting, exporting)
    _check_stages(dataset, out, exporting)
    refuse_unfit(dataset, prior, scoring, selecting, exporting)
    yield from score(dataset, prior, path, scoring, threads)
    yield from _later_stages(path, out, selecting, exporting, device)


def distill_on(
    recipe: Recipe,
    launch: LaunchSettings,
    out: Path,
    selecting: SelectSettings,
    exporting: ExportSettings,
) -> Iterator[Event]:
    """Distill like `distill`, with workers where the settings say.

    What the prior must be known for is checked as soon as one of them has loaded it.
    """
    dataset = open_dataset(recipe.source, recipe.source_settings)
    if is_here(recipe.device, launch):
        settings, prior = (recipe.settings, selecting, exporting), load_prior(recipe.prior)
        where = recipe.prior.device
        yield from distill(dataset, prior, recipe.path, out, settings, where, launch.threads)
        return
    selecting = _with_teacher(selecting, exporting)
    _check_stages(dataset, out, exporting)
    is_checked = False
    for event in score_on(recipe, launch):
        yield event
        if not is_checked and isinstance(event, Contents):
            is_checked = True
            identity = open_run(recipe.path).identity
            refuse_unfit(dataset, identity, recipe.settings, selecting, exporting)
    yield from _later_stages(recipe.path, out, selecting, exporting, recipe.prior.device)


def _with_teacher(selecting: SelectSettings, exporting: ExportSettings) -> SelectSettings:
    if asks_teacher(selecting) and not selecting.teacher:
        return selecting.replace(teacher=exporting.teacher)
    return selecting


def _check_stages(dataset: Dataset, out: Path, exporting: ExportSettings) -> None:
    check_out(out, exporting)
    check_labels(exporting)
    open_teacher(exporting, dataset.classes)


def _later_stages(
    path: Path, out: Path, selecting: SelectSettings, exporting: ExportSettings, device: str
) -> Iterator[Event]:
    run = open_run(path)
    models = featurizer_for(run, selecting, device), teacher_for(run, selecting, device)
    yield from select(run, selecting, *models)
    yield from export(run, out, exporting, also_ours=(RUN_IN_OUT,))
