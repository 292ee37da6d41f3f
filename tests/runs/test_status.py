"""How far a run is: while it is scored, after a kill, when it is finished, and with workers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.sources import put
from support.toyset import QUICK, dataset_of, finish, toy_prior, write_pictures

from dsel.cli.care import status_lines
from dsel.cli.commands import main
from dsel.locks import hold
from dsel.pipeline.score import score
from dsel.runs.status import status_of
from dsel.runs.workers import FailedShard, WorkerState, write_failed, write_worker

CLASSES = {"cat": 5, "dog": 4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three shards of three images and one of two, two of which are too small."""
    folder = tmp_path_factory.mktemp("status")
    source = write_pictures(folder / "source", CLASSES)
    put(source / "cat/98.png")
    (source / "dog/99.png").write_bytes((source / "dog/00.png").read_bytes()[:80])
    dataset = dataset_of(source)
    finish(score(dataset, toy_prior(dataset.classes), folder / "run", QUICK))
    return folder / "run"


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def unfinished(run: Path) -> Path:
    """Two of four shards, written 10 s after each other."""
    for name in ("summary.json", "images.parquet", "scores/00002.safetensors"):
        (run / name).unlink()
    (run / "scores/00003.safetensors").unlink()
    for number in (0, 1):
        os.utime(run / f"scores/{number:05d}.safetensors", (0, 1000 + 10 * number))
    return run


def worker(run: Path, **changes: object) -> WorkerState:
    now = time.time()
    fields = {
        "host": socket.gethostname(), "pid": os.getpid(), "device": "cpu", "part": "",
        "stage": "score", "round": 0, "shard": 2, "done": 2, "total": 3, "skipped": 0,
        "rate": 0.5, "started": now, "updated": now,
    }  # fmt: skip
    state = WorkerState(**{**fields, **changes})
    write_worker(run, state)
    return state


def test_status_of__a_finished_run(whole: Path) -> None:
    found = status_of(whole)
    assert (found.state, found.shards, found.done, found.images_done) == ("finished", 4, 4, 11)
    assert found.left_s == 0
    reasons = list(found.skipped.items())
    assert sorted(count for _, count in reasons) == [1, 1]
    assert any("is 6 x 4 px" in reason for reason, _ in reasons)
    lines = status_lines(found)
    assert lines[:3] == [
        "state: finished", "shards: 4 of 4 done", "images: 11 of 11",
    ]  # fmt: skip
    assert "skipped: 2 images" in lines
    assert not [line for line in lines if line.startswith("time left")]


def test_status_of__an_interrupted_run(run: Path) -> None:
    """The rate is that of the second shard: three images in ten seconds."""
    found = status_of(unfinished(run))
    assert (found.state, found.done, found.images_done) == ("interrupted", 2, 6)
    assert found.per_second == pytest.approx(0.3)
    assert found.left_s == pytest.approx(5 / 0.3)
    assert found.skipped == {next(iter(found.skipped)): 1}
    assert "time left: 0:00:17" in status_lines(found)


def test_status_of__pauses_are_not_work(run: Path) -> None:
    """Gaps of 10, 1000 and 10 s: the middle one is a night between two jobs."""
    for number, written in enumerate((1000, 1010, 2010, 2020)):
        os.utime(run / f"scores/{number:05d}.safetensors", (0, written))
    (run / "summary.json").unlink()
    found = status_of(run)
    assert found.per_second == pytest.approx(5 / 20)  # shards of 3 and of 2 images
    assert status_lines(found)[4].startswith("time left: the images are scored")


def test_status_of__workers_and_failed_shards(run: Path) -> None:
    """One worker says its rate; another, which has just begun, counts as fast."""
    unfinished(run)
    worker(run)
    pid = subprocess.run([sys.executable, "-c", ""], check=True) and 2**22 + 1
    worker(run, pid=pid, shard=1)  # killed: there is no such process
    worker(run, host="node7", pid=4, shard=3, done=0, total=2, rate=0.0)
    worker(run, host="node8", pid=5, shard=-1, stage="wait", updated=time.time() - 3600)
    write_failed(run, FailedShard(0, 3, 3, "out of memory", 0.0))
    write_failed(run, FailedShard(0, 1, 3, "tried again by hand", 0.0))  # and is done
    found = status_of(run)
    assert found.state == "running"
    assert [one.host for one in found.workers] == sorted(["node7", socket.gethostname()])
    assert (found.running, [one.shard for one in found.failed]) == ((2, 3), [3])
    assert (found.images_done, found.per_second, found.left_s) == (8, 1.0, 3.0)
    lines = status_lines(found)
    assert lines[1] == "shards: 2 of 4 done, 2 running, 1 failed"
    assert "failed: shard 3, 3 tries: out of memory" in lines
    assert "worker: 4 on node7, cpu, score shard 3: 0 of 2 images" in lines


def test_status_of__before_the_first_shard(run: Path) -> None:
    shutil.rmtree(unfinished(run) / "scores")
    with hold(run):
        found = status_of(run)
    assert (found.state, found.done, found.left_s) == ("running", 0, None)
    assert f"process {os.getpid()} " in found.writer
    assert "time left: unknown until two shards are done" in status_lines(found)


def test_command__while_it_is_scored_and_after_a_kill(tmp_path: Path, capsys) -> None:
    """A real `dsel score` is watched, and killed; the last look says that it was interrupted."""
    run = tmp_path / "run"
    command = [
        sys.executable, "-m", "dsel.cli", "score", "toybox", "--run", str(run), "--per-class", "40",
        "--timesteps", "300", "--draws", "2", "--shard-size", "4", "--knowledge", "off",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while len(list((run / "scores").glob("*.safetensors"))) < 2 and process.poll() is None:
            time.sleep(0.1)
        assert process.poll() is None
        assert main(["status", str(run), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert found["state"] == "running"
    assert found["shards"] == 100
    assert 2 <= found["done"] < 100
    assert found["per_second"] > 0
    assert found["left_s"] > 0
    assert main(["status", str(run), "--watch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "state: interrupted"
    assert lines[1].startswith("shards: ")


def test_command__watch_ends_with_the_run(run: Path, capsys) -> None:
    unfinished(run)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    worker(run, pid=process.pid)
    looks = []

    def end(_: float) -> None:
        looks.append(1)
        process.kill()
        process.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", end)
        assert main(["status", str(run), "--watch", "--json"]) == 0
    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["running", "interrupted"]
    assert looks == [1]


def test_command__no_run(tmp_path: Path, capsys) -> None:
    assert main(["status", str(tmp_path)]) == 2
    assert "is not a run: it has no run.json" in capsys.readouterr().err
