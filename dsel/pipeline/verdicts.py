"""An evaluation in sentences: whether the set trains better than random whole images."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from dsel.pipeline.evaluation_rows import REFERENCE
from dsel.pipeline.training_sets import OWN
from dsel.runs.evaluations import Evaluation, EvaluationRow

SIGNIFICANT: Final = 0.05
"""The p value below which a difference is called one."""

DifferenceKind: TypeAlias = Literal["better", "worse", "similar", "untested"]


def verdicts(evaluation: Evaluation) -> tuple[str, ...]:
    """Return a sentence for each IPC, in the order of the rows."""
    rows = [row for row in evaluation.rows if row.name == OWN]
    return tuple(verdict(row, named=len(rows) > 1) for row in rows)


def verdict(row: EvaluationRow, named: bool = False) -> str:
    """Say how the set of a row compares with random whole images; `named`: with its IPC."""
    where = f" at IPC {row.ipc}" if named else ""
    if row.difference is None:
        return f"not compared with {REFERENCE}{where}"
    figures, kind = f"{points(row.difference)} points", kind_of(row.difference, row.p_value)
    if row.p_value is None:
        return (
            f"dsel's set against random whole images{where}: {figures}, of too few students to "
            "tell from chance; raise --seeds"
        )
    if kind == "similar":
        figures += ", within noise"
    how = {"better": "better than", "worse": "worse than"}.get(kind, "no better than")
    return f"dsel's set trains {how} random whole images{where}: {figures} ({p_text(row.p_value)})"


def kind_of(difference: float | None, p_value: float | None) -> DifferenceKind:
    """Return what a difference of accuracies says, given the p value of Welch's test."""
    if p_value is None or difference is None:
        return "untested"
    if p_value >= SIGNIFICANT:
        return "similar"
    return "better" if difference > 0 else "worse"


def points(difference: float) -> str:
    """Write a difference of accuracies in percentage points, with its sign."""
    return f"{100 * difference:+.1f}"


def p_text(p_value: float) -> str:
    """Write a p value to two digits."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
