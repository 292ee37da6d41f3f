"""One job whose workers, driver and Ray are killed at random moments ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from support.faulty import SLOW, hurry_of
from support.toyset import dataset_of, finish, toy_prior, tree, write_pictures

from dsel.pipeline.score import score
from dsel.runs.run import SUMMARY
from dsel.runs.workers import list_workers

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
ROOT = Path(__file__).parents[2]
MOST_S = 900.0

PAUSE_S = 3.0
"""Of each image while others are killed: the job is not done before, however late a kill is."""

LOCAL = ("worker", "driver")
RAY = ("worker", "driver", "raylet", "gcs_server", "cluster")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures") / "all", {"cat": 10, "dog": 10})


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(score(dataset_of(source), toy_prior(), run, SLOW))
    return tree(run)


class Job:
    """A job that is begun again as often as it ends without success."""

    def __init__(self, source: Path, run: Path, on: str, pause_s: float) -> None:
        self._command = [
            sys.executable, "-m", "support.faulty", str(source), str(run), "--on", on,
            "--workers", "2", "--pause-s", str(pause_s),
        ]  # fmt: skip
        self._run = run
        self._end = time.monotonic() + MOST_S
        self.starts = 0
        self.begin()

    def begin(self) -> None:
        self.starts += 1
        paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        env = {**os.environ, "PYTHONPATH": paths}
        self.driver = subprocess.Popen(self._command, env=env, cwd=ROOT)

    def await_scoring(self) -> bool:
        """Wait until workers score; False if the run is finished."""
        while time.monotonic() < self._end:
            if any(state.stage != "wait" and state.lives() for state in list_workers(self._run)):
                return True
            if self.driver.poll() is not None:
                if (self._run / SUMMARY).exists():
                    return False
                self.begin()
            time.sleep(0.05)
        raise AssertionError("the job takes too long")

    def kill(self, victim: str, rng: random.Random) -> None:
        """Kill what is there of a victim."""
        children = psutil.Process(self.driver.pid).children(recursive=True)
        if victim == "worker":
            alive = [state.pid for state in list_workers(self._run) if state.lives()]
            pids = [rng.choice(alive)] if alive else []
        elif victim == "cluster":
            pids = [child.pid for child in children]
        elif victim == "driver":
            pids = [self.driver.pid]
        else:
            pids = [child.pid for child in children if _name(child) == victim]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if victim == "driver":
            self.driver.wait(MOST_S)

    def finish(self) -> None:
        while self.driver.wait(MOST_S):
            assert time.monotonic() < self._end
            self.begin()


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def disturbed(source: Path, run: Path, on: str, victims: Sequence[str], seed: int) -> Job:
    """Score while something is killed at random moments, one after another."""
    rng, hurry = random.Random(seed), hurry_of(source)
    hurry.unlink(missing_ok=True)
    job = Job(source, run, on, PAUSE_S)
    for victim in victims:
        assert job.await_scoring(), "the job was done before all was killed"
        time.sleep(rng.uniform(0, 1.5))
        if job.driver.poll() is None:
            job.kill(victim, rng)
    hurry.touch()
    job.finish()
    return job


def test_faults__a_few(source, tmp_path, whole):
    job = disturbed(source, tmp_path / "run", "local", ("worker", "driver", "worker"), seed=1)
    assert job.starts == 2
    assert tree(tmp_path / "run") == whole


@needs_ray
def test_faults__none_on_ray(source, tmp_path, whole):
    job = disturbed(source, tmp_path / "run", "ray", (), seed=0)
    assert job.starts == 1
    assert tree(tmp_path / "run") == whole


@needs_ray
def test_faults__workers_that_never_start_on_ray(source, tmp_path):
    """As where dsel is missing on the nodes: one line, and no job that waits for ever."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-m", "support.faulty", str(source), str(tmp_path / "run"), "--on", "ray",
         "--workers", "1", "--broken"],
        env={**os.environ, "PYTHONPATH": paths}, cwd=ROOT, capture_output=True, text=True,
        timeout=MOST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-3000:]
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("workers do not start")]
    assert "there is no such recipe on this node" in line
    assert line.endswith("install the same version of dsel, with its extras, on all nodes")


@pytest.mark.slow
@needs_ray
def test_faults__a_few_on_ray(source, tmp_path, whole):
    disturbed(source, tmp_path / "run", "ray", ("worker", "raylet"), seed=2)
    assert tree(tmp_path / "run") == whole


def many(victims: Sequence[str], count: int, seed: int) -> list[str]:
    return random.Random(seed).choices(victims, k=count)


@pytest.mark.slow
def test_faults__many(source, tmp_path, whole):
    disturbed(source, tmp_path / "run", "local", many(LOCAL, 15, 3), seed=3)
    assert tree(tmp_path / "run") == whole


@pytest.mark.slow
@needs_ray
def test_faults__many_on_ray(source, tmp_path, whole):
    disturbed(source, tmp_path / "run", "ray", many(RAY, 15, 4), seed=4)
    assert tree(tmp_path / "run") == whole
