"""Which stored evaluations belong to a selection, and what they say about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.evaluated import evaluation, row

from dsel.analysis.evaluations import belongs_to, select_settings, verdict
from dsel.config import SelectSettings

DEFAULTS = SelectSettings()


def rows(difference: float | None = 0.05, p_value: float | None = 0.01, students: int = 3):
    return [row("dsel", 10, 0.3, students, difference=difference, p_value=p_value)]


def test_belongs_to__the_same_settings_at_any_ipc() -> None:
    found = evaluation(select=DEFAULTS.replace(ipc=50))
    assert belongs_to(found, DEFAULTS)
    assert not belongs_to(found, DEFAULTS.replace(patch_px=32))
    assert not belongs_to(found, DEFAULTS.replace(pins=("a",)))


def test_belongs_to__settings_of_another_version() -> None:
    found = replace(evaluation(), select={"colour": "blue"})
    assert select_settings(found) is None
    assert not belongs_to(found, DEFAULTS)


@pytest.mark.parametrize(
    ("difference", "p_value", "kind"),
    [
        (0.05, 0.01, "better"),
        (-0.05, 0.01, "worse"),
        (0.05, 0.05, "similar"),
        (-0.05, 0.2, "similar"),
        (0.05, None, "untested"),
        (None, None, "unknown"),
    ],
)
def test_verdict__kinds(difference: float | None, p_value: float | None, kind: str) -> None:
    found = verdict([evaluation(rows=rows(difference, p_value))], DEFAULTS)
    assert (found.kind, found.difference, found.ipc) == (kind, difference, 10)


def test_verdict__unknown_without_an_evaluation_of_these_settings_and_this_ipc() -> None:
    found = evaluation(rows=rows())
    assert verdict([], DEFAULTS).kind == "unknown"
    assert verdict([found], DEFAULTS.replace(ipc=9)).kind == "unknown"
    assert verdict([found], DEFAULTS.replace(factor=2)).kind == "unknown"
    assert verdict([evaluation(rows=[row("herding", 10, 0.3)])], DEFAULTS).kind == "unknown"


def test_verdict__the_first_images_of_a_larger_export_are_another_set() -> None:
    larger = DEFAULTS.replace(ipc=50)
    of_run = evaluation(select=larger, rows=rows(0.05, 0.01))
    assert verdict([of_run], DEFAULTS).kind == "better"
    of_export = evaluation(select=larger, rows=rows(0.05, 0.01), is_export=True)
    assert verdict([of_export], DEFAULTS).kind == "unknown"
    assert verdict([evaluation(rows=rows(0.05, 0.01), is_export=True)], DEFAULTS).kind == "better"


def test_verdict__a_test_before_a_validation_then_more_students_then_the_last() -> None:
    validation = evaluation("v", rows=rows(students=9), validation=True)
    few, many = evaluation("few", rows=rows(students=2)), evaluation("many", rows=rows())
    last = evaluation("last", rows=rows())
    assert verdict([validation, few], DEFAULTS).fingerprint == "few"
    assert verdict([many, few], DEFAULTS).fingerprint == "many"
    assert verdict([many, few, last], DEFAULTS).fingerprint == "last"
    assert verdict([validation], DEFAULTS).validation
