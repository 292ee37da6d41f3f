"""Shards scored by workers in other processes and in parts: the same bytes, and one job each."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import which
from typing import Any

import psutil
import pytest
import torch
from support.faulty import SLOW, faults_of, recipe_of
from support.toyset import dataset_of, finish, toy_prior, tree, write_pictures

from dsel.cli.commands import main
from dsel.config import LaunchSettings
from dsel.errors import RunError, SettingError, StorageError
from dsel.pipeline.launch import check_all_scored, local_devices, score_on
from dsel.pipeline.scheduling import Pooled
from dsel.pipeline.score import score
from dsel.pipeline.serving import Answer
from dsel.pipeline.tasks import BoxesTask, KnowledgeTask, NamesTask, ShardTask, Task
from dsel.runs import open_run
from dsel.runs.knowledge import KnowledgePlan
from dsel.runs.workers import FOLDER, list_failed, list_workers
from dsel.types import Done, Event, Pixels, Progress, Skipped, Started

ROOT = Path(__file__).parents[2]
IMAGES = {"cat": 9, "dog": 8}
TWO = LaunchSettings(workers=2, threads=1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_pictures(tmp_path_factory.mktemp("pictures") / "all", IMAGES)
    (root / "dog" / "01.png").write_text("no picture")
    return root


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tree of a run that one process scored; it has a round of further draws."""
    run = tmp_path_factory.mktemp("whole") / "run"
    finish(score(dataset_of(pictures), toy_prior(), run, SLOW))
    assert open_run(run).summary.rounds
    return tree(run)


@pytest.fixture
def source(pictures: Path, tmp_path: Path) -> Path:
    """The same pictures in a place where they may do harm."""
    return shutil.copytree(pictures, tmp_path / "all")


def harm(source: Path, **faults: str) -> None:
    """Let images do harm: cat_03="kill"."""
    named = {f"{name.replace('_', '/')}.png": fault for name, fault in faults.items()}
    faults_of(source).write_text(json.dumps(named))


def same_scores(found: dict[str, str], whole: dict[str, str]) -> bool:
    """Whether all but the manifest, which has the place of the source, is the same."""
    differ = {name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name)}
    return differ <= {"run.json"}


def test_score_on__two_processes_make_the_same_bytes(pictures, tmp_path, whole):
    events = finish(score_on(recipe_of(pictures, tmp_path / "run"), TWO))
    assert tree(tmp_path / "run") == whole
    assert [event.ref.id for event in events if isinstance(event, Skipped)] == ["dog/01.png"]
    stages = [event.stage for event in events if isinstance(event, Started)]
    assert stages[0] == "score"
    assert "round" in stages
    begun = next(n for n, event in enumerate(events) if event == Started("score", 17, "images", 0))
    after = next(n for n, one in enumerate(events) if isinstance(one, Started) and n > begun)
    done = (event.count for event in events[begun:after] if isinstance(event, Progress))
    assert sum(done) == 17
    figures = next(event.figures for event in events if isinstance(event, Done))
    assert (figures["images"], figures["skipped"]) == (16, 1)
    assert figures["model_calls"] > 32


def test_score_on__workers_that_die_three_times_cost_their_shards(source, tmp_path, whole):
    """The others are done; the shards are listed, and the same command tries them again."""
    harm(source, cat_05="kill", dog_06="memory")  # in shards 1 and 3
    run = tmp_path / "run"
    killed = "its worker was killed, perhaps because memory ran out"
    hungry = "ran out of memory (Unable to allocate 256. MiB"
    with pytest.raises(RunError) as error:
        finish(score_on(recipe_of(source, run), TWO))
    assert re.fullmatch(
        rf"shard 1, shard 3 of {run} failed 3 times, because .*; the 3 others are done; run the "
        "same command again to try the rest",
        str(error.value),
    )
    assert killed in str(error.value)
    assert hungry in str(error.value)
    assert error.value.fields["failed"] == [1, 3]
    first, second = list_failed(run)
    assert (first.round, first.shard, first.tries, first.reason) == (0, 1, 3, killed)
    assert (second.round, second.shard, second.tries) == (0, 3, 3)
    assert second.reason.startswith(hungry)
    assert open_run(run).finished_shards() == (0, 2, 4)
    assert list_workers(run) == ()
    faults_of(source).unlink()
    finish(score_on(recipe_of(source, run), TWO))
    assert same_scores(tree(run), whole)


def test_score_on__a_full_disk_ends_the_job_with_advice(source, tmp_path):
    harm(source, dog_07="full")
    with pytest.raises(StorageError, match=r"no space left on the disk .* it resumes where"):
        finish(score_on(recipe_of(source, tmp_path / "run"), TWO))


ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=160k tmpfs disk
set +e
"$@" 2> first; echo $? >> first
mount -o remount,size=50m disk
"$@" 2> second; echo $? >> second
cp -a disk/run run
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_score_on__a_disk_that_is_full_and_then_is_not(pictures, tmp_path, whole, workers):
    """A disk of its own, in a namespace of the job; the same command resumes on a larger one."""
    (tmp_path / "disk").mkdir()
    command = [
        sys.executable, "-m", "support.faulty", str(pictures), str(tmp_path / "disk/run"),
        "--workers", workers, "--pause-s", "0",
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    unshare = ["unshare", "--map-root-user", "--mount"]
    if not which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("this system lets no process have disks of its own")
    done = ["sh", "-c", ON_A_SMALL_DISK, "sh", *command]
    subprocess.run([*unshare, *done], cwd=tmp_path, env=env, check=True)
    *message, code = (tmp_path / "first").read_text().splitlines()
    assert code == "2"
    assert "no space left on the disk while writing" in message[-1]
    assert (tmp_path / "second").read_text().splitlines()[-1] == "0"
    assert same_scores(tree(tmp_path / "run"), whole)


def test_score_on__an_image_that_hangs_is_skipped(source, tmp_path):
    harm(source, cat_05="hang")
    recipe = recipe_of(source, tmp_path / "run", SLOW.replace(decode_limit_s=5))
    finish(score_on(recipe, LaunchSettings(workers=1, threads=1)))
    reasons = {row.id: row.reason for row in open_run(tmp_path / "run").images if row.reason}
    assert reasons["cat/05.png"] == "takes longer than 5 s to read and decode (--decode-limit-s)"
    assert set(reasons) == {"cat/05.png", "dog/01.png"}


def test_score_on__workers_end_with_an_interrupted_job(pictures, tmp_path):
    run = tmp_path / "run"
    with closing(score_on(recipe_of(pictures, run, pause_s=2), TWO)) as events:
        for event in events:
            if isinstance(event, Progress) and len(list_workers(run)) == 2:
                break
        pids = [state.pid for state in list_workers(run)]
        assert len(pids) == 2
        assert all(state.lives() for state in list_workers(run))
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not (run / FOLDER).exists()


class Counting:
    """A prior that counts the images that it encodes."""

    def __init__(self) -> None:
        self._prior, self.images = toy_prior(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)

    def encode(self, pixels: Pixels) -> torch.Tensor:
        self.images += len(pixels)
        return self._prior.encode(pixels)


def test_score__finished_images_of_a_shard_are_not_scored_again(pictures, tmp_path):
    """A job that ends early leaves them, in a shard that is unfinished; then they are gone."""
    run, settings, prior = tmp_path / "run", SLOW.replace(most_draws=0), Counting()
    events = score(dataset_of(pictures), prior, run, settings)
    for _ in events:
        if prior.images == 3:
            break
    events.close()
    kept = {path.relative_to(run).as_posix() for path in (run / "kept").rglob("*.safetensors")}
    assert {"kept/00000/00000.safetensors", "kept/00000/00001.safetensors"} <= kept
    (run / "kept/00000/00000.safetensors").write_bytes(b"damaged")
    again = Counting()
    finish(score(dataset_of(pictures), again, run, settings))
    assert again.images == 16 - (len(kept) - 1)
    assert not (run / "kept").exists()
    finish(score(dataset_of(pictures), toy_prior(), tmp_path / "whole", settings))
    assert tree(run) == tree(tmp_path / "whole")


def parts_of(pictures: Path, run: Path, parts: int) -> Iterator[Iterator[Event]]:
    for number in range(1, parts + 1):
        launch = LaunchSettings(shards=f"{number}/{parts}", threads=1)
        yield score_on(recipe_of(pictures, run), launch)


def test_score_on__parts_make_the_same_bytes(pictures, tmp_path, whole):
    """Jobs of parts take turns in one process here; the last job completes the run."""
    run = tmp_path / "run"
    first, second, third = parts_of(pictures, run, 3)
    next(first)
    for event in first:
        if isinstance(event, Progress):
            break
    finish(second)  # at the same time
    first.close()
    with pytest.raises(RunError, match=r"run lacks [23] of 5 shards: (0, )?2, 3; run the jobs of"):
        check_all_scored(open_run(run))
    first, *_ = parts_of(pictures, run, 3)
    figures = next(event.figures for event in finish(first) if isinstance(event, Done))
    assert {"part": "1/3", "shards": 2, "images": 8}.items() <= figures.items()
    finish(third)
    check_all_scored(open_run(run))
    finish(score_on(recipe_of(pictures, run), LaunchSettings(threads=1)))
    assert tree(run) == whole


def begin(job: Iterator[Event]) -> None:
    for event in job:
        if isinstance(event, Progress):
            return


def test_score_on__jobs_by_mistake_are_refused(pictures, tmp_path):
    run = tmp_path / "run"
    first, _ = parts_of(pictures, run, 2)
    begin(first)
    again, _ = parts_of(pictures, run, 2)
    with pytest.raises(StorageError, match="is being written by process"):
        next(again)
    with pytest.raises(StorageError, match="is being written by process"):
        next(score_on(recipe_of(pictures, run), LaunchSettings(threads=1)))
    *_, other = parts_of(pictures, run, 3)
    with pytest.raises(StorageError, match=r"is being scored in 2 parts, 1/2 by process .*: use"):
        next(other)
    first.close()
    assert not (run / FOLDER).exists()
    job = score_on(recipe_of(pictures, run), LaunchSettings(threads=1))
    begin(job)
    first, _ = parts_of(pictures, run, 2)
    with pytest.raises(StorageError, match="is being written by process"):
        next(first)
    job.close()
    assert not list(run.rglob("*.lock"))


@pytest.mark.skipif(os.name == "nt", reason="workers are processes with inherited files")
def test_score_on__a_run_in_use_starts_no_worker(pictures, tmp_path):
    """Workers of a refused job would load their priors, and outlive it in a long-lived process."""
    run = tmp_path / "run"
    before = {child.pid for child in psutil.Process().children()}
    job = score_on(recipe_of(pictures, run), LaunchSettings(threads=1))
    begin(job)
    other = score_on(recipe_of(pictures, run), TWO)
    with pytest.raises(StorageError, match="is being written by process"):
        next(other)
    assert {child.pid for child in psutil.Process().children()} == before
    job.close()


def test_pooled__failures_name_their_work(tmp_path) -> None:
    """Each kind of task that a pool may get, from a pool that loses all of them."""
    tasks = {
        "shard 3": ShardTask(3),
        "shard 3 of round 1": ShardTask(3, 1),
        "group 2 of classes": KnowledgeTask(2, KnowledgePlan(1, 2, (300,), 2, 4), {}),
        "the picture under its names": NamesTask((0,)),
        "the storing of true boxes": BoxesTask(),
    }
    for name, task in tasks.items():
        with Pooled(Losing(), tmp_path) as pooled, pytest.raises(RunError) as error:
            list(pooled.run([task]))
        assert str(error.value).startswith(f"{name} of {tmp_path} failed 3 times, because no luck")


class Losing:
    """A pool of one worker that dies of every task."""

    workers = 1

    def __init__(self) -> None:
        self.given: list[int] = []

    def open(self) -> None:
        pass

    def start(self, number: int, _task: Task) -> bool:
        self.given.append(number)
        return len(self.given) == 1

    def ended(self, _timeout_s: float) -> list[tuple[int, Answer]]:
        (number, *_), self.given = self.given, []
        return [(number, Answer(lost="no luck"))]

    def close(self) -> None:
        pass


def test_launch_settings__parts() -> None:
    assert LaunchSettings(shards="2/8").part == (2, 8)
    assert LaunchSettings().part is None
    for wrong in ("0/8", "9/8", "2", "2/", "a/b", "-1/2"):
        with pytest.raises(SettingError, match=r"shards must be I/N with I from 1 to N, such as"):
            LaunchSettings(shards=wrong)
    with pytest.raises(SettingError, match="use it with --on ray"):
        LaunchSettings(address="auto")


def test_local_devices__without_cuda() -> None:
    assert local_devices("cpu", 0) == ()
    assert local_devices("cpu", 3) == ("cpu", "cpu", "cpu")


@pytest.mark.skipif(os.name == "nt", reason="workers are processes with inherited files")
def test_commands__workers_and_parts_and_gather(tiny_prior, tmp_path, capsys):
    """The command line, with a prior that it loads: two jobs of parts, and what completes them."""
    source = write_pictures(tmp_path / "pictures", {"cat": 4, "dog": 4})
    usual = [
        str(source), "--prior", str(tiny_prior), "--draws", "2", "--timesteps", "300", "600",
        "--shard-size", "2", "--most-draws", "4", "--keep", "1", "--knowledge", "full",
    ]  # fmt: skip
    assert main(["score", *usual, "--run", str(tmp_path / "one")]) == 0
    parts = tmp_path / "parts"
    assert main(["score", *usual, "--run", str(parts), "--shards", "1/2", "--workers", "2"]) == 0
    assert main(["gather", str(parts)]) == 2
    assert "parts lacks 2 of 4 shards: 1, 3; run the jobs of the array" in capsys.readouterr().err
    assert main(["score", *usual, "--run", str(parts), "--shards", "2/2"]) == 0
    assert main(["gather", str(parts), "--knowledge", "full", "--workers", "1"]) == 0
    assert tree(parts) == tree(tmp_path / "one")
