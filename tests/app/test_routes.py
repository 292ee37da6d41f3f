"""The page's own addresses: files, requests, uploads and downloads, with errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support.jobs import WAIT_S, wait
from support.synthetic import synthetic_run

from dsel.app.access import access_of
from dsel.app.jobs.tasks import ScoreTask
from dsel.app.routes import routes_of
from dsel.app.state import AppState, open_state
from dsel.app.visitors import Visitor
from dsel.errors import StorageError

REMOTE = Visitor(local=False, address="203.0.113.9")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[AppState]:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=4).path
    state = open_state(run, access_of(environment={}), tmp_path / "jobs")
    yield state
    state.jobs.close(WAIT_S)


@pytest.fixture
def client(state: AppState) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes_of(state, lambda _: REMOTE))) as client:
        yield client


def test_files__of_the_page(client: TestClient) -> None:
    module = client.get("/_dsel/app/main.js")
    assert module.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert "export async function boot" in module.text
    assert client.get("/_dsel/plotly.min.js").status_code == 200


def test_upload__is_a_source_of_jobs(client: TestClient, state: AppState) -> None:
    path = client.post("/_dsel/upload?name=my%20pets.zip", content=b"12345").text
    assert path.endswith("/my pets.zip")
    assert state.uploads.find(path, (".zip",)).read_bytes() == b"12345"


def test_upload__to_a_full_disk_is_one_line(
    client: TestClient, state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dsel.app.uploads.to_thread.run_sync", full)
    reply = client.post("/_dsel/upload?name=a.zip", content=b"12345")
    assert reply.status_code == 507
    assert "a.zip" in reply.text
    assert "\n" not in reply.text
    assert str(state.uploads.folder) not in reply.text
    assert list(state.uploads.folder.iterdir()) == []


def test_export__is_sent_by_the_token_of_its_job(client: TestClient, state: AppState) -> None:
    body = '{"method": "export_start", "view": "ipc=1"}'
    token = client.post("/_dsel/ask", content=body).json()["result"]["token"]
    wait(state.jobs, token)
    reply = client.get(f"/_dsel/exports/{token}")
    assert reply.content == state.jobs.result(token).read_bytes()
    assert client.get("/_dsel/exports/another").status_code == 400
    assert state.jobs._job(token).visitor == "203.0.113.9"


def test_export__of_another_job_is_refused(client: TestClient, state: AppState) -> None:
    token = state.jobs.start(ScoreTask(title="", source="nowhere"))
    wait(state.jobs, token)
    reply = client.get(f"/_dsel/exports/{token}")
    assert (reply.status_code, reply.text) == (400, "this job has no file to download")


def test_errors__have_a_status_of_their_own(
    client: TestClient, state: AppState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageError("the disk is\nfull" + "l" * 10_000)

    monkeypatch.setattr(state.jobs, "task", fail)
    reply = client.get("/_dsel/exports/x")
    assert reply.status_code == 507
    assert reply.text.startswith("the disk is full")
    assert len(reply.text) <= 600
