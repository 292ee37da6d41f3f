"""Stored evaluations of a run: which of them belong to a selection, and what they say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dsel.config import SelectSettings
from dsel.config.base import result_settings
from dsel.errors import SettingError
from dsel.pipeline.training_sets import OWN
from dsel.pipeline.verdicts import DifferenceKind, kind_of
from dsel.runs.evaluations import Evaluation, EvaluationRow

VerdictKind: TypeAlias = DifferenceKind | Literal["unknown"]
Reason: TypeAlias = Literal["", "not_evaluated", "not_stored"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What students say about a selection at one IPC, compared with random whole images.

    kind: better or worse if Welch's test is significant, similar if it is not, untested if there
    are too few students for a test, unknown without an evaluation. difference: in accuracy, shares
    of 1. fingerprint: of the evaluation.
    """

    kind: VerdictKind
    ipc: int
    difference: float | None = None
    p_value: float | None = None
    fingerprint: str = ""
    student: str = ""
    test: str = ""
    validation: bool = False


@dataclass(frozen=True, slots=True)
class ClassAccuracies:
    """The mean accuracies of students on the test images of each class, by its name.

    reason: why there are none: the selection was not evaluated at its IPC, or only by a version
    that did not store them.
    """

    of_class: Mapping[str, float | None]
    reason: Reason = ""


def belongs_to(evaluation: Evaluation, settings: SelectSettings) -> bool:
    """Return whether an evaluation is of the selection with these settings, at whichever IPC."""
    evaluated = select_settings(evaluation)
    if evaluated is None:
        return False
    return result_settings(evaluated.replace(ipc=settings.ipc)) == result_settings(settings)


def select_settings(evaluation: Evaluation) -> SelectSettings | None:
    """Return the settings of the evaluated selection; None if this version does not know them."""
    try:
        return SelectSettings.from_plain(evaluation.select)
    except SettingError:
        return None


def verdict(evaluations: Sequence[Evaluation], settings: SelectSettings) -> Verdict:
    """Return what the evaluations say about the selection with these settings at its IPC.

    Where there are several, a test set counts more than a validation set, and more students count
    more than fewer; the last of equal ones counts.
    """
    found = [(one, row) for one, row in _rows(evaluations, settings) if row.difference is not None]
    if not found:
        return Verdict("unknown", settings.ipc)
    evaluation, row = max(reversed(found), key=_weight)
    return Verdict(
        kind_of(row.difference, row.p_value), settings.ipc, row.difference, row.p_value,
        evaluation.fingerprint, evaluation.settings.student, evaluation.test.source,
        evaluation.validation,
    )  # fmt: skip


def class_accuracies(
    evaluations: Sequence[Evaluation], settings: SelectSettings
) -> ClassAccuracies:
    """Return the accuracies per class of the selection with these settings at its IPC.

    Where several evaluations have them, the one counts that `verdict` would take.
    """
    found = list(_rows(evaluations, settings))
    stored = [(one, row) for one, row in found if row.per_class]
    if not stored:
        return ClassAccuracies({}, "not_stored" if found else "not_evaluated")
    evaluation, row = max(reversed(stored), key=_weight)
    return ClassAccuracies(dict(zip(evaluation.classes, row.per_class, strict=True)))


def _rows(
    evaluations: Sequence[Evaluation], settings: SelectSettings
) -> Iterator[tuple[Evaluation, EvaluationRow]]:
    """Yield the rows of the selection itself at its IPC, with their evaluations.

    The first images of a larger export are not the selection that this IPC gives.
    """
    for evaluation in evaluations:
        is_part = evaluation.is_export and evaluation.select["ipc"] != settings.ipc
        if belongs_to(evaluation, settings) and not is_part:
            for row in evaluation.rows:
                if row.name == OWN and row.ipc == settings.ipc:
                    yield evaluation, row


def _weight(found: tuple[Evaluation, EvaluationRow]) -> tuple[bool, int]:
    evaluation, row = found
    return not evaluation.validation, len(row.students)
