"""Tell others how far a worker is, in its small file of the run."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from dsel.pipeline.tasks import Task
from dsel.runs.workers import WorkerState, remove_worker, write_worker
from dsel.types import Event, Progress, Skipped

T = TypeVar("T")

EVERY_S: Final = 1.0
"""How often a worker writes its file at most; see `dsel.runs.workers`."""

KEPT_S: Final = 0.05
"""Images that are done so soon were kept by an earlier try, and say nothing of the rate."""


class Reporter:
    """Writes the file of this process's worker."""

    def __init__(self, run: Path, device: str, part: str) -> None:
        """part: I/N of a job of an array; empty for the whole run."""
        self._run = run
        self._state = WorkerState(
            socket.gethostname(), os.getpid(), device, part, "open", 0, -1, 0, 0, 0, 0.0, 0.0, 0.0
        )
        self._began, self._kept = 0.0, 0

    def reported(
        self, events: Generator[Event, None, T], task: Task, total: int
    ) -> Generator[Event, None, T]:
        """Pass the events of a task on, and write how far it is; returns its result."""
        self._begin(task, total)
        with closing(events):
            while True:
                try:
                    event = next(events)
                except StopIteration as ended:
                    self._write(stage="wait", shard=-1, done=0, total=0)
                    result: T = ended.value
                    return result
                self._take(event)
                yield event

    def close(self) -> None:
        """Remove the file: the worker has ended."""
        remove_worker(self._run, self._state.host, self._state.pid)

    def _begin(self, task: Task, total: int) -> None:
        self._began, self._kept = time.monotonic(), 0
        self._write(
            stage=task.stage, round=task.round, shard=task.shard, done=0, total=total, skipped=0,
            rate=0.0, started=time.time(),
        )  # fmt: skip

    def _take(self, event: Event) -> None:
        if isinstance(event, Skipped):
            self._state = replace(self._state, skipped=self._state.skipped + 1)
        elif isinstance(event, Progress):
            self._count(event.count)

    def _count(self, count: int) -> None:
        done, seconds = self._state.done + count, time.monotonic() - self._began
        if seconds < KEPT_S:
            self._kept = done
        self._state = replace(self._state, done=done)
        if time.time() - self._state.updated >= EVERY_S:
            self._write(rate=round((done - self._kept) / seconds, 3))

    def _write(self, **changes: object) -> None:
        self._state = replace(self._state, updated=time.time(), **changes)  # type: ignore[arg-type]
        write_worker(self._run, self._state)
