"""Open what `dsel evaluate` is given: a run, or an exported set."""

from __future__ import annotations

from pathlib import Path

from dsel.config import ExportSettings
from dsel.pipeline.training_sets import RunSets, TrainingSets
from dsel.runs import open_run


def open_sets(
    path: Path, run: Path | None = None, selection: str = "", export: ExportSettings | None = None
) -> TrainingSets:
    """Open the sets of a run's selection."""
    opened = open_run(run or path)
    select, selections = opened.read_selection(selection)
    return RunSets(opened, select, selections, export)
