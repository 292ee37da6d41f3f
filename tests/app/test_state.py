"""The state of an app: its run, its jobs, and where both are stored."""

from __future__ import annotations

from support.jobs import wait
from support.page import ask
from support.synthetic import synthetic_run

from dsel.app.access import access_of
from dsel.app.state import open_state


def test_open_state__with_jobs_that_share_the_open_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DSEL_JOBS", str(tmp_path / "mine"))
    path = tmp_path / "run"
    synthetic_run(path, classes=2, per_class=4)
    state = open_state(path, access_of(environment={}))
    token = ask(state, "export_start", "ipc=1")["token"]
    assert wait(state.jobs, token).state == "done"
    assert state.jobs.result(token).is_relative_to(tmp_path / "mine")
    assert state.explorer_at(path) is state.first
    state.jobs.close()
