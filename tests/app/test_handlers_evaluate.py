"""Handlers of Evaluate, as local and remote visitors call them."""

from __future__ import annotations

import io
import json
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.evaluated import evaluation, row, write_evaluations, write_sweep
from support.jobs import WAIT_S, wait
from support.page import ask, refused
from support.synthetic import draw, synthetic_run
from support.trainer import trainer

from dsel.app.access import access_of
from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.runner import JobRunner
from dsel.app.state import AppState
from dsel.config import SelectSettings
from dsel.errors import RunError
from dsel.runs import open_run
from dsel.runs.evaluations import list_evaluations, write_evaluation
from dsel.students.records import Outcome

__all__ = ["trainer"]

LOCAL, SPACE = access_of(environment={}), access_of(environment={"SPACE_ID": "me/dsel"})
QUICK = {"student_px": 16, "steps": 5, "seeds": 2}


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    return synthetic_run(tmp_path / "run", classes=2, per_class=6).path


@pytest.fixture
def state_of(run_path: Path, tmp_path: Path) -> Iterator[Callable[..., AppState]]:
    opened: list[Jobs] = []

    def make(access: Any = LOCAL) -> AppState:
        uploads = tmp_path / "gradio"
        uploads.mkdir(exist_ok=True)
        opened.append(Jobs(tmp_path / "jobs", runner=JobRunner()))
        return AppState(run_path, opened[-1], access, str(uploads))

    yield make
    for jobs in opened:
        jobs.close(WAIT_S)


@pytest.fixture
def test_zip(tmp_path: Path) -> Path:
    """An uploaded zip file of held-out pictures."""
    path = tmp_path / "gradio" / ("0a" * 32) / "unseen.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for index, name in enumerate(("disc", "square")):
            for number in range(2):
                stream = io.BytesIO()
                pixels, _ = draw(index, number, 5, (32, 32))
                Image.fromarray(pixels).save(stream, "png")
                archive.writestr(f"{name}/{number}.png", stream.getvalue())
    return path


def start(state: AppState, file: Path, *, local: bool = True, **evaluate: Any) -> str:
    source = {"kind": "zip", "path": f"{file.parent.name}/{file.name}"}
    found = ask(
        state, "evaluate_start", {"ipc": 2}, local=local, source=source,
        evaluate={**QUICK, **evaluate},
    )  # fmt: skip
    return str(found["token"])


# Stored evaluations


def test_evaluations__rows_and_what_belongs_to_the_view(state_of, run_path) -> None:
    write_evaluations(run_path)
    found = ask(state_of(), "evaluations", {"ipc": 10}, local=True)
    first, second = found["evaluations"]
    assert [first["current"], second["current"]] == [True, False]
    assert [first["validation"], second["validation"]] == [False, True]
    assert second["select"]["patch_px"] == 32
    assert (first["test"], first["test_images"]) == ("toybox:seed=13", 1000)
    row = first["rows"][1]
    assert [row[key] for key in ("name", "ipc", "mean", "students")] == ["dsel", 10, 0.36, 3]
    assert found["verdict"]["kind"] == "better"


def test_evaluations__remote_visitors_see_names_instead_of_folders(state_of, run_path) -> None:
    source = str(open_run(run_path).identity.dataset_origin["source"])
    text = f"cutting from the run's proxies: {source} is missing"
    select = SelectSettings(baseline="rded", teacher="/home/me/teacher")
    stored = evaluation(select=select, rows=[row("dsel", 10, 0.3)], notices=(text,))
    write_evaluation(run_path, stored)
    for state, local in ((state_of(), True), (state_of(SPACE), False)):
        (found,) = ask(state, "evaluations", local=local, tokens=[])["evaluations"]
        assert ("/home/me" in found["select"]["teacher"]) == local
        assert (source in found["notices"][0]) == local
        assert found["notices"][0].endswith(f"{Path(source).name} is missing")


def test_evaluations__none_and_the_command_that_makes_one(state_of, run_path) -> None:
    found = ask(state_of(), "evaluations", {"patch_px": 32}, local=True)
    assert (found["evaluations"], found["verdict"]["kind"]) == ([], "unknown")
    select, evaluate = found["command"].split(" && ")
    assert shlex.split(select) == ["dsel", "select", str(run_path), "--patch-px", "32"]
    assert shlex.split(evaluate) == ["dsel", "evaluate", str(run_path), "--test=TEST"]
    assert found["placeholders"] == ["TEST"]
    remote = ask(state_of(SPACE), "evaluations")
    assert remote["placeholders"] == ["RUN", "TEST"]


def test_evaluation_verdict__follows_the_settings(state_of, run_path) -> None:
    write_evaluations(run_path)
    state = state_of()
    found = ask(state, "evaluation_verdict", {"ipc": 10})
    assert (found["kind"], found["difference"], found["student"]) == ("better", 0.05, "convnet-4")
    assert ask(state, "evaluation_verdict", {"patch_px": 32})["kind"] == "worse"
    assert ask(state, "evaluation_verdict", {"ipc": 3})["kind"] == "unknown"


def test_sweeps__cells_with_their_settings_and_figures(state_of, run_path) -> None:
    assert ask(state_of(), "sweeps") == {"sweeps": []}
    write_sweep(run_path)
    (sweep,) = ask(state_of(), "sweeps")["sweeps"]
    assert (sweep["settings"], sweep["figures"]) == (["patch_px", "within"], ["hit_rate"])
    expected = {"patch_px": 32, "within": "score", "hit_rate": 0.25}
    assert {name: sweep["cells"][0][name] for name in expected} == expected


# Jobs


def test_evaluate_start__the_run_stores_what_a_local_visitor_evaluates(
    state_of, run_path, test_zip, trainer
) -> None:
    state = state_of()
    token = start(state, test_zip)
    assert wait(state.jobs, token).state == "done"
    (stored,) = list_evaluations(run_path)
    assert (stored.complete, stored.test.images) == (True, 4)
    assert stored.test.source.endswith("/unseen.zip")
    (found,) = ask(state, "evaluations", {"ipc": 2}, local=True)["evaluations"]
    assert (found["current"], found["test"]) == (True, "unseen.zip")
    assert [(row["name"], row["students"]) for row in found["rows"]] == [
        ("dsel", 2), ("random-whole", 2),
    ]  # fmt: skip
    assert trainer.students == 4


def test_evaluate_start__only_its_visitor_sees_a_remote_evaluation(
    state_of, run_path, test_zip, trainer
) -> None:
    state = state_of(SPACE)
    token = start(state, test_zip, local=False)
    assert wait(state.jobs, token).state == "done"
    assert list_evaluations(run_path) == ()
    assert ask(state, "evaluations", {"ipc": 2})["evaluations"] == []
    response = ask(state, "evaluations", {"ipc": 2}, tokens=[token, "gone"])
    (found,) = response["evaluations"]
    assert found["test"] == "unseen.zip"
    assert str(run_path.parent) not in json.dumps(response)
    assert ask(state, "evaluation_verdict", {"ipc": 2}, tokens=[token])["kind"] != "unknown"


def test_evaluate_start__a_resumed_job_trains_no_student_twice(
    state_of, test_zip, trainer, monkeypatch
) -> None:
    def failing(*args: Any) -> Iterator[Any]:
        for event in trainer.train_students(*args):
            yield event
            if isinstance(event, Outcome):
                raise RunError("the power failed")

    state, students = state_of(), sys.modules["dsel.students.training"]
    with monkeypatch.context() as broken:
        broken.setattr(students, "train_students", failing)
        token = start(state, test_zip)
        assert wait(state.jobs, token).error == "the power failed"
    state.jobs.resume(token)
    assert wait(state.jobs, token).state == "done"
    assert trainer.calls == [(0,), (1,), (0,), (1,)]  # of the set, and of random images


def test_evaluate_start__what_a_remote_visitor_may_not_do(state_of, test_zip) -> None:
    state = state_of(SPACE)

    def message(source: dict[str, str], **evaluate: Any) -> str:
        error = refused(state, "evaluate_start", "", source=source, evaluate=evaluate)
        return str(error["message"])

    file = {"kind": "zip", "path": f"{test_zip.parent.name}/{test_zip.name}"}
    assert "listens to its own machine" in message({"kind": "folder", "path": "/data"})
    assert "was not uploaded here" in message({"kind": "zip", "path": "/etc/passwd.zip"})
    assert message(file, steps=10**6).startswith("steps must be between")
    assert message(file, seeds=100).startswith("seeds must be between")
    assert "can only be set on the app's own machine" in message(file, threads=64)
    assert "got 80" in message(file, seeds=10, ipcs=[1, 2, 3, 4], baselines=["random-whole"])
    for query, form in (("", {"teacher": "me/huge"}), ({"teacher": "me/huge"}, {})):
        error = refused(state, "evaluate_start", query, source=file, **form)
        assert error["message"] == "a teacher can only be named on the app's own machine"


def test_advise_start__the_run_stores_the_advice(state_of, test_zip, trainer) -> None:
    state = state_of()
    source = {"kind": "zip", "path": f"{test_zip.parent.name}/{test_zip.name}"}
    student = {**QUICK, "seeds": 1}
    params = {"source": source, "student": student, "advise": {"candidates": 2, "rungs": 1}}
    token = ask(state, "advise_start", {"ipc": 1}, local=True, **params)["token"]
    assert wait(state.jobs, token).error == ""
    (advice,) = ask(state, "evaluations", {"ipc": 1}, local=True)["advice"]
    assert (advice["validation"], advice["validation_images"]) == ("unseen.zip", 4)
    assert advice["select"]["ipc"] == 1
    assert {"mean", "random_mean", "better", "text"} <= set(advice)
    assert trainer.students > 2
    again = start(state, test_zip)
    assert "was the validation of a sweep or of advice" in wait(state.jobs, again).error


def test_advise_start__is_not_for_remote_visitors(state_of, test_zip) -> None:
    source = {"kind": "zip", "path": f"{test_zip.parent.name}/{test_zip.name}"}
    assert (
        "only its own machine" in refused(state_of(SPACE), "advise_start", source=source)["message"]
    )
    assert ask(state_of(SPACE), "evaluate_options")["advise"] == []


def test_evaluate_options__follow_the_visitor(state_of) -> None:
    local = ask(state_of(), "evaluate_options", local=True)
    remote = ask(state_of(SPACE), "evaluate_options")
    assert local["kinds"] == ["zip", "folder", "toybox"]
    assert remote["kinds"] == ["zip", "toybox"]
    assert "threads" not in [field["name"] for field in remote["evaluate"]]
    needs = {one["name"]: one["needs"] for one in local["baselines"]}
    assert (needs["random-whole"], needs["rded"]) == ("", "teacher")
    assert [field["name"] for field in local["teacher"]] == ["teacher"]
    assert remote["teacher"] == []
    assert local["scene_seed"] == 1
