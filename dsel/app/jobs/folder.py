"""The folder of a job, and the record in it: whose folder it is, and how far the job is."""

from __future__ import annotations

import logging
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Final, Literal, TypeAlias

from pydantic import with_config

from dsel.app.jobs.tasks import Task, plain_task, restored_task
from dsel.errors import DselError, SettingError, StorageError, first_line, storage_errors
from dsel.files import (
    STORED,
    files_below,
    lives,
    read_json,
    read_record,
    record_bytes,
    write_atomically,
)
from dsel.pipeline.progress import Count, ProgressCounter

MARKER: Final = "job.json"
FORMAT: Final = "dsel job 3"
FREE_BYTES: Final = 1 << 30
"""Free disk space that a new job needs."""

State: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
ACTIVE: Final[tuple[State, ...]] = ("waiting", "running")
REMEDY: Final = "delete its folder and start the job again"
NAME: Final = re.compile("[0-9a-f]{32}")
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A task and its state; `keep_s` seconds after its end it may be removed.

    visitor: the remote visitor whose quotas it counts for, while the app runs; no record has it.
    quota: what was used up if that is why it failed, as in `QuotaError`. removed: its folder is
    gone, and no record makes it again. bytes: of its folder since its end. evaluations: of the
    prior, at most.
    """

    folder: Path
    task: Task
    asked: float
    state: State = "waiting"
    started: float | None = None
    finished: float | None = None
    error: str = ""
    quota: str = ""
    keep_s: float = 0.0
    stop: State | None = None
    visitor: str = ""
    removed: bool = False
    bytes: int = 0
    evaluations: int = 0
    counter: ProgressCounter = field(default_factory=ProgressCounter)
    context: Context = field(default_factory=copy_context)
    saving: RLock = field(default_factory=RLock)

    @property
    def resumable(self) -> bool:
        """Whether it stopped before its task was done."""
        return self.state in ("failed", "cancelled", "interrupted")


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Record:
    """A stored job; `task` is from `plain_task`."""

    pid: int
    state: State
    task: dict[str, Any]
    error: str
    asked: float
    started: float | None
    finished: float | None
    keep_s: float
    count: Count
    quota: str = ""


def make_folder(folder: Path) -> None:
    """Create the folder of a job; raises `StorageError` if the disk is full."""
    with storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            folder.rmdir()
            raise StorageError("the disk is almost full: free some space, or try again later")


def check_removable(job: Job, active: Iterable[Job]) -> None:
    """Raise `SettingError` for a job that runs or waits, or whose run another such job reads."""
    for other in active:
        if other is job:
            raise SettingError("the job is still running or waiting: cancel it first")
        run = getattr(other.task, "run", "")
        if run and Path(run).is_relative_to(job.folder):
            raise SettingError(
                f"the job {other.task.title!r} still reads this run: wait for its end, or cancel it"
            )


def remove_folder(folder: Path) -> None:
    """Remove the folder of a job; one of any other name, or a link, is left alone."""
    if NAME.fullmatch(folder.name) and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files in a folder; those that vanish meanwhile do not count."""
    return sum(_bytes_of(path) for path in files_below(folder))


def _bytes_of(path: Path) -> int:
    try:
        status = path.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def record(job: Job) -> dict[str, Any]:
    """Return the record of a job as values for JSON."""
    return {
        "format": FORMAT,
        "pid": os.getpid(),
        "state": job.state,
        "task": plain_task(job.task),
        "error": job.error,
        "quota": job.quota,
        "asked": job.asked,
        "started": job.started,
        "finished": job.finished,
        "keep_s": job.keep_s,
        "count": job.counter.count.plain(),
    }


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Store the record of a job; a failure is only logged, since the job itself may succeed."""
    try:
        write_atomically(folder / MARKER, record_bytes(record))
    except StorageError:
        log.exception("the record of %s cannot be stored", folder)


def jobs_in(roots: Iterable[Path]) -> Iterator[Job]:
    """Yield the jobs of earlier apps; those of an app that still runs belong to it."""
    for root in roots:
        for path in sorted(root.glob(f"*/{MARKER}")):
            job = _restored(path) if NAME.fullmatch(path.parent.name) else None
            if job is not None:
                yield job


def _restored(path: Path) -> Job | None:
    """Return a job from its record; None if it is damaged, not ours, or of another process."""
    try:
        kept = _record_in(path)
        if kept is None:
            return None
        if kept.task.get("moved"):  # its token was never handed out
            _abandoned(path.parent, kept.pid)
            return None
        job = Job(
            path.parent, restored_task(kept.task), kept.asked, kept.state, kept.started,
            kept.finished, kept.error, kept.quota, kept.keep_s, counter=ProgressCounter(kept.count),
            bytes=bytes_in(path.parent),
        )  # fmt: skip
        written = path.stat().st_mtime
        if job.state in ACTIVE:
            if _lives(kept.pid, written):
                return None
            job.state, job.finished = "interrupted", written
    except (DselError, OSError, LookupError, TypeError, ValueError) as error:
        log.warning("a job cannot be read and is left alone: %s", first_line(error))
        return None
    return job


def _record_in(path: Path) -> _Record | None:
    """Read a record; None for one of another format. Raises `DamageError`."""
    found = read_json(path, REMEDY)
    if isinstance(found, dict) and found.get("format", FORMAT) != FORMAT:
        return None
    return read_record(path, _Record, REMEDY, FORMAT)


def _abandoned(folder: Path, pid: int) -> None:
    """Remove the folder of a job whose files were being copied when the app ended."""
    if not _lives(pid, (folder / MARKER).stat().st_mtime):
        shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int, written: float) -> bool:
    """Return whether another process wrote a file at that time, and is still running."""
    return pid != os.getpid() and lives(pid, written)
