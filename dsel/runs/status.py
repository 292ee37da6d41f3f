"""How far the scoring of a run is: what is done, running, failed and skipped, and the time left."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from dsel.locks import holder_of
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.runs.opening import open_run
from dsel.runs.run import SUMMARY, TABLE, Run
from dsel.runs.workers import (
    FailedShard,
    WorkerState,
    list_failed,
    list_workers,
    read_students_state,
)

LATEST: Final = 64
"""The rate is that of so many shards, the ones written last."""

PAUSE: Final = 5.0
"""Between shards, a time of more than so many medians is a pause of the job, not work."""

_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class StudentsStatus:
    """How far a job is that trains students of the run's sets.

    state: "running" while its process, or one that wrote lately, works. running: those that workers
    in other processes train just now; in a single process this is not known. writer: who has the
    lock; empty for none.
    """

    state: Literal["running", "interrupted"]
    total: int
    done: int
    failed: int
    workers: tuple[WorkerState, ...]
    writer: str

    @property
    def running(self) -> int:
        """Students that workers train now."""
        return sum(one.shard >= 0 for one in self.workers)

    @property
    def left(self) -> int:
        """Students that are neither trained nor given up."""
        return self.total - self.done - self.failed


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run is.

    state: "running" while a process of this host, or one that wrote lately, scores it. done,
    running and failed: shards of the first draws; further: files of further draws. images_done: of
    finished shards, skipped ones too, and of shards that are being scored. skipped: images by
    reason; reasons that differ in numbers alone are one, shown as the first of them. per_second:
    images. left_s: of the first draws. writer: who has the lock; empty for none. students: of a job
    that trains some, or was interrupted.
    """

    state: Literal["finished", "running", "interrupted"]
    shards: int
    done: int
    running: tuple[int, ...]
    failed: tuple[FailedShard, ...]
    further: int
    images: int
    images_done: int
    skipped: Mapping[str, int]
    per_second: float | None
    left_s: float | None
    workers: tuple[WorkerState, ...]
    writer: str
    students: StudentsStatus | None = None

    @property
    def is_running(self) -> bool:
        """Whether the run is scored, or students are trained on it."""
        return "running" in (self.state, self.students.state if self.students else "")

    def plain(self) -> dict[str, Any]:
        """Return values for JSON."""
        return asdict(self)


def status_of(path: Path) -> RunStatus:
    """Return how far a run is; raises `RunError` for a folder that is not one.

    Nothing is verified, so that asking costs little, and what is being written just then is absent.
    """
    run = open_run(path)
    done, of = run.finished_shards(), run.identity
    workers = tuple(one for one in list_workers(path) if one.lives())
    writer, finished = holder_of(path), (path / SUMMARY).exists()
    at_work = [one for one in workers if one.shard >= 0 and one.round == 0 and one.stage == "score"]
    begun = {one.shard: one.done for one in at_work if one.shard not in done}
    images_done = sum(_images_in(run, number) for number in done) + sum(begun.values())
    per_second = _rate(run, done, at_work)
    left = of.images - images_done
    return RunStatus(
        state="running" if writer or workers else "finished" if finished else "interrupted",
        shards=of.shards,
        done=len(done),
        running=tuple(sorted(begun)),
        failed=tuple(one for one in list_failed(path) if one.round or one.shard not in done),
        further=sum(1 for _ in (path / "rounds").glob("*/*.safetensors")),
        images=of.images,
        images_done=images_done,
        skipped=_skipped(run, done, finished),
        per_second=per_second,
        left_s=0.0 if finished else left / per_second if per_second else None,
        workers=workers,
        writer=str(writer or ""),
        students=_students(path / EVALUATIONS),
    )


def _students(folder: Path) -> StudentsStatus | None:
    """Return how far the last job is that trained students; None if none is left."""
    state = read_students_state(folder)
    if state is None:
        return None
    workers, writer = tuple(one for one in list_workers(folder) if one.lives()), holder_of(folder)
    is_running = bool(writer or workers)
    return StudentsStatus(
        state="running" if is_running else "interrupted",
        total=state.total,
        done=state.done,
        failed=state.failed,
        workers=workers,
        writer=str(writer or ""),
    )


def _images_in(run: Run, number: int) -> int:
    size = run.identity.settings.shard_size
    return min(size, run.identity.images - number * size)


def _rate(run: Run, done: Sequence[int], at_work: Sequence[WorkerState]) -> float | None:
    """Return images a second: of the workers as they say, or of the shards written last."""
    rates = [one.rate for one in at_work if one.rate > 0]
    if rates:  # a worker that has only begun will be as fast as the others
        return sum(rates) * len(at_work) / len(rates)
    written = sorted((_written(run, number), number) for number in done)[-LATEST:]
    gaps = [after - before for (before, _), (after, _) in pairwise(written)]
    if not gaps:
        return None
    longest = PAUSE * median(gaps)
    kept = [
        (gap, _images_in(run, number))
        for gap, (_, number) in zip(gaps, written[1:], strict=True)
        if gap <= longest
    ]
    seconds = sum(gap for gap, _ in kept)
    return sum(images for _, images in kept) / seconds if seconds > 0 else None


def _written(run: Run, number: int) -> float:
    try:
        return (run.path / "scores" / f"{number:05d}.safetensors").stat().st_mtime
    except FileNotFoundError:  # set aside just now
        return 0.0


def _skipped(run: Run, done: Sequence[int], finished: bool) -> Mapping[str, int]:
    """Count the skipped images of finished shards by reason, the most frequent first."""
    files = [run.path / "proxies" / f"{number:05d}.parquet" for number in done]
    tables = [run.path / TABLE] if finished and (run.path / TABLE).exists() else files
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for table in tables:
        for reason in _reasons(table, _version(table)):
            kind = _NUMBER.sub("0", reason)
            first.setdefault(kind, reason)
            counts[kind] += 1
    return {first[kind]: count for kind, count in counts.most_common()}


def _version(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@lru_cache(1 << 16)
def _reasons(path: Path, version: int) -> tuple[str, ...]:  # noqa: ARG001 (of the cached answer)
    """Read the reasons of skipped images; a damaged or missing table has none here."""
    try:
        with pq.ParquetFile(path) as file:
            reasons = file.read(["reason"])["reason"].to_pylist()
    except (pa.ArrowException, OSError, KeyError):
        return ()
    return tuple(reason for reason in reasons if reason)
