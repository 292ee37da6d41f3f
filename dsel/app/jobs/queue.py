"""Background jobs of the app: asked for, watched, cancelled and resumed by an unguessable token.

A job is a folder that holds `job.json` and what the job makes; its name follows from the token and
does not tell it. A page that is loaded again, and an app that is started again, find their jobs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, Thread
from typing import Final, Literal

from dsel.app.jobs.folder import ACTIVE, Job, State, jobs_in, make_folder, record, write_record
from dsel.app.jobs.work import JobRunner, Work
from dsel.errors import DselError, SettingError
from dsel.pipeline.progress import ProgressCounter, SkippedImage

DAY_S: Final = 24 * 3600.0
SAVE_EVERY_S: Final = 10.0
BUG: Final = "something went wrong that should not have; the app's log says what"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """How a job stands.

    place: 1 is the next of those that wait, 0 is none of them. stopping: cancelled, but still at
    its last step. `skips` are the first of the `skipped` images. asked, started and finished are
    seconds since 1970. left_s is of this stage.
    """

    token: str
    kind: Literal["score", "export"]
    title: str
    state: State
    place: int
    stopping: bool
    resumable: bool
    stage: str
    done: int
    total: int
    unit: str
    note: str
    per_second: float | None
    left_s: float | None
    notices: tuple[str, ...]
    skipped: int
    skips: tuple[SkippedImage, ...]
    figures: Mapping[str, float | int | str]
    error: str
    asked: float
    started: float | None
    finished: float | None


class Jobs:
    """The jobs of an app, each kind in a queue of its own; any number of threads may ask.

    folder: where jobs' folders lie. served: where those of exports do, if a web server hands them
    out. workers: jobs of a kind that run at once; waiting: that wait at most. keep_s: how long one
    that has ended is kept. Call `close` before the app ends.
    """

    def __init__(
        self,
        folder: Path,
        workers: int = 1,
        waiting: int = 8,
        *,
        runner: JobRunner | None = None,
        served: Path | None = None,
        keep_s: float = DAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.runner = runner or JobRunner()
        self._roots = {"score": folder, "export": served or folder}
        self._workers, self._most, self._keep_s, self._clock = workers, waiting, keep_s, clock
        self._lock = RLock()
        self._queues: dict[str, deque[Job]] = {kind: deque() for kind in self._roots}
        self._threads: dict[Job, Thread] = {}
        self._jobs = {job.folder.name: job for job in jobs_in(set(self._roots.values()))}
        self.sweep()

    def start(self, work: Work) -> str:
        """Ask for a work; the token that comes back is the right to see and to steer it.

        Raises `SettingError` where too many wait, and `StorageError` where the disk is full.
        """
        with self._lock:
            self.sweep()
            self._check_waiting(work.kind)
        token, work = secrets.token_urlsafe(24), self.runner.fitted(work)
        job = Job(self._roots[work.kind] / _name(token), work, self._clock(), keep_s=self._keep_s)
        make_folder(job.folder)
        try:
            self._save(job)  # first: what lies beside it is known as ours
            job.work = work.taken_into(job.folder)
            with self._lock:
                self._check_waiting(work.kind)
                self._jobs[job.folder.name] = job
                self._queues[work.kind].append(job)
                self._begin(work.kind)
        except BaseException:
            shutil.rmtree(job.folder, ignore_errors=True)
            raise
        self._save(job)
        return token

    def report(self, token: str) -> JobReport:
        """How a job stands; raises `SettingError` for a token of none."""
        with self._lock:
            return self._report(token, self._job(token))

    def knows(self, token: str) -> bool:
        """Whether there is a job of this token."""
        with self._lock:
            return _name(token) in self._jobs

    def work(self, token: str) -> Work:
        """What a job does."""
        with self._lock:
            return self._job(token).work

    def cancel(self, token: str) -> None:
        """Stop a job: one that waits at once, one that runs after its present step."""
        with self._lock:
            job = self._job(token)
            if job.state == "waiting":
                self._queues[job.work.kind].remove(job)
                self._end(job, "cancelled")
            elif job.state == "running":
                job.stop = "cancelled"
        self._save(job)

    def resume(self, token: str) -> None:
        """Go on with a job that failed, was cancelled, or was interrupted by the app's end."""
        with self._lock:
            job = self._job(token)
            if job.state == "done":
                raise SettingError("the job is done already")
            if job.state == "running" and job.stop:
                raise SettingError("the job is still stopping: resume it in a moment")
            if not job.resumable:
                return
            self._check_waiting(job.work.kind)
            job.counter, job.context = ProgressCounter(job.counter.count), copy_context()
            job.state, job.error, job.stop, job.finished = "waiting", "", None, None
            self._queues[job.work.kind].append(job)
            self._begin(job.work.kind)
        self._save(job)

    def result(self, token: str) -> Path:
        """The run folder or the zip file that a job has made."""
        with self._lock:
            job = self._job(token)
            if job.state != "done":
                raise SettingError(f"the job has no result yet: it is {job.state}")
            return job.work.result(job.folder)

    def close(self, timeout_s: float = 10.0) -> None:
        """Interrupt all jobs, so that the next start of the app can resume them."""
        with self._lock:
            waiting = [job for queue in self._queues.values() for job in queue]
            for queue in self._queues.values():
                queue.clear()
            for job in waiting:
                self._end(job, "interrupted")
            for job in self._threads:
                job.stop = "interrupted"
            threads = list(self._threads.values())
        for job in waiting:
            self._save(job)
        for thread in threads:
            thread.join(timeout_s)

    def _job(self, token: str) -> Job:
        job = self._jobs.get(_name(token))
        if job is None:
            raise SettingError(
                "there is no such job: its token is not whole, or it ended so long ago that it "
                "was removed"
            )
        return job

    def _report(self, token: str, job: Job) -> JobReport:
        count, now = job.counter.count, time.monotonic()
        runs, queue = job.state == "running", self._queues[job.work.kind]
        hide = _Hide(job.folder)
        return JobReport(
            token=token, kind=job.work.kind, title=job.work.title, state=job.state,
            place=queue.index(job) + 1 if job in queue else 0,
            stopping=runs and job.stop is not None, resumable=job.resumable,
            stage=count.stage, done=count.done, total=count.total, unit=count.unit,
            note=count.note,
            per_second=job.counter.per_second(now) if runs else None,
            left_s=job.counter.left_s(now) if runs else None,
            notices=tuple(map(hide.text, count.notices)),
            skipped=count.skipped, skips=count.skips,
            figures={key: hide.value(value) for key, value in count.figures.items()},
            error=hide.text(job.error),
            asked=job.asked, started=job.started, finished=job.finished,
        )  # fmt: skip

    def _check_waiting(self, kind: str) -> None:
        waiting = len(self._queues[kind])
        if waiting >= self._most:
            raise SettingError(
                f"{waiting} jobs are waiting already, and no more can: try again when one is done"
            )

    def _begin(self, kind: str) -> None:
        """Let those that wait longest run, while there is room; the lock is held."""
        queue = self._queues[kind]
        while queue and sum(job.work.kind == kind for job in self._threads) < self._workers:
            job = queue.popleft()
            job.state, job.started = "running", self._clock()
            # What is asked for is known by the context of who asked, also in the thread.
            thread = Thread(target=job.context.run, args=(self._do, job), daemon=True)
            self._threads[job] = thread
            thread.start()

    def _do(self, job: Job) -> None:
        state: State = "failed"
        try:
            state = self._follow(job)
        except DselError as error:
            job.error = str(error)
        except Exception:
            log.exception("job %s failed", job.folder.name)
            job.error = BUG
        with self._lock:
            del self._threads[job]
            self._end(job, state)
            self._begin(job.work.kind)
        self._save(job)

    def _follow(self, job: Job) -> State:
        self._save(job)
        saved = time.monotonic()
        with closing(self.runner.events(job.work, job.folder)) as events:
            for event in events:
                now = time.monotonic()
                with self._lock:
                    job.counter.take(event, now)
                    stop = job.stop
                if stop:
                    return stop
                if now - saved > SAVE_EVERY_S:
                    saved = now
                    self._save(job)
        return "done"

    def _end(self, job: Job, state: State) -> None:
        job.state, job.stop, job.finished = state, None, self._clock()

    def sweep(self) -> None:
        """Remove the folders of jobs that ended long ago; they are ours, since we made them.

        How long they stay was settled when they were asked for: another app may look after them.
        """
        with self._lock:
            for name, job in list(self._jobs.items()):
                ended = job.finished if job.state not in ACTIVE else None
                if ended is not None and self._clock() - ended > job.keep_s:
                    del self._jobs[name]
                    shutil.rmtree(job.folder, ignore_errors=True)

    def _save(self, job: Job) -> None:
        with job.saving:
            with self._lock:
                kept = record(job)
            write_record(job.folder, kept)


@dataclass(frozen=True, slots=True)
class _Hide:
    """Takes a job's folder out of what a visitor reads: it says nothing to them."""

    folder: Path

    def text(self, text: str) -> str:
        return text.replace(f"{self.folder.resolve()}{os.sep}", "").replace(
            f"{self.folder}{os.sep}", ""
        )

    def value(self, value: float | str) -> float | int | str:
        return self.text(value) if isinstance(value, str) else value


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:32]
