"""Stored evaluations and sweeps whose figures nobody measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsel.config import EvaluateSettings, SelectSettings
from dsel.runs import sweeps
from dsel.runs.evaluations import (
    Evaluation,
    EvaluationRow,
    HeldOutSource,
    StudentResult,
    write_evaluation,
)
from dsel.runs.sweeps import SWEEP

TOYBOX = HeldOutSource("toybox:seed=13", {"source": "toybox", "scene_seed": 13}, "f" * 16, 1000)


def row(name: str, ipc: int, mean: float, students: int = 3, **more: Any) -> EvaluationRow:
    """A row of students that all scored the same."""
    one = StudentResult(0, mean, mean, (300,), (mean,), "0" * 64)
    return EvaluationRow(
        name, ipc, 10 * ipc, 10 * ipc, 128, 64, (one,) * students,
        mean=mean, sd=0.01, standard_error=0.005, best_mean=mean, **more,
    )  # fmt: skip


def evaluation(
    name: str = "a" * 16, select: SelectSettings | None = None, rows: Any = (), **more: Any
) -> Evaluation:
    """A complete evaluation of the default settings, unless others are given."""
    values: dict[str, Any] = {
        "fingerprint": name, "complete": True, "settings": EvaluateSettings(),
        "select": (select or SelectSettings()).plain(), "selection": "s" * 16,
        "made_of": "m" * 16, "test": TOYBOX, "validation": False, "classes": ("disc", "square"),
        "rows": tuple(rows),
    }  # fmt: skip
    return Evaluation(**values | more)


def write_evaluations(run: Path) -> None:
    """Store two evaluations in a run: the default settings are better than random, others worse."""
    random = [row("random-whole", 1, 0.13), row("random-whole", 10, 0.31)]
    better = [
        row("dsel", 1, 0.2, difference=0.07, p_value=0.0002),
        row("dsel", 10, 0.36, difference=0.05, p_value=0.012, per_class=(0.25, 0.47)),
    ]
    worse = row("dsel", 10, 0.18, difference=-0.13, p_value=0.0001)
    write_evaluation(run, evaluation("a" * 16, rows=[*better, *random]))
    other = SelectSettings(patch_px=32)
    write_evaluation(run, evaluation("b" * 16, other, [worse, random[1]], validation=True))


def write_sweep(run: Path) -> None:
    """Store a sweep of patch sizes and rankings."""
    settings = SelectSettings().plain()
    usual = {name: settings[name] for name in SWEEP.names if name in settings}
    cells = [
        usual
        | {"patch_px": px, "within": within, "hit_rate": px / 128 - (within == "centroid") / 8}
        for px in (32, 64, 96)
        for within in ("score", "centroid")
    ]
    sweeps.write_sweep(run, "c" * 16, cells)
