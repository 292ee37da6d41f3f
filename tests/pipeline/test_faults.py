"""One job whose workers, driver and Ray are killed at random moments ends with the same bytes."""

from __future__ import annotations

import ipaddress
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
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
MOST_S = 1500.0

PAUSE_S = 3.0
"""Of each image while others are killed: the job is not done before, however late a kill is."""

RAY = ("worker", "driver", "raylet", "gcs_server", "cluster")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")


class Source:
    """Pictures, and the tree of a run that nothing disturbed."""

    def __init__(self, folder: Path, each: int) -> None:
        self.path = write_pictures(folder / "all", {"cat": each, "dog": each})
        # In one thread as the workers of a `Job`: a run records the number.
        finish(score(dataset_of(self.path), toy_prior(), folder / "whole", SLOW, threads=1))
        self.whole = tree(folder / "whole")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(tmp_path_factory.mktemp("few"), 10)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """So many that the job is not done before all was killed."""
    return Source(tmp_path_factory.mktemp("many"), 60)


class Job:
    """A job that is begun again as often as it ends without success.

    killed: how often each kind of victim was there and was killed.
    """

    def __init__(self, source: Path, run: Path, on: str) -> None:
        self._command = [
            sys.executable, "-m", "support.faulty", str(source), str(run), "--on", on,
            "--workers", "2", "--pause-s", str(PAUSE_S),
        ]  # fmt: skip
        self._hurry = hurry_of(source)
        self._hurry.unlink(missing_ok=True)
        self._run = run
        self._end = time.monotonic() + MOST_S
        self.starts = 0
        self.killed: Counter[str] = Counter()
        self.errors = run.with_name("errors.txt")
        self.begin()

    def begin(self) -> None:
        self.starts += 1
        paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        # Ray waits a minute for its head to come back, which is never, before it gives up.
        env = {**os.environ, "PYTHONPATH": paths, "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
        with self.errors.open("ab") as file:
            self.driver = subprocess.Popen(self._command, env=env, cwd=ROOT, stderr=file)

    def await_scoring(self) -> bool:
        """Wait until workers score; False if the run is finished."""
        while time.monotonic() < self._end:
            if self.driver.poll() is not None:
                if (self._run / SUMMARY).exists():
                    return False
                self.begin()
            elif any(one.stage != "wait" and one.lives() for one in list_workers(self._run)):
                return True
            time.sleep(0.05)
        raise AssertionError("the job takes too long")

    def processes(self) -> list[psutil.Process]:
        """The driver and all below it; none if it has ended."""
        try:
            driver = psutil.Process(self.driver.pid)
            return [driver, *driver.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def pids_of(self, victim: str, rng: random.Random) -> list[int]:
        """What is there now of a victim."""
        driver, *children = self.processes() or [None]
        if driver is None or self.driver.poll() is not None:
            return []
        if victim == "worker":
            alive = [one.pid for one in list_workers(self._run) if one.lives()]
            return [rng.choice(alive)] if alive else []
        if victim == "driver":
            return [driver.pid]
        if victim == "cluster":
            daemons = {_name(child) for child in children} >= {"raylet", "gcs_server"}
            return [child.pid for child in children] if daemons else []
        return [child.pid for child in children if _name(child) == victim]

    def kill(self, victim: str, pids: Sequence[int]) -> None:
        """Kill, and wait until nothing is left."""
        killed = []
        for pid in pids:
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                process = psutil.Process(pid)
                os.kill(pid, signal.SIGKILL)
                killed.append(process)
        self.killed[victim] += bool(killed)
        if victim == "driver":
            assert self.driver.wait(60) == -signal.SIGKILL
        gone = [psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD]
        while any(one.is_running() and _status(one) not in gone for one in killed):
            assert time.monotonic() < self._end
            time.sleep(0.01)

    def finish(self) -> None:
        self._hurry.touch()
        while self.driver.wait(MOST_S):
            assert time.monotonic() < self._end
            self.begin()


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def _status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def disturbed(source: Source, run: Path, on: str, victims: Sequence[str], seed: int) -> Job:
    """Score while each of the victims is killed, at random moments, one after another.

    A victim that is not there at its moment is killed at a later one.
    """
    rng = random.Random(seed)
    job = Job(source.path, run, on)
    left = list(victims)
    while left:
        assert job.await_scoring(), f"the job was done before {left} were killed"
        time.sleep(rng.uniform(0, 1.5))
        for victim in rng.sample(left, len(left)):
            if pids := job.pids_of(victim, rng):
                before = job.killed[victim]
                job.kill(victim, pids)
                if job.killed[victim] > before:
                    left.remove(victim)
                break
    job.finish()
    assert job.killed == Counter(victims)
    assert tree(run) == source.whole
    assert "Traceback" not in job.errors.read_text()
    return job


def test_faults__a_few(few, tmp_path):
    job = disturbed(few, tmp_path / "run", "local", ("worker", "driver", "worker"), seed=1)
    assert job.starts == 2


@needs_ray
def test_faults__none_on_ray(few, tmp_path):
    job = disturbed(few, tmp_path / "run", "ray", (), seed=0)
    assert job.starts == 1


@needs_ray
def test_faults__ray_listens_on_this_machine_alone(few, tmp_path):
    job = Job(few.path, tmp_path / "run", "ray")
    try:
        assert job.await_scoring()
        names, places = Counter(), set()
        for process in job.processes():
            names[_name(process)] += 1
            with suppress(psutil.NoSuchProcess):
                listening = [
                    one for one in process.net_connections("inet")
                    if one.status == psutil.CONN_LISTEN
                ]  # fmt: skip
                places |= {one.laddr.ip for one in listening}
        assert names >= Counter(("raylet", "gcs_server"))
        assert places
        assert all(_is_loopback(place) for place in places), places
    finally:
        for process in reversed(job.processes()):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        job.driver.wait(60)


def _is_loopback(place: str) -> bool:
    address = ipaddress.ip_address(place)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


@needs_ray
def test_faults__workers_that_never_start_on_ray(few, tmp_path):
    """As where dsel is missing on the nodes: one line, and no job that waits for ever."""
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-m", "support.faulty", str(few.path), str(tmp_path / "run"),
         "--on", "ray", "--workers", "1", "--broken"],
        env={**os.environ, "PYTHONPATH": paths}, cwd=ROOT, capture_output=True, text=True,
        timeout=MOST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-3000:]
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("workers do not start")]
    assert "there is no such recipe on this node" in line
    assert line.endswith("install the same version of dsel, with its extras, on all nodes")


@pytest.mark.slow
@needs_ray
def test_faults__a_few_on_ray(few, tmp_path):
    disturbed(few, tmp_path / "run", "ray", ("worker", "raylet"), seed=2)


@pytest.mark.slow
def test_faults__many(many, tmp_path):
    job = disturbed(many, tmp_path / "run", "local", ("worker",) * 8 + ("driver",) * 7, seed=3)
    assert job.starts > 7


@pytest.mark.slow
@needs_ray
def test_faults__many_on_ray(many, tmp_path):
    job = disturbed(many, tmp_path / "run", "ray", RAY * 3, seed=4)
    assert job.starts > 3
