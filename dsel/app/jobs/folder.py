"""A job's folder: the job, and the file that says what is ours and how far it came."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, Final, Literal, TypeAlias

import psutil

from dsel.app.jobs.work import Work, plain_task, restored_task
from dsel.errors import DselError, StorageError, storage_errors
from dsel.files import json_bytes, read_json, write_atomically
from dsel.pipeline.progress import Count, ProgressCounter

MARKER: Final = "job.json"
FORMAT: Final = "dsel job 2"
FREE_BYTES: Final = 1 << 30
"""What a new job leaves free on the disk."""

State: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
ACTIVE: Final[tuple[State, ...]] = ("waiting", "running")
NAME: Final = re.compile("[0-9a-f]{32}")
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A work, and how it stands; `keep_s` seconds after its end it may be removed."""

    folder: Path
    work: Work
    asked: float
    state: State = "waiting"
    started: float | None = None
    finished: float | None = None
    error: str = ""
    keep_s: float = 0.0
    stop: State | None = None
    counter: ProgressCounter = field(default_factory=ProgressCounter)
    context: Context = field(default_factory=copy_context)
    saving: RLock = field(default_factory=RLock)

    @property
    def resumable(self) -> bool:
        """Whether it ended before its end."""
        return self.state in ("failed", "cancelled", "interrupted")


def make_folder(folder: Path) -> None:
    """Make a job's folder; raises `StorageError` where the disk is full."""
    with storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            folder.rmdir()
            raise StorageError("the disk is almost full: free some space, or try again later")


def record(job: Job) -> dict[str, Any]:
    """What is kept of a job, for JSON."""
    return {
        "format": FORMAT,
        "pid": os.getpid(),
        "state": job.state,
        "work": plain_task(job.work),
        "error": job.error,
        "asked": job.asked,
        "started": job.started,
        "finished": job.finished,
        "keep_s": job.keep_s,
        "count": job.counter.count.plain(),
    }


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Keep a job; where that fails the log says so, since the job itself may still end well."""
    try:
        write_atomically(folder / MARKER, json_bytes(record))
    except StorageError:
        log.exception("%s cannot be kept", folder)


def jobs_in(roots: Iterable[Path]) -> Iterator[Job]:
    """The jobs that an earlier app left; those of one that still runs are its own."""
    for root in roots:
        for path in sorted(root.glob(f"*/{MARKER}")):
            job = _restored(path) if NAME.fullmatch(path.parent.name) else None
            if job is not None:
                yield job


def _restored(path: Path) -> Job | None:
    """A job as its file tells; None if it is damaged, not ours, or another process is at it."""
    try:
        kept = read_json(path)
        if kept["format"] != FORMAT:
            return None
        if kept["work"].get("moved"):  # nobody was given its token yet
            _abandoned(path.parent, kept["pid"])
            return None
        job = Job(
            path.parent, restored_task(kept["work"]), kept["asked"], kept["state"],
            kept["started"], kept["finished"], kept["error"], kept["keep_s"],
            counter=ProgressCounter(Count.restored(kept["count"])),
        )  # fmt: skip
        written = path.stat().st_mtime
        if job.state in ACTIVE:
            if _lives(kept["pid"], written):
                return None
            job.state, job.finished = "interrupted", written
    except (DselError, OSError, LookupError, TypeError, ValueError):
        log.warning("%s cannot be read and is left alone", path, exc_info=True)
        return None
    return job


def _abandoned(folder: Path, pid: int) -> None:
    """Remove what was being brought in when the app ended."""
    if not _lives(pid, (folder / MARKER).stat().st_mtime):
        shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int, written: float) -> bool:
    """Whether the process that wrote a file at that time is another one, and still there."""
    if pid == os.getpid():
        return False
    try:
        return bool(psutil.Process(pid).create_time() <= written)
    except psutil.Error:
        return False
