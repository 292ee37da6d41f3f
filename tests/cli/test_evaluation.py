"""dsel evaluate: its table, its JSON, and one line for whatever the user can fix."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.scored import evaluated_run
from support.stored import record_of
from support.trainer import Interrupted, trainer

from dsel.cli.commands import main
from dsel.runs import open_run

__all__ = ["trainer"]

HOW = ("--student-px", "16", "--steps", "5", "--seeds", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return evaluated_run(tmp_path)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]):
    """Run a command that succeeds; what it wrote to standard output."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 2
        *notes, line = capsys.readouterr().err.splitlines()
        assert all(note.startswith("note: ") for note in notes)
        assert line.startswith("dsel: ")
        return line

    return call


def test_evaluate__a_table_and_one_sentence(folder, printed, trainer):
    text = printed("evaluate", folder / "run", "--test", folder / "test", *HOW)
    (own,) = re.findall(r"^ ?dsel .*$", text, re.MULTILINE)
    (random,) = re.findall(r"^ ?random-whole .*$", text, re.MULTILINE)
    first, second = open_run(folder / "run").evaluations()[0].rows
    assert f"{100 * first.mean:.1f} ± {100 * first.sd:.1f}" in own
    assert f"{100 * second.mean:.1f} ± {100 * second.sd:.1f}" in random
    assert f"{100 * first.difference:+.1f}" in own
    assert re.search(r"dsel's set trains .* than,? .*random whole images: [+-]\d", text)


def test_evaluate__json_is_the_whole_evaluation(folder, printed, trainer):
    text = printed("evaluate", folder / "run", "--test", folder / "test", *HOW, "--json")
    found = json.loads(text)
    (stored,) = folder.glob("run/evaluations/*/evaluation.json")
    assert found == record_of(stored)
    assert found["format"] == "dsel evaluation 1"
    assert [row["name"] for row in found["rows"]] == ["dsel", "random-whole"]


def test_evaluate__the_same_command_resumes(folder, printed, trainer):
    command = ("evaluate", folder / "run", "--test", folder / "test", *HOW)
    trainer.stop_after = 1
    with pytest.raises(Interrupted):
        printed(*command)
    trainer.stop_after = -1
    trainer.calls.clear()
    printed(*command)
    assert trainer.students == 3


def test_evaluate__an_exported_set(folder, printed, trainer):
    out = folder / "out"
    printed("export", folder / "run", "--out", out, "--pixels", "proxy")
    alone = printed("evaluate", out, "--test", folder / "test", *HOW)
    assert "random-whole " not in alone
    command = ("evaluate", out, "--test", folder / "test", *HOW, "--run", folder / "run")
    found = json.loads(printed(*command, "--json"))
    whole = json.loads(printed(
        "evaluate", folder / "run", "--test", folder / "test", *HOW, "--pixels", "proxy", "--json",
    ))  # fmt: skip
    assert found["rows"] == whole["rows"]


def test_evaluate__mosaics_are_unpacked_or_not(folder, printed, trainer):
    printed("select", folder / "run", "--ipc", "1", "--factor", "2")
    for flags, images in (((), 8), (("--no-unpack",), 2)):
        command = ("evaluate", folder / "run", "--test", folder / "test", *HOW, *flags, "--json")
        rows = json.loads(printed(*command))["rows"]
        assert {(row["images"], row["training_images"]) for row in rows} == {(2, images)}


def test_evaluate__dry_run(folder, printed, trainer):
    command = ("evaluate", folder / "run", "--test", folder / "test", *HOW, "--dry-run", "--json")
    work = json.loads(printed(*command))["work"]
    assert work | {"sets": 2, "students": 4, "steps": 20, "test_images": 5} == work
    assert not (folder / "run/evaluations").exists()


@pytest.mark.parametrize(
    ("path", "flags", "line"),
    [
        ("run", ("--test", "nothing"), "'nothing' is not a dataset: there is no such file"),
        ("run", ("--test", "{}/test:size=3"), "unknown source option 'size'; known are: seed,"),
        ("run", ("--test", "{}/test", "--baselines", "rand"), "unknown baseline 'rand'; known are"),
        ("run", ("--test", "{}/test", "--baselines", "rded"), "the baseline rded needs a teacher"),
        ("run", ("--test", "{}/test", "--baselines", "largest-object"), "needs the true objects"),
        ("run", ("--test", "{}/test", "--recipe", "soft"), "the soft recipe needs a teacher"),
        ("run", ("--test", "{}/test", "--run", "{}/run"), "is a run already: leave --run out"),
        ("test", ("--test", "{}/test"), "is neither a run nor an exported set"),
    ],
)
def test_evaluate__refused_in_one_line(folder, refusal, trainer, path, flags, line):
    given = [flag.format(folder) for flag in flags]
    assert line in refusal("evaluate", folder / path, *HOW, *given)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--ipcs", "3"), "the exported set has 2 images per class, got IPC 3"),
        (("--selection", "x"), "an exported set has one selection"),
        (("--image-px", "64"), "an exported set keeps the settings that it was exported with"),
        (("--recipe", "soft"), "has no soft labels: export the set with --teacher"),
    ],
)
def test_evaluate__refused_for_an_exported_set(folder, printed, refusal, trainer, flags, line):
    printed("export", folder / "run", "--out", folder / "out")
    assert line in refusal("evaluate", folder / "out", "--test", folder / "test", *HOW, *flags)


def test_evaluate__a_zip_file_is_unpacked_first(folder, printed, refusal):
    printed("export", folder / "run", "--out", folder / "out.zip")
    line = refusal("evaluate", folder / "out.zip", "--test", folder / "test")
    assert "is a file: give the folder of an export; unpack a zip file first" in line


def test_evaluate__a_baseline_as_the_set_is_told(folder, printed, trainer):
    printed("select", folder / "run", "--ipc", "1", "--baseline", "herding")
    command = ("evaluate", folder / "run", "--test", folder / "test", *HOW, "--json")
    notices = json.loads(printed(*command))["notices"]
    assert "the evaluated set was selected by the baseline herding" in notices


def test_sweep__a_table_without_students(folder, printed, trainer):
    text = printed("sweep", folder / "run", "--cut", "patch", "whole", "--within", "--rank-by")
    assert re.search(r"^ ?cut +images +coverage distance", text, re.MULTILINE)
    assert trainer.students == 0
    (table,) = folder.glob("run/sweeps/*.parquet")
    assert f"table: {table}" in text


def test_sweep__students_on_validation_images(folder, printed, trainer):
    command = ("sweep", folder / "run", "--validation", folder / "validation", *HOW, "--within")
    found = json.loads(printed(*command, "--rank-by", "--json"))
    assert found["settings"] == len(found["rows"]) == 3
    assert all(0 < row["accuracy"] < 1 for row in found["rows"])
    assert trainer.students == 2 * 4


def test_sweep__more_cells_than_it_takes(folder, refusal):
    ks = [str(k) for k in range(1, 60)]
    line = refusal("sweep", folder / "run", "--clusters", *ks)
    assert "at most 500 cells, got 708 (3 cut x 2 rank_by x 59 clusters x 2 within)" in line


def test_advise__rounds_and_a_command(folder, printed, trainer):
    command = ("advise", folder / "run", "--validation", folder / "validation", *HOW)
    text = printed(*command, "--candidates", "3", "--rungs", "2", "--final-seeds", "2")
    assert "round 1: 2 steps, 1 students" in text
    assert "round 2: 5 steps, 2 students" in text
    assert text.splitlines()[-1].startswith(f"dsel select {folder / 'run'}")


def test_advise__refuses_the_test_of_an_evaluation(folder, printed, refusal, trainer):
    printed("evaluate", folder / "run", "--test", folder / "test", *HOW)
    line = refusal("advise", folder / "run", "--validation", folder / "test", *HOW)
    assert "is the test of a stored evaluation of this run" in line
