"""Sweeps: the grid, figures by hand, students on validation images alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.scored import evaluated_run
from support.trainer import Interrupted, trainer

from dsel.analysis.explorer import Explorer
from dsel.analysis.grid import grid
from dsel.analysis.sweep import row_of, stability, sweep
from dsel.analysis.sweeps import list_sweeps
from dsel.cache import Cache
from dsel.config import ExportSettings, SelectSettings, StudentSettings, SweepSettings
from dsel.errors import SettingError
from dsel.pipeline.evaluated import open_sets
from dsel.pipeline.held_out import HeldOutTest, Validation
from dsel.pipeline.trials import Trials
from dsel.runs import Run, open_run
from dsel.types import Done, Notice

__all__ = ["trainer"]

SELECT = SelectSettings(ipc=2, clusters=2)
ONE = {"cut": (), "rank_by": (), "within": ()}
QUICK = StudentSettings(student_px=16, steps=5, seeds=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return evaluated_run(tmp_path)


@pytest.fixture
def run(folder: Path) -> Run:
    return open_run(folder / "run")


@pytest.fixture
def explorer(run: Run) -> Explorer:
    return Explorer(run, Cache())


@pytest.fixture
def trials(folder: Path, run: Run) -> Trials:
    subject = open_sets(folder / "run").subject
    return Trials(run, Validation(subject, str(folder / "validation")), QUICK, ExportSettings())


def finish(events) -> Done:
    return list(events)[-1]


# The grid


def test_grid__every_combination_once():
    cells = grid(SELECT, SweepSettings(**ONE | {"cut": ("patch", "whole"), "factor": (1, 2)}))
    assert [(cell.cut, cell.factor) for cell in cells] == [
        ("patch", 1), ("patch", 2), ("whole", 1), ("whole", 2),
    ]  # fmt: skip
    assert {(cell.ipc, cell.clusters, cell.within) for cell in cells} == {(2, 2, SELECT.within)}


def test_grid__equal_cells_count_once():
    sweep_settings = SweepSettings(**ONE | {"cut": ("whole", "whole")})
    assert grid(SELECT, sweep_settings) == (SELECT.replace(cut="whole"),)


def test_grid__timesteps_joined_by_plus():
    cells = grid(SELECT, SweepSettings(**ONE | {"timesteps": ("all", "300", "300+500")}))
    assert [cell.timesteps for cell in cells] == [(), (300,), (300, 500)]


def test_grid__maps_that_locate_and_shares_that_are_dropped():
    axes = {"locate": ("positive", "difference"), "smooth": (0.0, 1.0), "drop_lowest": (0.0, 0.5)}
    cells = grid(SELECT, SweepSettings(**ONE | axes))
    assert len(cells) == 8
    assert (cells[-1].locate, cells[-1].smooth, cells[-1].drop_lowest) == ("difference", 1.0, 0.5)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"locate": ("gap",)}, "locate must be one of positive, difference, signed, got 'gap'"),
        ({"cut": ("square",)}, "cut must be one of patch, context, whole, got 'square'"),
        ({"timesteps": ("300-500",)}, "timesteps must be numbers joined by +"),
        ({"clusters": tuple(range(501))}, "at most 500 cells, got 501 (501 clusters)"),
        (
            {"clusters": tuple(range(60)), "factor": tuple(range(1, 9)), "cut": ("patch", "whole")},
            "at most 500 cells, got 960 (2 cut x 60 clusters x 8 factor)",
        ),
    ],
)
def test_grid__refused(values, line):
    with pytest.raises(SettingError) as error:
        grid(SELECT, SweepSettings(**ONE | values))
    assert line in str(error.value)


# Figures at once


def test_row_of__figures_of_the_explorer(explorer):
    cell = SELECT.replace(cut="patch")
    quality = explorer.quality_overall(cell)
    row = row_of(explorer, cell)
    assert row["coverage_distance"] == quality.coverage_distance
    assert row["clusters_covered"] == quality.clusters_covered / quality.clusters
    assert row["images"] == 4
    assert (row["locate"], row["smooth"], row["drop_lowest"]) == ("positive", 0.0, 0.0)
    assert row["hit_rate"] is None  # the run has no boxes
    assert (row["cut"], row["clusters"], row["timesteps"]) == ("patch", 2, ())


def test_stability__kept_images_of_two_halves_of_the_timesteps(explorer):
    halves = [SELECT.replace(timesteps=steps) for steps in ((200, 400, 600), (300, 500, 700))]
    same = total = 0
    for index in range(2):
        kept = []
        for half in halves:
            selected = explorer.select(index, half)
            kept.append({selected.patches[rank].image_id for rank in selected.kept(2)})
        same += len(kept[0] & kept[1])
        total += len(kept[0])
    assert stability(explorer, SELECT) == same / total
    assert stability(explorer, SELECT.replace(timesteps=(300,))) is None


def test_sweep__the_table_in_the_run(explorer, run):
    done = finish(sweep(explorer, SELECT, SweepSettings()))
    assert done.figures["settings"] == 12
    (stored,) = list_sweeps(run)
    assert stored.name == done.figures["sweep"]
    assert stored.settings == ("cut", "rank_by", "within")
    assert len(stored.cells) == 12
    assert {cell["accuracy"] for cell in stored.cells} == {None}
    assert list(run.path.glob("evaluations/*")) == []


# Students


def test_sweep__students_of_each_cell(explorer, run, trials, trainer):
    done = finish(sweep(explorer, SELECT, SweepSettings(**ONE | {"factor": (1, 2)}), trials))
    assert done.figures["settings"] == 2
    # Two cells, and random images of each budget, drawn anew for each student.
    assert sorted(trainer.calls) == [(0,)] * 4 + [(1,)] * 4
    (stored,) = list_sweeps(run)
    for cell in stored.cells:
        assert 0 < cell["accuracy"] < 1
        assert cell["accuracy_sd"] > 0
        assert cell["difference"] is not None


def test_sweep__fewer_images_are_not_compared_with_more(explorer, run, trials, trainer):
    shares = SweepSettings(**ONE | {"drop_lowest": (0.0, 0.9)})
    events = list(sweep(explorer, SELECT, shares, trials))
    (told,) = [one.text for one in events if isinstance(one, Notice) and "not compared" in one.text]
    assert told.startswith("1 settings give other numbers of images than random images have")
    (stored,) = list_sweeps(run)
    all_of_them, fewer = sorted(stored.cells, key=lambda cell: cell["drop_lowest"])
    assert fewer["images"] < all_of_them["images"]
    assert fewer["difference"] is None
    assert all_of_them["difference"] is not None


def test_sweep__of_a_baseline_s_selection_searches_dsel_s_own(explorer, run, trainer):
    finish(sweep(explorer, SELECT, SweepSettings(**ONE)))
    before = list_sweeps(run)[0].cells
    chosen = SELECT.replace(baseline="random-whole", baseline_seed=3)
    events = list(sweep(explorer, chosen, SweepSettings(**ONE)))
    assert any("is by the baseline random-whole" in e.text for e in events if isinstance(e, Notice))
    name = events[-1].figures["sweep"]
    assert next(one for one in list_sweeps(run) if one.name == name).cells == before


def test_sweep__resumes(explorer, trials, trainer):
    trainer.stop_after = 3
    with pytest.raises(Interrupted):
        finish(sweep(explorer, SELECT, SweepSettings(**ONE), trials))
    trainer.stop_after = -1
    trainer.calls.clear()
    finish(sweep(explorer, SELECT, SweepSettings(**ONE), trials))
    assert trainer.students == 1


def test_trials__validation_images_alone(folder, run):
    test = HeldOutTest(open_sets(folder / "run").subject, str(folder / "test"))
    with pytest.raises(TypeError, match="settings are chosen by a Validation"):
        Trials(run, test, QUICK, ExportSettings())  # type: ignore[arg-type]


def test_trials__are_noted_before_the_first_student(folder, explorer, trials, trainer):
    trainer.stop_after = 0
    with pytest.raises(Interrupted):
        finish(sweep(explorer, SELECT, SweepSettings(**ONE), trials))
    with pytest.raises(SettingError, match="was the validation of a sweep or of advice"):
        HeldOutTest(open_sets(folder / "run").subject, str(folder / "validation"))
