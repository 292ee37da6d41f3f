"""The stages as functions for a notebook: score, select, export, distill, and their events.

Each function follows the generator of the same name with `iter_` before it, behind a progress bar.
Settings are keywords, settings models, or both: keywords change the models' fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dsel.api.keywords import with_keywords
from dsel.api.progress import follow
from dsel.api.run import Run
from dsel.api.selection import Selection
from dsel.config import (
    ExportSettings,
    LaunchSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
)
from dsel.errors import SettingError
from dsel.types import Event

if TYPE_CHECKING:
    from dsel.types import Dataset, Prior

Source: TypeAlias = "str | Path | Dataset"
PriorLike: TypeAlias = "str | Path | PriorSettings | Prior"


def score(
    source: Source,
    run: str | Path,
    *,
    prior: PriorLike = "demo",
    settings: ScoreSettings | None = None,
    source_settings: SourceSettings | None = None,
    launch: LaunchSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Run:
    """Score every image of a dataset into the run folder, or resume there; returns the run.

    Args:
        source: An image folder, a zip or npz file, the word `toybox`, or an open dataset.
        run: The run folder to create or resume.
        prior: The word `demo`, the folder of a diffusers pipeline, a Hub id, or a loaded prior.
        settings: How the prior looks at each image; the defaults if left out.
        source_settings: How the source is read; the defaults if left out.
        launch: Where shards are scored, such as on a Ray cluster; here if left out. Workers in
            other processes open source and prior themselves, so that both must be named.
        progress: Whether a progress bar is shown.
        keywords: Fields of `ScoreSettings` and `LaunchSettings`, of `SourceSettings` unless the
            dataset is open, and of `PriorSettings` unless the prior is loaded.
    """
    events = iter_score(
        source, run, prior=prior, settings=settings, source_settings=source_settings,
        launch=launch, **keywords,
    )  # fmt: skip
    follow(events, progress)
    return Run(run)


def iter_score(
    source: Source,
    run: str | Path,
    *,
    prior: PriorLike = "demo",
    settings: ScoreSettings | None = None,
    source_settings: SourceSettings | None = None,
    launch: LaunchSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Score like `score`, and yield the events."""
    from dsel.pipeline.launch import score_on
    from dsel.pipeline.score import score as score_all
    from dsel.pipeline.serving import Recipe

    scoring, launching, sources, priors = with_keywords(
        keywords,
        settings or ScoreSettings(),
        launch or LaunchSettings(),
        _source_settings(source, source_settings),
        _prior_settings(prior),
    )
    how, where = cast(ScoreSettings, scoring), cast(LaunchSettings, launching)
    if sources is not None and priors is not None:
        named = cast(SourceSettings, sources), cast(PriorSettings, priors)
        yield from score_on(Recipe(str(source), *named, Path(run), how), where)
        return
    _refuse_elsewhere(where)
    dataset = _dataset(source, cast("SourceSettings | None", sources))
    loaded = _prior(prior, cast("PriorSettings | None", priors))
    yield from score_all(dataset, loaded, Path(run), how)


def select(
    run: Run | str | Path,
    *,
    settings: SelectSettings | None = None,
    preset: str = "",
    device: str = "auto",
    progress: bool = True,
    **keywords: Any,
) -> Selection:
    """Locate, cluster and rank the patches of a run; returns the selection, kept in the run.

    Keywords are fields of `SelectSettings`; they win over a preset, such as "paper", and a preset
    over `settings`. device: where a model runs that describes patches, if
    `features` asks for one.
    """
    opened = run if isinstance(run, Run) else Run(run)
    events = iter_select(opened, settings=settings, preset=preset, device=device, **keywords)
    return Selection(opened, str(follow(events, progress)["selection"]))


def iter_select(
    run: Run | str | Path,
    *,
    settings: SelectSettings | None = None,
    preset: str = "",
    device: str = "auto",
    **keywords: Any,
) -> Iterator[Event]:
    """Select like `select`, and yield the events."""
    from dsel.pipeline.confidences import teacher_for
    from dsel.pipeline.distill import featurizer_for
    from dsel.pipeline.select import select as select_all

    opened = run if isinstance(run, Run) else Run(run)
    (changed,) = with_keywords(keywords, _selecting(settings, preset))
    chosen = cast(SelectSettings, changed)
    featurizer = featurizer_for(opened.folder, chosen, device)
    teacher = teacher_for(opened.folder, chosen, device)
    yield from select_all(opened.folder, chosen, featurizer, teacher)


def export(
    selection: Selection,
    out: str | Path,
    *,
    settings: ExportSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Path:
    """Write the distilled set of a selection.

    It is an image folder unless `format` says otherwise ("parquet", or "folder,parquet" for several
    in folders of their own), and a zip file if `out` ends in .zip. Keywords are fields of
    `ExportSettings`. Raises `StorageError` or `SettingError` for a folder that holds anything else:
    files that dsel did not write are never overwritten.
    """
    follow(iter_export(selection, out, settings=settings, **keywords), progress)
    return Path(out)


def iter_export(
    selection: Selection,
    out: str | Path,
    *,
    settings: ExportSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Export like `export`, and yield the events."""
    from dsel.pipeline.distill import RUN_IN_OUT
    from dsel.pipeline.export import export as export_all

    (changed,) = with_keywords(keywords, settings or ExportSettings())
    exporting = cast(ExportSettings, changed)
    yield from export_all(
        selection.run.folder, Path(out), exporting, selection.name, also_ours=(RUN_IN_OUT,)
    )


def distill(
    source: Source,
    out: str | Path,
    *,
    run: str | Path | None = None,
    prior: PriorLike = "demo",
    score_settings: ScoreSettings | None = None,
    select_settings: SelectSettings | None = None,
    preset: str = "",
    export_settings: ExportSettings | None = None,
    source_settings: SourceSettings | None = None,
    launch: LaunchSettings | None = None,
    device: str | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Selection:
    """Score, select and export in one go; the same call again resumes.

    Args:
        source: An image folder, a zip or npz file, the word `toybox`, or an open dataset.
        out: The folder to write the distilled set to.
        run: The run folder; `out/run` if left out.
        prior: The word `demo`, the folder of a diffusers pipeline, a Hub id, or a loaded prior.
        score_settings: How the prior looks at each image; the defaults if left out.
        select_settings: How patches are located, ranked and cut; the defaults if left out.
        preset: Named settings of the selection, such as "paper", that win over `select_settings`;
            keywords win over them.
        export_settings: How the images are written; the defaults if left out.
        source_settings: How the source is read; the defaults if left out.
        launch: Where shards are scored; see `score`.
        device: Where the prior runs, and the model that describes patches if `features` asks for
            one; a loaded prior stays on its own device.
        progress: Whether progress bars are shown.
        keywords: Fields of `ScoreSettings`, `SelectSettings`, `ExportSettings` and
            `LaunchSettings`, of `SourceSettings` unless the dataset is open, and of `PriorSettings`
            unless the prior is loaded; `timesteps` are those that are scored.
    """
    events = iter_distill(
        source,
        out,
        run=run,
        prior=prior,
        score_settings=score_settings,
        select_settings=select_settings,
        preset=preset,
        export_settings=export_settings,
        source_settings=source_settings,
        launch=launch,
        device=device,
        **keywords,
    )
    follow(events, progress)
    return Selection(Run(_run_path(run, out)))


def iter_distill(
    source: Source,
    out: str | Path,
    *,
    run: str | Path | None = None,
    prior: PriorLike = "demo",
    score_settings: ScoreSettings | None = None,
    select_settings: SelectSettings | None = None,
    preset: str = "",
    export_settings: ExportSettings | None = None,
    source_settings: SourceSettings | None = None,
    launch: LaunchSettings | None = None,
    device: str | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Distill like `distill`, and yield the events."""
    from dsel.pipeline.distill import check_out, distill_on
    from dsel.pipeline.distill import distill as distill_all
    from dsel.pipeline.serving import Recipe

    scoring, exporting, selecting, launching, sources, priors = with_keywords(
        keywords,
        score_settings or ScoreSettings(),
        export_settings or ExportSettings(),  # its teacher also answers a baseline that asks one
        _selecting(select_settings, preset),
        launch or LaunchSettings(),
        _source_settings(source, source_settings),
        _prior_settings(prior, device),
    )
    check_out(Path(out), cast(ExportSettings, exporting))
    stages = cast(
        "tuple[ScoreSettings, SelectSettings, ExportSettings]", (scoring, selecting, exporting)
    )
    where, path = cast(LaunchSettings, launching), _run_path(run, out)
    if where.shards:
        raise SettingError("shards is of score alone: distill needs all of them", setting="shards")
    if sources is not None and priors is not None:
        named = cast(SourceSettings, sources), cast(PriorSettings, priors)
        recipe = Recipe(str(source), *named, path, stages[0])
        yield from distill_on(recipe, where, Path(out), *stages[1:])
        return
    _refuse_elsewhere(where)
    dataset = _dataset(source, cast("SourceSettings | None", sources))
    how = cast("PriorSettings | None", priors)
    on = (how.device if how else device) or "auto"
    yield from distill_all(dataset, _prior(prior, how), path, Path(out), stages, on)


def _refuse_elsewhere(launch: LaunchSettings) -> None:
    """Raise `SettingError` for workers that cannot get what is open in this process."""
    if launch != LaunchSettings():
        raise SettingError(
            "workers open dataset and prior themselves: give the name of the source and of the "
            "prior, not what is open already",
            setting="on",
        )


def _run_path(run: str | Path | None, out: str | Path) -> Path:
    from dsel.pipeline.distill import RUN_IN_OUT

    return Path(out) / RUN_IN_OUT if run is None else Path(run)


def _selecting(settings: SelectSettings | None, preset: str) -> SelectSettings:
    from dsel.config.presets import preset as values_of

    chosen = settings or SelectSettings()
    return chosen.replace(**values_of(preset)) if preset else chosen


def _source_settings(source: Source, settings: SourceSettings | None) -> SourceSettings | None:
    """The settings to open a source with; None for a dataset that is open."""
    if isinstance(source, str | Path):
        return settings or SourceSettings()
    if settings is not None:
        raise SettingError("source_settings must be left out for a dataset that is open already")
    return None


def _dataset(source: Source, settings: SourceSettings | None) -> Dataset:
    if not isinstance(source, str | Path):
        return source
    from dsel.data import open_dataset

    return open_dataset(str(source), settings or SourceSettings())


def _prior_settings(prior: PriorLike, device: str | None = None) -> PriorSettings | None:
    """The settings to load a prior with; None for a prior that is loaded."""
    if isinstance(prior, str | Path):
        prior = PriorSettings(prior=str(prior))
    if not isinstance(prior, PriorSettings):
        return None
    return prior if device is None else prior.replace(device=device)


def _prior(prior: PriorLike, settings: PriorSettings | None) -> Prior:
    if not isinstance(prior, str | Path | PriorSettings):
        return prior
    from dsel.priors import load_prior

    return load_prior(settings or PriorSettings())
