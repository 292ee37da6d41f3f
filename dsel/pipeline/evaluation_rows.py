"""Rows of an evaluation: means, deviations, and differences to random whole images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final

from dsel.pipeline.training_set import SetFacts
from dsel.pipeline.training_sets import OWN
from dsel.runs.evaluations import Evaluation, EvaluationRow, StudentResult
from dsel.students.statistics import deviation, mean, standard_error, welch_p

REFERENCE: Final = "random-whole"
"""The baseline that differences and p values refer to."""


def evaluation_row(
    name: str, ipc: int, facts: SetFacts, students: Iterable[StudentResult]
) -> EvaluationRow:
    """Return the row of a set without its statistics, which `compared` fills in."""
    return EvaluationRow(
        name=name,
        ipc=ipc,
        images=facts.images,
        training_images=facts.training_images,
        image_px=facts.image_px,
        student_px=facts.student_px,
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
        difference, p_value = fmean(last) - fmean(other), welch_p(last, other)
    return replace(
        row,
        mean=mean(last),
        sd=deviation(last),
        standard_error=standard_error(last),
        best_mean=mean([student.best for student in row.students]),
        difference=difference,
        p_value=p_value,
        per_class=_per_class(row.students),
    )


def _per_class(students: Sequence[StudentResult]) -> tuple[float | None, ...]:
    """Return the mean accuracy of each class; empty unless all students have them."""
    if not all(student.per_class for student in students):
        return ()
    of_classes = zip(*(student.per_class for student in students), strict=True)
    known = ([one for one in column if one is not None] for column in of_classes)
    return tuple(fmean(column) if column else None for column in known)


def _last(row: EvaluationRow) -> list[float]:
    return [student.last for student in row.students]
