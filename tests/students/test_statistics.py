from __future__ import annotations

import math

import pytest
from scipy import stats

from dsel.students.statistics import deviation, mean, standard_error, welch_p


def test_mean__is_the_sum_over_the_count_and_none_without_values():
    assert mean([0.25, 0.5, 0.75]) == 0.5
    assert mean([]) is None


def test_deviation__divides_by_n_minus_one():
    # squares of -1, 0, 1 sum to 2; over 2 is 1
    assert deviation([1.0, 2.0, 3.0]) == 1.0
    assert deviation([1.0]) is None


def test_standard_error__is_the_deviation_over_the_root_of_n():
    assert standard_error([1.0, 2.0, 3.0, 2.0]) == pytest.approx(math.sqrt(2 / 3) / 2)
    assert standard_error([1.0]) is None


def test_welch_p__by_hand():
    # means 2 and 6, variances 1, n 3: t = 4 / sqrt(1 / 3 + 1 / 3) with 4 degrees of freedom, whose
    # upper tail is 1/2 - 3/4 (x - x^3 / 3) with x = t / sqrt(t^2 + 4)
    t = 4 / math.sqrt(2 / 3)
    x = t / math.sqrt(t * t + 4)
    tail = 0.5 - 0.75 * (x - x**3 / 3)
    assert welch_p([1.0, 2.0, 3.0], [5.0, 6.0, 7.0]) == pytest.approx(2 * tail, rel=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([0.31, 0.29, 0.35], [0.25, 0.27, 0.26, 0.30]),
        ([0.1, 0.9], [0.5, 0.55]),
        ([0.4, 0.41, 0.42, 0.39, 0.4], [0.4, 0.35]),
    ],
)
def test_welch_p__agrees_with_scipy(ours: list[float], theirs: list[float]):
    expected = stats.ttest_ind(ours, theirs, equal_var=False).pvalue
    assert welch_p(ours, theirs) == pytest.approx(expected, rel=1e-9)
    assert welch_p(theirs, ours) == pytest.approx(expected, rel=1e-9)


def test_welch_p__without_variation_or_without_values():
    assert welch_p([0.5, 0.5], [0.5, 0.5]) == 1.0
    assert welch_p([0.5, 0.5], [0.75, 0.75]) == 0.0
    assert welch_p([0.5], [0.1, 0.2]) is None
