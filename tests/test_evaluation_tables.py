"""The tables of docs/evaluation.md compare sets within each pool of images."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind

from dsel.students.statistics import welch_p

sys.path.insert(0, str(Path(__file__).parent / "bench"))
from evaluation_tables import deviation_within, difference, table

OURS = (0.31, 0.34, 0.30, 0.36)
THEIRS = (0.25, 0.29, 0.28)


def test_difference__of_one_pool_is_welchs_test():
    gap, p_value = difference({"a": OURS}, {"a": THEIRS})

    assert gap == pytest.approx(np.mean(OURS) - np.mean(THEIRS))
    assert p_value == pytest.approx(welch_p(OURS, THEIRS))
    assert p_value == pytest.approx(ttest_ind(OURS, THEIRS, equal_var=False).pvalue)


def test_difference__how_hard_a_pool_is_does_not_count():
    ours, theirs = {"a": OURS, "b": OURS}, {"a": THEIRS, "b": THEIRS}
    harder = [value - 0.2 for value in OURS], [value - 0.2 for value in THEIRS]

    same = difference(ours, theirs)

    assert difference({"a": OURS, "b": harder[0]}, {"a": THEIRS, "b": harder[1]}) == pytest.approx(
        same
    )
    assert same[1] < welch_p(OURS, THEIRS)  # twice the students
    pooled = welch_p((*OURS, *harder[0]), (*THEIRS, *harder[1]))
    assert pooled > same[1]


def test_difference__p_values_are_uniform_where_sets_are_equal():
    rng = np.random.default_rng(0)
    easy = {"a": 0.6, "b": 0.2, "c": 0.4}

    def students():
        return {pool: rng.normal(level, 0.02, 5) for pool, level in easy.items()}

    found = [difference(students(), students())[1] for _ in range(2000)]

    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("theirs", [{"b": THEIRS}, {"a": THEIRS[:1]}])
def test_difference__none_without_pairs_of_students(theirs):
    assert difference({"a": OURS}, theirs) is None


def test_difference__of_students_that_do_not_vary():
    assert difference({"a": (0.5, 0.5)}, {"a": (0.25, 0.25)}) == (0.25, 0.0)
    assert difference({"a": (0.5, 0.5)}, {"a": (0.5, 0.5)}) == (0.0, 1.0)


def test_deviation_within__by_hand():
    # squares around the means of their pools: 1 + 1 and 4 + 0 + 4, over 1 + 2 degrees of freedom
    assert deviation_within({"a": (1, 3), "b": (8, 10, 12)}) == pytest.approx((10 / 3) ** 0.5)
    assert deviation_within({"a": (1,), "b": (8,)}) is None


def test_table__is_bold_where_random_images_are_worse():
    rows = [
        {"student": "convnet-3", "recipe": "hard", "set": "single", "ipc": 10, **row}
        for row in (
            {"pool": "a", "name": "dsel", "last": [0.3, 0.32]},
            {"pool": "a", "name": "random-whole", "last": [0.1, 0.12]},
            {"pool": "b", "name": "dsel", "last": [0.5, 0.52]},
            {"pool": "b", "name": "random-whole", "last": [0.3, 0.32]},
            {"pool": "b", "name": "herding", "last": [0.3, 0.32]},
        )
    ]

    lines = table(rows).splitlines()

    assert lines[1] == "convnet-3, hard, single"
    assert lines[-3] == "| dsel | **41.0 ± 1.4** (+20.0, p = 3.7e-05) |"
    assert lines[-2] == "| random-whole | 21.0 ± 1.4 |"
    assert lines[-1] == "| herding | 31.0 ± 1.4 |"  # not in all pools, so it is not compared
