"""Small files in which the workers of a run say what they do, and which shards have failed.

They exist while a run is being scored, and until it is complete if shards failed: a finished run
has none. Nothing that is computed depends on them, so they have no checksum, and are not synced; a
file that cannot be read counts as absent.

workers/<name>.json         one per worker, named by host and process: the fields of `WorkerState`.
                            Written when a shard begins and ends, and at most every second between.
                            Removed by the worker at its end; one that was killed leaves its file,
                            so ask `WorkerState.lives` before you believe it.
workers/failed/00003.json   one per shard that was tried as often as allowed: the fields of
                            `FailedShard`. The name has the round before the shard, 01-00003.json,
                            if it is one of further draws. Removed when the shard is tried again.
evaluations/workers/        the same of workers that train students
evaluations/.students.json  how many students a job trains: the fields of `StudentsState`. Written
                            when one is done; removed when all are, so that it stays after a kill.
workers/part-2-of-8.lock    locked while `dsel score --shards 2/8` runs (see `dsel.locks`)

Times are seconds since 1970, of the clock of the worker's host. The file of a worker:

    {"host": "node7", "pid": 4711, "device": "cuda:0", "part": "2/8", "stage": "score",
     "round": 0, "shard": 3, "done": 120, "total": 256, "skipped": 1, "rate": 3.25,
     "started": 1767225600.0, "updated": 1767225637.5}
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from dsel.files import lives, temporary_beside
from dsel.locks import Holder, holder_in

T = TypeVar("T")

FOLDER: Final = "workers"
FAILED: Final = "failed"
STUDENTS: Final = ".students.json"
PART: Final = re.compile(r"part-(?P<number>\d+)-of-(?P<parts>\d+)\.lock")

STALE_S: Final = 900.0
"""A worker of another host that has written nothing for so long counts as gone."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker does now.

    part: I/N of a job of an array; empty for the whole run. stage: "score", "round", "knowledge"
    (shard is then the number of a group of classes), "students" (the number of a student; what is
    counted are its steps), or "wait" between these. round: 0 for the
    first draws. shard: -1 for none. done, total, skipped: images of the shard. rate: images a
    second in this shard so far, without those that an earlier try had kept; 0 if unknown. started:
    when the shard began.
    """

    host: str
    pid: int
    device: str
    part: str
    stage: str
    round: int
    shard: int
    done: int
    total: int
    skipped: int
    rate: float
    started: float
    updated: float

    def lives(self) -> bool:
        """Whether the worker is still running, as far as this host can tell."""
        if self.host == socket.gethostname():
            return lives(self.pid, self.updated)
        return time.time() - self.updated < STALE_S


@dataclass(frozen=True, slots=True)
class FailedShard:
    """A shard that is given up: how often it was tried, and why the last try failed."""

    round: int
    shard: int
    tries: int
    reason: str
    updated: float


@dataclass(frozen=True, slots=True)
class StudentsState:
    """The students of a job: all of them, those that are trained, and those that are given up."""

    total: int
    done: int
    failed: int
    updated: float


def list_workers(run: Path) -> tuple[WorkerState, ...]:
    """Return what the workers of a run last wrote, by host and process; see `WorkerState.lives`."""
    found = _records(run / FOLDER, WorkerState)
    return tuple(sorted(found, key=lambda one: (one.host, one.pid)))


def list_failed(run: Path) -> tuple[FailedShard, ...]:
    """Return the shards of a run that are given up, by round and number."""
    found = _records(run / FOLDER / FAILED, FailedShard)
    return tuple(sorted(found, key=lambda one: (one.round, one.shard)))


def write_worker(run: Path, state: WorkerState) -> None:
    """Write what a worker does; a file that cannot be written is no error."""
    _write(_worker_file(run, state.host, state.pid), asdict(state))


def remove_worker(run: Path, host: str, pid: int) -> None:
    """Remove the file of a worker that has ended."""
    with suppress(OSError):
        _worker_file(run, host, pid).unlink(missing_ok=True)


def write_failed(run: Path, failed: FailedShard) -> None:
    """Note a shard that is given up."""
    _write(_failed_file(run, failed.round, failed.shard), asdict(failed))


def remove_failed(run: Path, number: int, shard: int) -> None:
    """Forget that a shard had failed: it is tried again, or done."""
    with suppress(OSError):
        _failed_file(run, number, shard).unlink(missing_ok=True)


def write_students_state(folder: Path, state: StudentsState) -> None:
    """Write how far a job is that trains students; folder: of the evaluations."""
    _write(folder / STUDENTS, asdict(state))


def read_students_state(folder: Path) -> StudentsState | None:
    """Return how far the last job is; None if it has finished, or there was none."""
    return _record(folder / STUDENTS, StudentsState)


def remove_students_state(folder: Path) -> None:
    """Forget a job that has finished."""
    with suppress(OSError):
        (folder / STUDENTS).unlink(missing_ok=True)


def remove_gone(run: Path) -> None:
    """Remove the files of workers that have ended, and the folder if it is empty then."""
    for state in list_workers(run):
        if not state.lives():
            remove_worker(run, state.host, state.pid)
    for folder in (run / FOLDER / FAILED, run / FOLDER):
        with suppress(OSError):
            folder.rmdir()


def part_lock(run: Path, number: int, parts: int) -> Path:
    """Return the file that is locked while a part of the run's shards is scored."""
    return run / FOLDER / f"part-{number}-of-{parts}.lock"


def part_locks(run: Path) -> list[Path]:
    """Return the files of `part_lock` that exist, whether or not they are locked."""
    return sorted(p for p in _listed(run / FOLDER) if PART.fullmatch(p.name))


def held_parts(run: Path) -> list[tuple[int, int, Holder]]:
    """Return the parts of a run that are being scored, and by whom: number, parts, holder."""
    found = []
    for path in part_locks(run):
        holder, name = holder_in(path), PART.fullmatch(path.name)
        if holder and name:
            found.append((int(name["number"]), int(name["parts"]), holder))
    return found


def _worker_file(run: Path, host: str, pid: int) -> Path:
    name = re.sub(r"[^A-Za-z0-9.-]", "_", host)
    return run / FOLDER / f"{name}-{pid}.json"


def _failed_file(run: Path, number: int, shard: int) -> Path:
    name = f"{number:02d}-{shard:05d}" if number else f"{shard:05d}"
    return run / FOLDER / FAILED / f"{name}.json"


def _write(path: Path, record: dict[str, Any]) -> None:
    temporary = temporary_beside(path)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(record) + "\n", encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _listed(folder: Path) -> list[Path]:
    """Return what is in a folder; another process may remove it at any moment."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _records(folder: Path, kind: type[T]) -> list[T]:
    records = (_record(path, kind) for path in _listed(folder) if path.suffix == ".json")
    return [one for one in records if one is not None]


def _record(path: Path, kind: type[T]) -> T | None:
    with suppress(OSError, ValueError, TypeError):
        return kind(**json.loads(path.read_text(encoding="utf-8")))
    return None
