"""Rows of an evaluation: means, deviations, and differences to random whole images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import sqrt
from statistics import stdev
from typing import Final

from dsel.pipeline.training_sets import OWN, TrainingSet
from dsel.runs.evaluations import Evaluation, EvaluationRow, StudentResult

REFERENCE: Final = "random-whole"
"""The baseline that differences and p values refer to."""


def evaluation_row(
    name: str, ipc: int, training_set: TrainingSet, students: Iterable[StudentResult]
) -> EvaluationRow:
    """Return the row of a set without its statistics, which `compared` fills in."""
    images = training_set.images.images
    return EvaluationRow(
        name=name,
        ipc=ipc,
        images=sum(training_set.per_class),
        training_images=len(images),
        image_px=training_set.image_px,
        student_px=images.shape[1],
        students=tuple(sorted(students, key=lambda student: student.seed)),
    )


def compared(rows: Sequence[EvaluationRow]) -> tuple[EvaluationRow, ...]:
    """Fill in the statistics of rows; differences are to `REFERENCE` at the same IPC."""
    reference = {row.ipc: row for row in rows if row.name == REFERENCE}
    return tuple(_compared(row, reference.get(row.ipc)) for row in rows)


def headline(evaluation: Evaluation) -> dict[str, float | int | str]:
    """Return the figures of the evaluated set at its largest IPC."""
    row = max((row for row in evaluation.rows if row.name == OWN), key=lambda row: row.ipc)
    names = ("ipc", "mean", "standard_error", "difference", "p_value")
    figures = {name: getattr(row, name) for name in names}
    return {name: value for name, value in figures.items() if value is not None}


def _compared(row: EvaluationRow, reference: EvaluationRow | None) -> EvaluationRow:
    last = _last(row)
    if not last:
        return row
    difference = p_value = None
    if reference is not None and reference.name != row.name and reference.students:
        other = _last(reference)
        difference, p_value = mean(last) - mean(other), welch_p_value(last, other)
    return replace(
        row,
        mean=mean(last),
        sd=standard_deviation(last),
        standard_error=standard_error(last),
        best_mean=mean([student.best for student in row.students]),
        difference=difference,
        p_value=p_value,
    )


def _last(row: EvaluationRow) -> list[float]:
    return [student.last for student in row.students]


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a sample (ddof 1); None of fewer than two values."""
    return stdev(values) if len(values) > 1 else None


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None of fewer than two values."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def welch_p_value(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return the two-sided p value of Welch's t test; None without a spread."""
    if min(len(a), len(b)) < 2 or stdev(a) == stdev(b) == 0:
        return None
    from scipy.stats import ttest_ind

    return float(ttest_ind(a, b, equal_var=False).pvalue)
