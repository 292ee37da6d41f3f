"""Students in other processes: the same evaluations, whoever trains them, and whoever dies."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.dying import DyingRecipe
from support.scored import evaluated_run
from support.toyset import finish

from dsel.analysis.explorer import Explorer
from dsel.analysis.sweep import sweep
from dsel.analysis.sweeps import list_sweeps
from dsel.cli.care import status_lines
from dsel.config import (
    EvaluateSettings,
    ExportSettings,
    PlaceSettings,
    SelectSettings,
    StudentSettings,
    SweepSettings,
)
from dsel.errors import RunError, SettingError
from dsel.pipeline.evaluate import evaluate
from dsel.pipeline.evaluated import open_sets
from dsel.pipeline.export import export
from dsel.pipeline.held_out import HeldOutTest, Validation, subject_of
from dsel.pipeline.launch import students_on
from dsel.pipeline.local_pool import LocalPool
from dsel.pipeline.scheduling import Pooled
from dsel.pipeline.trials import Trials
from dsel.pipeline.verify import verify
from dsel.runs import open_run
from dsel.runs.evaluations import Evaluation, list_evaluations
from dsel.runs.status import status_of
from dsel.runs.workers import StudentsState, WorkerState, write_students_state, write_worker
from dsel.types import Done, Event, Notice, Progress, Started

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no workers")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")

QUICK = EvaluateSettings(student="convnet-3", student_px=8, steps=11, seeds=2, threads=1)
SELECT = SelectSettings(ipc=1, clusters=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and held-out pictures of the same classes."""
    return evaluated_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return copy_of(made, tmp_path / "copy")


@pytest.fixture(scope="module")
def here(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The evaluation of one process."""
    folder = copy_of(made, tmp_path_factory.mktemp("here") / "copy")
    return evaluation_of(folder, PlaceSettings())[0]


def copy_of(made: Path, folder: Path) -> Path:
    return shutil.copytree(made, folder)


def evaluation_of(folder: Path, place: PlaceSettings) -> tuple[Evaluation, list[Event]]:
    sets = open_sets(folder / "run")
    test = HeldOutTest(sets.subject, str(folder / "test"))
    events = finish(evaluate(sets, test, QUICK, students_on(sets, test, 1, place)))
    (found,) = list_evaluations(folder / "run")
    return found, events


def same(found: Evaluation, other: Evaluation) -> bool:
    """Whether evaluations are equal but for the place of the test."""
    test = replace(found.test, source=other.test.source, origin=other.test.origin)
    return replace(found, test=test) == other


def test_evaluate__two_processes_store_the_same(folder, here):
    found, events = evaluation_of(folder, PlaceSettings(workers=2))
    assert same(found, here)
    assert found.complete
    assert [len(row.students) for row in found.rows] == [2, 2]
    at = next(n for n, e in enumerate(events) if isinstance(e, Started) and e.stage == "evaluate")
    assert sum(e.count for e in events[at:] if isinstance(e, Progress)) == 4 * QUICK.steps
    assert not (folder / "run/evaluations/workers").exists()


@needs_ray
def test_evaluate__on_ray_stores_the_same(folder, here):
    found, _ = evaluation_of(folder, PlaceSettings(on="ray", workers=1))
    assert same(found, here)


def test_evaluate__an_exported_set_in_another_process(folder):
    finish(export(open_run(folder / "run"), folder / "out", ExportSettings(pixels="proxy")))
    found = []
    for place in (PlaceSettings(), PlaceSettings(workers=1)):
        sets = open_sets(folder / "out")
        test = HeldOutTest(sets.subject, str(folder / "test"))
        finish(evaluate(sets, test, QUICK, students_on(sets, test, 1, place)))
        found += list_evaluations(folder / "out")
        shutil.rmtree(folder / "out/evaluations")
    assert found[0] == found[1]
    assert [row.name for row in found[0].rows] == ["dsel"]


def dying(folder: Path, times: int) -> tuple[list[Event], Path]:
    """Evaluate with two workers, one of which dies so often."""
    deaths = folder / "deaths"
    deaths.write_text(str(times))
    sets = open_sets(folder / "run")
    test = HeldOutTest(sets.subject, str(folder / "test"))
    recipe = DyingRecipe(sets.recipe, sets.subject, test.source, 1, deaths=deaths)
    runner = Pooled(LocalPool(recipe, ("cpu", "cpu")), recipe.path)
    return list(evaluate(sets, test, QUICK, runner)), deaths


def test_evaluate__a_worker_that_is_killed_in_the_middle_is_replaced(folder, here):
    events, deaths = dying(folder, 2)
    assert deaths.read_text() == "0"
    (found,) = list_evaluations(folder / "run")
    assert same(found, here)
    again = (
        "student 1 of dsel at IPC 2 is tried again, because its worker was killed, perhaps because "
        "memory ran out"
    )
    assert [e.text for e in events if isinstance(e, Notice)].count(again) == 2


def test_evaluate__a_student_that_fails_three_times_is_listed(folder, here):
    with pytest.raises(RunError, match=r"student 1 of dsel at IPC 2 of .* failed 3 times, because"):
        dying(folder, 3)
    left = status_of(folder / "run").students
    assert left is not None
    assert (left.state, left.done, left.failed, left.left) == ("interrupted", 3, 1, 0)
    (half,) = list_evaluations(folder / "run")
    assert not half.complete
    assert [len(row.students) for row in half.rows] == [1, 2]
    assert same(evaluation_of(folder, PlaceSettings(workers=1))[0], here)


def test_recipe__refuses_other_images_at_the_same_place(folder):
    sets = open_sets(folder / "run")
    test = HeldOutTest(sets.subject, str(folder / "test"))
    recipe = DyingRecipe(sets.recipe, sets.subject, replace(test.source, fingerprint="f" * 16))
    with pytest.raises(SettingError, match=r"a worker finds other images at .*test than"):
        recipe.open()


def test_sweep__two_processes_measure_the_same(folder):
    run = open_run(folder / "run")
    student = StudentSettings(student="convnet-3", student_px=8, steps=5, seeds=2, threads=1)
    values = SweepSettings(cut=(), rank_by=(), within=(), factor=(1, 2))
    tables = []
    for place in (PlaceSettings(), PlaceSettings(workers=2)):
        validation = Validation(subject_of(run), str(folder / "validation"))
        trials = Trials(run, validation, student, ExportSettings(), place)
        finish(sweep(Explorer(run), SELECT, values, trials))
        tables += [one.cells for one in list_sweeps(run)]
        shutil.rmtree(run.path / "sweeps")
        shutil.rmtree(run.path / "evaluations/students")
    assert tables[0] == tables[1]
    assert all(0 <= cell["accuracy"] <= 1 for cell in tables[0])


def test_status_of__students_that_are_trained(folder):
    """Four students of 11 steps: while they are trained, after an interruption, and at the end."""
    run, sets = folder / "run", open_sets(folder / "run")
    test = HeldOutTest(sets.subject, str(folder / "test"))
    events = evaluate(sets, test, QUICK)
    assert status_of(run).students is None
    for event in events:
        if isinstance(event, Progress) and event.note.startswith("dsel at IPC 2: "):
            break
    found = status_of(run)
    assert found.state == "finished"
    assert found.is_running
    assert found.students is not None
    assert (found.students.total, found.students.failed) == (4, 0)
    assert 1 <= found.students.done < 4
    assert found.students.left == 4 - found.students.done
    line = status_lines(found)[-1]
    assert line.startswith(f"students: {found.students.done} of 4 done, {found.students.left} left")
    assert f"process {os.getpid()} on " in line
    assert next(event for event in verify(run) if isinstance(event, Done)).figures["damaged"] == 0
    done = found.students.done
    events.close()
    found = status_of(run)
    assert not found.is_running
    assert status_lines(found)[-1] == (
        f"students: {done} of 4 done, {4 - done} left; interrupted: the same command trains the "
        "rest"
    )
    finish(evaluate(sets, test, QUICK))
    assert status_of(run).students is None


def test_status_of__students_in_other_processes(folder):
    """What workers say is shown, and is no damage; that of workers that are gone is removed."""
    evaluations = folder / "run/evaluations"
    now = time.time()
    state = WorkerState(
        socket.gethostname(), os.getpid(), "cuda:1", "", "students", 0, 3, 120, 300, 0, 25.0, now,
        now,
    )  # fmt: skip
    write_worker(evaluations, state)
    write_students_state(evaluations, StudentsState(20, 5, 1, now))
    lines = status_lines(status_of(folder / "run"))
    assert lines[-2] == "students: 5 of 20 done, 1 running, 1 failed, 14 left; running"
    assert lines[-1] == (
        f"worker: {os.getpid()} on {socket.gethostname()}, cuda:1, student 3: 120 of 300 steps, "
        "25 steps/s"
    )
    told = [event.text for event in verify(folder / "run") if isinstance(event, Notice)]
    assert told == []
