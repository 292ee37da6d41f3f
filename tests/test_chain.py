"""The whole chain in miniature, on real scenes and with real students: distill to advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsel.cli.commands import main
from dsel.runs import open_run
from dsel.runs.evaluations import list_validations

CLASSES = ("--classes", "car", "teapot")
SCORING = ("--timesteps", "300", "600", "--draws", "2", "--feature-grid", "4", "--feature-dim", "8")
STUDENTS = (
    "--student", "convnet-3", "--student-px", "16", "--steps", "4", "--seeds", "2",
    "--threads", "1",
)  # fmt: skip
TEST = "toybox:seed=13,per-class=2,classes=car+teapot"
VALIDATION = "toybox:seed=14,per-class=1,classes=car+teapot"


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 0
        return capsys.readouterr().out

    return call


def test_chain__distill_evaluate_sweep_advise(tiny_prior: Path, tmp_path: Path, printed) -> None:
    out = tmp_path / "out"
    printed(
        "distill", "toybox", *CLASSES, "--per-class", "5", "--out", out, "--prior", tiny_prior,
        *SCORING, "--ipc", "1", "--factor", "2",
    )  # fmt: skip

    evaluating = ("evaluate", out, "--test", TEST, *STUDENTS)
    table = printed(*evaluating)
    assert "dsel's set trains" in table
    run = open_run(out / "run")
    (evaluation,) = run.evaluations()
    assert evaluation.complete
    assert [row.name for row in evaluation.rows] == ["dsel", "random-whole"]
    for row in evaluation.rows:
        # A 2 x 2 mosaic of each class; students see its tiles.
        assert (row.images, row.training_images, row.student_px) == (2, 8, 16)
        assert [student.seed for student in row.students] == [0, 1]
        assert all(0 <= student.last <= student.best <= 1 for student in row.students)

    (stored,) = (out / "run/evaluations").glob("*/evaluation.json")
    before = stored.stat().st_mtime_ns
    assert printed(*evaluating) == table
    assert stored.stat().st_mtime_ns == before

    teacher = tmp_path / "teacher"
    printed(
        "teach", "toybox", *CLASSES, "--per-class", "3", "--out", teacher, "--student", "convnet-3",
        "--image-px", "16", "--steps", "3", "--threads", "1",
    )  # fmt: skip
    soft = (
        "evaluate", out / "run", "--test", TEST, *STUDENTS, "--recipe", "soft",
        "--teacher", teacher, "--baselines", "random-whole", "rded",
    )  # fmt: skip
    rows = json.loads(printed(*soft, "--json"))["rows"]
    assert [row["name"] for row in rows] == ["dsel", "random-whole", "rded"]
    assert all(len(row["students"]) == 2 for row in rows)

    sweeping = ("sweep", out / "run", "--cut", "patch", "whole", "--rank-by", "--within")
    found = json.loads(printed(*sweeping, "--validation", VALIDATION, *STUDENTS, "--json"))
    assert [row["cut"] for row in found["rows"]] == ["patch", "whole"]
    assert all(row["accuracy"] is not None for row in found["rows"])

    advice = json.loads(printed(
        "advise", out / "run", "--validation", VALIDATION, *STUDENTS, "--candidates", "2",
        "--rungs", "1", "--final-seeds", "2", "--json",
    ))  # fmt: skip
    assert advice["command"].startswith("dsel select")
    assert [one.source for one in list_validations(run.path)] == [VALIDATION]
    assert main(["evaluate", str(out), "--test", VALIDATION, *STUDENTS]) == 2
    assert main(["advise", str(out / "run"), "--validation", TEST, *STUDENTS]) == 2
