"""Jobs that borrow a GPU through the real `spaces` package, from a service on this machine.

The package schedules, forks, sends events back and releases as on a Space. It does not find torch,
so that it moves no tensors to the GPU, which this machine lacks: the prior stays on the CPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.device_api import Device, lend, visitor_token, zerogpu

pytest.importorskip("spaces")

ROOT = Path(__file__).parents[2]
BEGIN = """
import json, os, sys
from pathlib import Path
from starlette.requests import Request
from dsel.app.zerogpu import accelerator, remember_visitor
sys.modules["torch"] = None  # whose build here has no CUDA for the package to prepare
accelerate = accelerator()
del sys.modules["torch"]
assert accelerate is not None
from dsel.app.jobs.runner import JobRunner
from dsel.app.jobs.tasks import ScoreTask
from dsel.config import PriorSettings, ScoreSettings, SourceSettings
from dsel.errors import DselError
from dsel.types import Done, Notice, Started
headers = [(b"x-ip-token", sys.argv[2].encode())]
remember_visitor(Request({"type": "http", "method": "POST", "path": "/", "headers": headers}))
"""
JOB = (
    BEGIN
    + """
runner = JobRunner(accelerate=accelerate)
task = runner.fitted(ScoreTask(
    title="", source="toybox", source_settings=SourceSettings(per_class=1),
    prior=PriorSettings(device="cpu", precision="float32"),
    settings=ScoreSettings(timesteps=(300,), draws=2, shard_size=6, knowledge="off"),
))
folder, found = Path(sys.argv[1]), {"stages": [], "code": "", "error": "", "figures": {}}
try:
    for event in runner.events(task, folder):
        if isinstance(event, Started):
            found["stages"].append(event.stage)
        if isinstance(event, Done):
            found["figures"] = dict(event.figures)
except DselError as error:
    found |= {"code": error.code, "error": str(error)}
print(json.dumps(found))
"""
)
PORTION = (
    BEGIN
    + """
def portion(task, folder, left):
    yield Started("score", left, "images")
    yield Notice(str(os.getpid()))

task = ScoreTask(title="", source="toybox")
events = list(accelerate(portion, lambda *_: 42)(task, Path(), 3))
(worker,) = [int(one.text) for one in events if isinstance(one, Notice)]
stages = [one.stage for one in events if isinstance(one, Started)]
print(json.dumps({"stages": stages, "worker": worker, "app": os.getpid()}))
"""
)


def run_job(device: Device, scratch: Path, url: str = "", script: str = JOB) -> dict:
    with lend(device):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, scratch / "job", visitor_token()],
            capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
            env=os.environ | zerogpu(url or device.url, scratch) | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_portion__runs_in_a_borrowed_process(tmp_path: Path) -> None:
    """The GPU is asked for by the visitor's token, for the portion's seconds, and given back."""
    device = Device()
    found = run_job(device, tmp_path, script=PORTION)
    assert found["stages"] == ["gpu", "score"]
    (asked,) = device.of("/schedule")
    assert (asked["token"], asked["durationSeconds"]) == (visitor_token(), "42")
    (allowed,) = device.of("/allow")
    assert allowed == {"allowToken": "allowed", "pid": str(found["worker"])}
    assert found["worker"] != found["app"]
    assert [one["fail"] for one in device.of("/release")] == ["false"]


@pytest.mark.parametrize(
    ("device", "code", "text"),
    [
        (
            Device(429, {"left": 12, "wait": 2520}, {"X-Authenticated": "regular"}),
            "quota",
            "the Space's GPU time is used up: You have exceeded your free ZeroGPU quota "
            "(30s requested vs. 12s left). Try again in 0:42:00",
        ),
        (
            Device(429, {"left": 0, "wait": 9}, {"X-Approve-Result": "pending-overquota-exceeded"}),
            "quota",
            "the Space's GPU time is used up: You have too many ZeroGPU credits allocated",
        ),
        (
            Device(200, "event: failed"),
            "run",
            "the Space's GPU could not be used: No GPU was available after 60s",
        ),
        (
            Device(503, {}),
            "run",
            "the Space's GPU could not be used: No GPU was available; what is scored is kept",
        ),
    ],
)  # fmt: skip
def test_job__a_refusal_is_one_clear_line(
    tmp_path: Path, device: Device, code: str, text: str
) -> None:
    found = run_job(device, tmp_path)
    assert (found["code"], found["stages"]) == (code, ["open", "gpu"])
    assert found["error"].startswith(text)
    assert found["error"].endswith("; what is scored is kept, so resume the job later")
    assert "<" not in found["error"]
    assert not device.of("/allow")


def test_job__is_scored_to_its_end_in_borrowed_portions(tmp_path: Path) -> None:
    """Ten images in shards of six, as large as fit; the GPU is asked for, and given back."""
    device = Device()
    found = run_job(device, tmp_path)
    assert (found["code"], found["error"]) == ("", "")
    assert found["figures"]["images"] == 10
    assert found["stages"][:4] == ["open", "gpu", "load", "score"]
    asked = device.of("/schedule")
    assert asked
    assert {one["token"] for one in asked} == {visitor_token()}
    assert [one["fail"] for one in device.of("/release")] == ["false"] * len(asked)
    assert (tmp_path / "job/run/summary.json").is_file()


def test_job__a_service_that_does_not_answer(tmp_path: Path) -> None:
    with lend(Device()) as gone:
        url = gone.url
    found = run_job(Device(), tmp_path, url)
    assert (found["code"], found["stages"]) == ("run", ["open", "gpu"])
    assert found["error"].startswith("the Space's GPU could not be used: ")
