"""Sweep a grid of select settings: figures at once, and students on validation images if wanted."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Final

from dsel import __version__
from dsel.analysis.explorer import Explorer
from dsel.analysis.grid import grid
from dsel.analysis.label_auc import UNKNOWN, class_label_aucs, has_name_maps, what_is_read
from dsel.config import SelectSettings, SweepSettings
from dsel.config.base import fingerprint
from dsel.core.label_auc import overall_auc
from dsel.locks import locked
from dsel.pipeline.evaluation_rows import REFERENCE
from dsel.pipeline.trials import Attempt, Trials
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.runs.sweeps import FOLDER as SWEEPS
from dsel.runs.sweeps import write_sweep
from dsel.types import Done, Event, Notice, Progress, Started

SETTINGS: Final = (
    "cut", "patch_px", "timesteps", "locate", "smooth", "rank_by", "clusters", "within", "across",
    "drop_lowest", "factor", "ipc",
)  # fmt: skip


def sweep(
    explorer: Explorer,
    select: SelectSettings,
    settings: SweepSettings,
    trials: Trials | None = None,
) -> Iterator[Event]:
    """Measure every combination of settings, and store the table in the run.

    trials: trains students of each, on validation images. The same call again resumes them.
    Raises `StorageError` while another process writes there.
    """
    folder = SWEEPS if trials is None else EVALUATIONS  # where the students are stored
    with trials or nullcontext():
        yield from locked(explorer.run.path / folder, _sweep(explorer, select, settings, trials))


def _sweep(
    explorer: Explorer, select: SelectSettings, settings: SweepSettings, trials: Trials | None
) -> Iterator[Event]:
    if select.baseline != "none":
        yield Notice(text_of_baseline(select))
    cells = grid(dsels_own(select), settings)
    if not has_name_maps(explorer.run):
        yield Notice(UNKNOWN)
    yield Started("sweep", len(cells), "settings")
    rows = []
    for cell in cells:
        rows.append(row_of(explorer, cell))
        yield Progress()
    if trials is not None:
        rows = yield from _with_students(explorer, cells, rows, trials)
    name = fingerprint(
        __version__, explorer.run.identity.fingerprint, select, settings,
        *([] if trials is None else [trials.fingerprint]),
    )  # fmt: skip
    path = write_sweep(explorer.run.path, name, rows)
    yield Done("sweep", {"settings": len(cells), "sweep": name, "table": str(path)})


def dsels_own(select: SelectSettings) -> SelectSettings:
    """Return the settings with dsel's own ranking: a baseline ignores most of what is searched."""
    is_own = select.baseline == "none"
    return select if is_own else select.replace(baseline="none", baseline_seed=0, teacher="")


def text_of_baseline(select: SelectSettings) -> str:
    """Say that a search is not of the baseline that the selection was made by."""
    return f"the selection is by the baseline {select.baseline}: dsel's own is searched instead"


def row_of(explorer: Explorer, cell: SelectSettings) -> dict[str, Any]:
    """Return the settings and the figures of one cell that need no training."""
    quality = explorer.quality_overall(cell)
    return {
        **{name: getattr(cell, name) for name in SETTINGS},
        "images": quality.images,
        "coverage_distance": _known(quality.coverage_distance),
        "clusters_covered": _share(quality.clusters_covered, quality.clusters),
        "near_duplicates": quality.near_duplicates,
        "stability": stability(explorer, cell),
        "hit_rate": _hit_rate(explorer, cell),
        "label_auc": label_auc(explorer, cell),
    }


def stability(explorer: Explorer, cell: SelectSettings) -> float | None:
    """Return the share of kept images that two halves of the timesteps agree on.

    The halves are every other timestep, and those between. None with fewer than two timesteps.
    """
    used = cell.timesteps or explorer.geometry.timesteps
    if len(used) < 2:
        return None
    a, b = (cell.replace(timesteps=tuple(used[start::2])) for start in (0, 1))
    return _known(explorer.compare_overall(a, b).kept.image_share)


def label_auc(explorer: Explorer, cell: SelectSettings) -> float | None:
    """Return the mean label AUC over the measured images; None where scoring stored no maps."""
    read = what_is_read(cell)

    def measure() -> float:
        return overall_auc(list(class_label_aucs(explorer.run, read).values()))[0]

    return _known(explorer.kept_in_memory(("label auc", read), measure))


def _hit_rate(explorer: Explorer, cell: SelectSettings) -> float | None:
    found = explorer.localization_overall(cell)
    return _known(found[0].hit_rate) if found else None


def _with_students(
    explorer: Explorer,
    cells: Sequence[SelectSettings],
    rows: Sequence[Mapping[str, Any]],
    trials: Trials,
) -> Generator[Event, None, list[dict[str, Any]]]:
    """Add the accuracies of students, and their differences to random images of the same budget."""
    yield from map(Notice, trials.notices)
    budgets = {cell.factor: cell for cell in reversed(cells)}  # the first cell of each
    attempts = [Attempt(cell, REFERENCE) for cell in budgets.values()]
    attempts += [Attempt(cell) for cell in cells]
    yield from trials.read()
    yield Started("students", len(attempts) * trials.steps, "steps")
    trained = yield from trials.run(attempts)
    random = dict(zip(budgets, trained, strict=False))
    images = {
        factor: explorer.quality_overall(cell.replace(baseline=REFERENCE)).images
        for factor, cell in budgets.items()
    }
    found, short = [], 0
    for cell, row, trial in zip(cells, rows, trained[len(budgets) :], strict=True):
        accuracies = {"accuracy": trial.mean, "accuracy_sd": trial.sd}
        is_equal = row["images"] == images[cell.factor]
        short += not is_equal
        difference = trial.mean - random[cell.factor].mean if is_equal else None
        found.append({**row, **accuracies, "difference": difference})
    if short:
        yield Notice(
            f"{short} settings give other numbers of images than random images have: they are not "
            "compared with them"
        )
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
