"""Evaluations, sweeps and advice in Python: the same results as on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.scored import evaluated_run
from support.toyset import dataset_of
from support.trainer import trainer

import dsel
from dsel.cli.commands import main
from dsel.errors import SettingError
from dsel.runs.evaluations import list_evaluations
from dsel.types import Done

__all__ = ["trainer"]

HOW = {"student_px": 16, "steps": 5, "seeds": 2}
FLAGS = ("--student-px", "16", "--steps", "5", "--seeds", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return evaluated_run(tmp_path)


def test_evaluate__as_on_the_command_line(folder, trainer):
    test = folder / "test"
    found = dsel.evaluate(folder / "run", test, progress=False, **HOW)
    assert main(["evaluate", str(folder / "run"), "--test", str(test), *FLAGS]) == 0
    assert list_evaluations(folder / "run") == (found,)
    assert trainer.students == 4


def test_evaluate__a_selection_a_run_an_export_an_open_dataset(folder, trainer):
    run = dsel.open_run(folder / "run")
    selection = dsel.select(run, ipc=1, progress=False)
    test = dataset_of(folder / "test")
    first = dsel.evaluate(selection, test, progress=False, **HOW)
    assert first.rows == dsel.evaluate(run, test, progress=False, **HOW).rows
    out = dsel.export(selection, folder / "out", progress=False)
    again = dsel.evaluate(out, test, run=run, progress=False, **HOW)
    assert again.rows == first.rows
    with pytest.raises(SettingError, match="a selection has its own run"):
        dsel.evaluate(selection, test, run=run, progress=False)


def test_iter_evaluate__ends_with_the_name(folder, trainer):
    *_, done = dsel.iter_evaluate(folder / "run", folder / "test", **HOW)
    assert isinstance(done, Done)
    (stored,) = list_evaluations(folder / "run")
    assert done.figures["evaluation"] == stored.fingerprint


def test_sweep__a_table(folder, trainer):
    grid = {"cut": ("patch", "whole"), "rank_by": (), "within": ()}
    table = dsel.sweep(
        folder / "run", validation=folder / "validation", progress=False, **grid, **HOW
    )
    assert table["cut"].tolist() == ["patch", "whole"]
    assert table["accuracy"].between(0, 1).all()
    *_, done = dsel.iter_sweep(folder / "run", **grid)
    assert done.figures["settings"] == 2


def test_advise__recommended_settings_select(folder, trainer):
    search = {"candidates": 3, "rungs": 2, "final_seeds": 2}
    advice = dsel.advise(folder / "run", folder / "validation", progress=False, **search, **HOW)
    chosen = dsel.SelectSettings.from_plain(advice.select)
    selection = dsel.select(folder / "run", settings=chosen, progress=False)
    assert selection.settings == chosen
    *_, done = dsel.iter_advise(folder / "run", folder / "validation", **search, **HOW)
    assert isinstance(done, Done)
    assert (folder / "run/advice" / f"{done.figures['advice']}.json").is_file()
