"""Score, select and export in one go: a generator of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.config.export import FORMAT_NAMES
from dsel.core.patch_features import Featurizer
from dsel.errors import SettingError
from dsel.exports import is_zip, refuse_foreign
from dsel.pipeline.confidences import asks_teacher, teacher_for
from dsel.pipeline.export import export
from dsel.pipeline.labelling import check_labels, open_teacher
from dsel.pipeline.score import refuse_unfit, score
from dsel.pipeline.select import select
from dsel.runs import Run, open_run
from dsel.types import Dataset, Event, Prior

RUN_IN_OUT: Final = "run"
"""Where the run is kept below the output unless another folder is named."""


def check_out(out: Path, settings: ExportSettings) -> None:
    """Raise before the hours of scoring, not after them, for an output that would be refused."""
    if is_zip(out):
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
) -> Iterator[Event]:
    """Score into the run at `path`, select from it, and write the distilled set to `out`.

    The same call again resumes. Raises `DselError` before anything is scored for settings that a
    later stage would refuse. The export's teacher also answers a baseline that asks one.
    """
    scoring, selecting, exporting = settings
    if asks_teacher(selecting) and not selecting.teacher:
        selecting = selecting.replace(teacher=exporting.teacher)
    check_out(out, exporting)
    refuse_unfit(dataset, prior, scoring, selecting, exporting)
    check_labels(exporting)
    open_teacher(exporting, dataset.classes)
    yield from score(dataset, prior, path, scoring)
    run = open_run(path)
    models = featurizer_for(run, selecting, device), teacher_for(run, selecting, device)
    yield from select(run, selecting, *models)
    yield from export(run, out, exporting, also_ours=(RUN_IN_OUT,))
