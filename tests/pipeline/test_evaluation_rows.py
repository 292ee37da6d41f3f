"""Rows of an evaluation: statistics by hand, differences at the same IPC, honest sentences."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from scipy.stats import ttest_ind

from dsel.pipeline.evaluation_rows import compared
from dsel.pipeline.verdicts import p_text, verdict
from dsel.runs.evaluations import EvaluationRow, StudentResult


def row(name: str, last: list[float], ipc: int = 10) -> EvaluationRow:
    students = (StudentResult(n, a, a + 0.1, (1,), (a,), "") for n, a in enumerate(last))
    return EvaluationRow(name, ipc, 100, 100, 64, 64, tuple(students))


def test_compared__by_hand():
    own, random = compared([row("dsel", [0.3, 0.4, 0.5]), row("random-whole", [0.2, 0.2, 0.35])])
    assert own.mean == pytest.approx(0.4)
    assert own.sd == pytest.approx(0.1)
    assert own.standard_error == pytest.approx(0.1 / sqrt(3))
    assert own.best_mean == pytest.approx(0.5)
    assert own.difference == pytest.approx(0.15)
    expected = ttest_ind([0.3, 0.4, 0.5], [0.2, 0.2, 0.35], equal_var=False).pvalue
    assert own.p_value == pytest.approx(expected)
    assert random.mean == pytest.approx(0.25)
    assert random.difference is None


def test_compared__at_the_same_ipc():
    rows = [row("dsel", [0.5, 0.6]), row("random-whole", [0.1, 0.2], ipc=1)]
    assert [one.difference for one in compared(rows)] == [None, None]


def test_compared__one_student_has_no_spread():
    own, _ = compared([row("dsel", [0.5]), row("random-whole", [0.25])])
    assert (own.mean, own.sd, own.standard_error, own.p_value) == (0.5, None, None, None)
    assert own.difference == 0.25


def test_compared__no_student_yet():
    assert compared([row("dsel", [])])[0].mean is None


def test_compared__accuracies_of_classes_are_means_of_students():
    students = row("dsel", [0.3, 0.4]).students
    first = replace(students[0], per_class=(0.2, None, 0.4))
    second = replace(students[1], per_class=(0.4, None, 0.4))
    (found,) = compared([replace(row("dsel", []), students=(first, second))])
    assert found.per_class == (pytest.approx(0.3), None, pytest.approx(0.4))
    (older,) = compared([replace(row("dsel", []), students=(first, students[1]))])
    assert older.per_class == ()


@pytest.mark.parametrize(
    ("difference", "p_value", "text"),
    [
        (0.05, 0.012, "dsel's set trains better than random whole images: +5.0 points (p = 0.012)"),
        (-0.05, 0.0004,
         "dsel's set trains worse than random whole images: -5.0 points (p < 0.001)"),
        (0.01, 0.3,
         "dsel's set trains no better than random whole images: +1.0 points, within noise "
         "(p = 0.3)"),
        (0.01, None,
         "dsel's set against random whole images: +1.0 points, of too few students to tell from "
         "chance; raise --seeds"),
        (None, None, "not compared with random-whole"),
    ],
)  # fmt: skip
def test_verdict__by_sign_and_p(difference, p_value, text):
    assert verdict(replace(row("dsel", []), difference=difference, p_value=p_value)) == text


def test_verdict__names_the_ipc_where_there_are_several():
    found = replace(row("dsel", []), difference=0.1, p_value=0.01)
    assert "random whole images at IPC 10: +10.0 points" in verdict(found, named=True)


def test_p_text__two_digits():
    assert [p_text(p) for p in (0.04567, 0.5, 1.0, 0.0009)] == [
        "p = 0.046", "p = 0.5", "p = 1", "p < 0.001",
    ]  # fmt: skip
