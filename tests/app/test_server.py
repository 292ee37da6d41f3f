"""The app listens at a free port, and loads no model libraries."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.synthetic import synthetic_run

from dsel.app import launch_app, server
from dsel.app.address import check_address
from dsel.app.jobs.queue import Jobs
from dsel.errors import SettingError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / "run"
    synthetic_run(path, classes=2, per_class=4)
    return path


def test_launch_app__a_taken_port_is_one_line(run_path: Path) -> None:
    # In a process of its own: Gradio leaves an event loop behind when it cannot listen.
    code = """
import sys
from pathlib import Path
from dsel.errors import DselError
from dsel.app import launch_app
try:
    launch_app(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]))
except DselError as error:
    print(error)
"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = _python(code, str(run_path), port)
    assert line == f"port {port} cannot be listened on, it may be taken: choose another port"


def test_launch_app__prints_the_address_that_makes_local(run_path: Path, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from dsel.app import launch_app; "
    code += "launch_app(Path(sys.argv[1]))"
    environment = os.environ | {"DSEL_JOBS": str(tmp_path / "jobs")}
    environment.pop("DSEL_TOKEN", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        environment["GRADIO_SERVER_PORT"] = str(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(run_path)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(
            r"\* Running on local URL:  (http://127.0.0.1:\d+/)#token=(\S+)\n", line
        )
        assert found, line
        url, token = found.groups()
        request = urllib.request.Request(f"{url}_dsel/ask", b'{"method": "score_options"}')
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Dsel-Token", token)
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.loads(response.read())["result"]["trusted"]
    finally:
        process.terminate()
        process.communicate(timeout=300)


def test_announce__shows_the_app_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Any] = []
    display = SimpleNamespace(display=shown.append, IFrame=lambda *given: given)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    address = "http://127.0.0.1:7860/#token=abc"
    server._announce(address)
    assert shown == []
    monkeypatch.setattr(server, "ipython_check", lambda: True)
    server._announce(address)
    assert shown == [(address, "100%", 800)]
    assert capsys.readouterr().out == f"* Running on local URL:  {address}\n" * 2


def test_launch_app__imports_numeric_libraries_before_any_job(run_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from dsel.app import server
def stop(*_):
    print([hasattr(sys.modules.get(name), of) for name, of in
           (("torch", "Tensor"), ("sklearn.cluster", "KMeans"))])
    sys.exit()
server.open_state = stop
server.launch_app(Path(sys.argv[1]))
"""
    assert _python(code, str(run_path)) == "[True, True]"


def test_app__loads_no_model_libraries(run_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from dsel.app import build_app
from dsel.app.rpc import respond
from dsel.app.state import AppState
from dsel.app.widgets import widgets_of
state = AppState(Path(sys.argv[1]))
build_app(state)
for name in ("start", "gallery", "image"):
    assert '"result"' in respond(state, '{"method": "' + name + '"}')
print(sorted({"torch", "diffusers", "transformers", "umap", "ray"} & set(sys.modules)))
"""
    assert _python(code, str(run_path)) == "[]"


def test_close_jobs__a_step_that_does_not_end_does_not_delay_the_process(tmp_path: Path) -> None:
    code = """
import sys
import time
from pathlib import Path
from threading import Event
from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.runner import JobRunner
from dsel.app.jobs.tasks import ScoreTask
from dsel.app.server import close_jobs
begun = Event()
class Endless(JobRunner):
    def events(self, *_):
        begun.set()
        time.sleep(600)
        yield
jobs = Jobs(Path(sys.argv[1]), runner=Endless())
jobs.start(ScoreTask(title="pets", source="pets"))
assert begun.wait(60)
print("closing")
close_jobs(jobs, 0.1)
print("not reached")
"""
    command = [sys.executable, "-c", code, str(tmp_path / "jobs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "closing\n")
    assert done.stderr == "a job's step did not end in time: the app ends without it\n"
    (job,) = Jobs(tmp_path / "jobs")._jobs.values()
    assert (job.state, job.resumable) == ("interrupted", True)


def _python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("host", "port", "line"),
    [
        ("127.0.0.1", 99_999, "port must be between 0 and 65535, got 99999"),
        ("127.0.0.1", -1, "port must be between 0 and 65535, got -1"),
        ("no.such.invalid", 0, "host 'no.such.invalid' is not known: 127.0.0.1 serves"),
        ("a" * 300, 0, r"host 'a{79} is not known"),
        ("192.0.2.1", 0, r"host '192\.0\.2\.1' is not an address of this machine \("),
    ],
)
def test_check_address__names_what_is_wrong(host: str, port: int, line: str) -> None:
    """192.0.2.0/24 is for documentation, and no machine has an address in it."""
    with pytest.raises(SettingError, match=line):
        check_address(host, port, {})


@pytest.mark.parametrize("port", ["abc", "65536", "-2", "7860.0"])
def test_check_address__a_port_of_the_environment(port: str) -> None:
    with pytest.raises(SettingError, match=f"port must be between 0 and 65535, got {port}"):
        check_address(None, 0, {"GRADIO_SERVER_PORT": port})


@pytest.mark.parametrize("host", [None, "localhost", "0.0.0.0"])
def test_check_address__takes_those_of_this_machine(host: str | None) -> None:
    check_address(host, 7860, {})


def test_launch_app__a_port_that_is_none(run_path: Path) -> None:
    with pytest.raises(SettingError, match="port must be between"):
        launch_app(run_path, "127.0.0.1", 99_999)
