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
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
)
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
    progress: bool = True,
    **keywords: Any,
) -> Run:
    """Score every image of a dataset into the run folder, or resume there; returns the run.

    Args:
        source: An image folder, a zip or npz file, the word `toybox`, or an open dataset.
        run: The run folder to create or resume.
        prior: The word `demo`, the folder of a diffusers pipeline, a Hub id, or a loaded prior.
        settings: How the prior looks at each image; the defaults if left out.
        progress: Whether a progress bar is shown.
        keywords: Fields of `ScoreSettings`, `SourceSettings` and `PriorSettings`.
    """
    follow(iter_score(source, run, prior=prior, settings=settings, **keywords), progress)
    return Run(run)


def iter_score(
    source: Source,
    run: str | Path,
    *,
    prior: PriorLike = "demo",
    settings: ScoreSettings | None = None,
    **keywords: Any,
) -> Iterator[Event]:
    """Score like `score`, and yield the events."""
    from dsel.pipeline.score import score as score_all

    scoring, sources, priors = with_keywords(
        keywords, settings or ScoreSettings(), SourceSettings(), _prior_settings(prior)
    )
    dataset = _dataset(source, cast(SourceSettings, sources))
    loaded = _prior(prior, cast(PriorSettings, priors))
    yield from score_all(dataset, loaded, Path(run), cast(ScoreSettings, scoring))


def select(
    run: Run | str | Path,
    *,
    settings: SelectSettings | None = None,
    device: str = "auto",
    progress: bool = True,
    **keywords: Any,
) -> Selection:
    """Locate, cluster and rank the patches of a run; returns the selection, kept in the run.

    Keywords are fields of `SelectSettings`. device: where a model runs that describes patches, if
    `features` asks for one.
    """
    opened = run if isinstance(run, Run) else Run(run)
    events = iter_select(opened, settings=settings, device=device, **keywords)
    return Selection(opened, str(follow(events, progress)["selection"]))


def iter_select(
    run: Run | str | Path,
    *,
    settings: SelectSettings | None = None,
    device: str = "auto",
    **keywords: Any,
) -> Iterator[Event]:
    """Select like `select`, and yield the events."""
    from dsel.pipeline.distill import featurizer_for
    from dsel.pipeline.select import select as select_all

    opened = run if isinstance(run, Run) else Run(run)
    (changed,) = with_keywords(keywords, settings or SelectSettings())
    chosen = cast(SelectSettings, changed)
    yield from select_all(opened.folder, chosen, featurizer_for(opened.folder, chosen, device))


def export(
    selection: Selection,
    out: str | Path,
    *,
    settings: ExportSettings | None = None,
    progress: bool = True,
    **keywords: Any,
) -> Path:
    """Write the distilled set of a selection as an image folder, or as a zip if `out` ends so.

    Keywords are fields of `ExportSettings`. Raises `StorageError` or `SettingError` for a folder
    that holds anything else: nothing foreign is overwritten.
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
    from dsel.pipeline.export import export as export_all

    (changed,) = with_keywords(keywords, settings or ExportSettings())
    exporting = cast(ExportSettings, changed)
    yield from export_all(selection.run.folder, Path(out), exporting, selection.name)


def distill(
    source: Source,
    out: str | Path,
    *,
    run: str | Path | None = None,
    prior: PriorLike = "demo",
    progress: bool = True,
    **keywords: Any,
) -> Selection:
    """Score, select and export in one go; the same call again resumes.

    Args:
        source: An image folder, a zip or npz file, the word `toybox`, or an open dataset.
        out: The folder to write the distilled set to.
        run: The run folder; `out/run` if left out.
        prior: The word `demo`, the folder of a diffusers pipeline, a Hub id, or a loaded prior.
        progress: Whether progress bars are shown.
        keywords: Fields of `ScoreSettings`, `SelectSettings`, `ExportSettings`, `SourceSettings`
            and `PriorSettings`; `timesteps` are those that are scored.
    """
    follow(iter_distill(source, out, run=run, prior=prior, **keywords), progress)
    return Selection(Run(_run_path(run, out)))


def iter_distill(
    source: Source,
    out: str | Path,
    *,
    run: str | Path | None = None,
    prior: PriorLike = "demo",
    **keywords: Any,
) -> Iterator[Event]:
    """Distill like `distill`, and yield the events."""
    from dsel.pipeline.distill import check_out
    from dsel.pipeline.distill import distill as distill_all

    stages = (ScoreSettings(), SelectSettings(), ExportSettings())
    *changed, sources, priors = with_keywords(
        keywords, *stages, SourceSettings(), _prior_settings(prior)
    )
    check_out(Path(out))
    dataset = _dataset(source, cast(SourceSettings, sources))
    how = cast(PriorSettings, priors)
    settings = cast("tuple[ScoreSettings, SelectSettings, ExportSettings]", tuple(changed))
    path = _run_path(run, out)
    yield from distill_all(dataset, _prior(prior, how), path, Path(out), settings, how.device)


def _run_path(run: str | Path | None, out: str | Path) -> Path:
    from dsel.pipeline.distill import RUN_IN_OUT

    return Path(out) / RUN_IN_OUT if run is None else Path(run)


def _dataset(source: Source, settings: SourceSettings) -> Dataset:
    if not isinstance(source, str | Path):
        return source
    from dsel.data import open_dataset

    return open_dataset(str(source), settings)


def _prior_settings(prior: PriorLike) -> PriorSettings:
    """The settings that name a prior; a loaded one was named before."""
    if isinstance(prior, PriorSettings):
        return prior
    return PriorSettings(prior=str(prior)) if isinstance(prior, str | Path) else PriorSettings()


def _prior(prior: PriorLike, settings: PriorSettings) -> Prior:
    if not isinstance(prior, str | Path | PriorSettings):
        return prior
    from dsel.priors import load_prior

    return load_prior(settings)
