"""Background jobs of the app: started, watched, cancelled and resumed by an unguessable token.

A job is a folder with `job.json` and the result. The folder's name is derived from the token and
does not reveal it. A page that is loaded again, and an app that is started again, find their jobs.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import closing
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Final, get_args

from dsel.app.jobs.folder import (
    ACTIVE,
    Job,
    State,
    bytes_in,
    check_removable,
    jobs_in,
    make_folder,
    record,
    remove_folder,
    write_record,
)
from dsel.app.jobs.reports import JobReport, Kind, PathsHidden
from dsel.app.jobs.runner import JobRunner
from dsel.app.jobs.tasks import Task
from dsel.app.quota import NO_QUOTAS, Quotas
from dsel.errors import DselError, SettingError
from dsel.pipeline.progress import ProgressCounter

DAY_S: Final = 24 * 3600.0
SAVE_EVERY_S: Final = 10.0
CLOSE_S: Final = 10.0
"""How long the present steps of running jobs may take when the app ends."""

BUG: Final = "the job failed because of a bug in dsel; the app's log has the details"

log = logging.getLogger(__name__)


class Jobs:
    """The jobs of an app, with one pool of workers for each kind; safe to call from any thread.

    folder: where the folders of jobs are stored. workers: jobs of a kind that run at once; waiting:
    the most that wait. quotas: of remote visitors. keep_s: how long a finished job is kept. Call
    `close` before the app ends.
    """

    def __init__(
        self,
        folder: Path,
        workers: int = 1,
        waiting: int = 8,
        *,
        runner: JobRunner | None = None,
        quotas: Quotas = NO_QUOTAS,
        keep_s: float = DAY_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.runner = runner or JobRunner()
        self.runner.charge = self._charge
        self._folder, self._quotas = folder, quotas
        self._workers, self._most, self._keep_s, self._clock = workers, waiting, keep_s, clock
        self._lock = RLock()
        self._pools = {
            kind: ThreadPoolExecutor(workers, thread_name_prefix=f"dsel-{kind}")
            for kind in get_args(Kind)
        }
        # The jobs that run or wait, in the order in which they were submitted.
        self._futures: dict[Job, Future[None]] = {}
        self._jobs = {job.folder.name: job for job in jobs_in([folder])}
        self.sweep()

    def start(self, task: Task, visitor: str = "") -> str:
        """Submit a task; return the token, which is the right to see and control the job.

        visitor: the remote visitor whose quotas the job counts for; "" is a local one, who has
        none. Raises `SettingError` if too many jobs wait, `QuotaError` for one too many, and
        `StorageError` if the disk is full.
        """
        with self._lock:
            self.sweep()
            self._check_room(task.kind, visitor)
        token, task = secrets.token_urlsafe(24), self.runner.fitted(task)
        job = Job(
            self._folder / _name(token), task, self._clock(), keep_s=self._keep_s, visitor=visitor
        )
        make_folder(job.folder)
        try:
            self._save(job)  # first: the record marks the folder as ours
            job.task = task.taken_into(job.folder)
            with self._lock:
                self._check_room(task.kind, visitor)
                self._jobs[job.folder.name] = job
                self._submit(job)
        except BaseException:
            shutil.rmtree(job.folder, ignore_errors=True)
            raise
        self._save(job)
        return token

    def report(self, token: str) -> JobReport:
        """Return the state of a job; raises `SettingError` for an unknown token."""
        with self._lock:
            return self._report(token, self._job(token))

    def knows(self, token: str) -> bool:
        """Return whether a job has this token."""
        with self._lock:
            return _name(token) in self._jobs

    def task(self, token: str) -> Task:
        """Return the task of a job."""
        with self._lock:
            return self._job(token).task

    def folder(self, token: str) -> Path:
        """Return the folder of a job."""
        with self._lock:
            return self._job(token).folder

    def cancel(self, token: str) -> None:
        """Stop a job: a waiting one at once, a running one after its present step."""
        with self._lock:
            job = self._job(token)
            self._stop(job, "cancelled")
        self._save(job)

    def resume(self, token: str) -> None:
        """Resume a job that failed, was cancelled, or was interrupted by the app's end."""
        with self._lock:
            job = self._job(token)
            if job.state == "done":
                raise SettingError("the job is done already")
            if job in self._futures and job.stop:
                raise SettingError("the job is still stopping: resume it in a moment")
            if not job.resumable:
                return
            self._check_waiting(job.task.kind)
            self._check_active(job.visitor)
            job.counter, job.context = ProgressCounter(job.counter.count), copy_context()
            job.state, job.stop, job.finished = "waiting", None, None
            job.error = job.quota = ""
            self._submit(job)
        self._save(job)

    def owner(self, token: str) -> str:
        """Return the remote visitor who started a job; "" for a local or an earlier one."""
        with self._lock:
            return self._job(token).visitor

    def rename(self, token: str, title: str) -> None:
        """Give a job another title."""
        with self._lock:
            job = self._job(token)
            job.task = replace(job.task, title=title)
        self._save(job)

    def remove(self, token: str) -> None:
        """Delete a job that has ended, with everything in its folder.

        Raises `SettingError` while it, or another job that reads its run, runs or waits.
        """
        with self._lock:
            job = self._job(token)
        with job.saving:  # a record that is being stored would make the folder again
            with self._lock:
                check_removable(self._job(token), self._futures)
                del self._jobs[job.folder.name]
                job.removed = True
            remove_folder(job.folder)

    def result(self, token: str) -> Path:
        """Return the run folder or the zip file of a finished job."""
        with self._lock:
            job = self._job(token)
            if job.state != "done":
                raise SettingError(f"the job has no result yet: it is {job.state}")
            return job.task.result(job.folder)

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Interrupt all jobs, so that they can be resumed when the app is started again.

        Waits for the present steps of running jobs. Returns whether all ended in time; a step that
        still runs delays the end of the process, unless it is ended with `os._exit`.
        """
        with self._lock:
            active = list(self._futures)
            for job in active:
                self._stop(job, "interrupted")
            running = dict(self._futures)
        for job in active:
            if job not in running:
                self._save(job)
        still_running = wait_for(running.values(), timeout_s).not_done
        for pool in self._pools.values():
            pool.shutdown(wait=False)
        return not still_running

    def sweep(self) -> None:
        """Remove the folders of jobs that ended long ago; only folders that we made.

        How long a job is kept is set when it starts, since another app may remove it.
        """
        with self._lock:
            for name, job in list(self._jobs.items()):
                ended = job.finished if job.state not in ACTIVE else None
                is_old = ended is not None and self._clock() - ended > job.keep_s
                if is_old and not self._is_read(job):
                    del self._jobs[name]
                    job.removed = True
                    remove_folder(job.folder)

    def _is_read(self, job: Job) -> bool:
        """Whether another job runs or waits that reads the run of this one; the lock is held."""
        try:
            check_removable(job, self._futures)
        except SettingError:
            return True
        return False

    def _job(self, token: str) -> Job:
        job = self._jobs.get(_name(token))
        if job is None:
            raise SettingError(
                "there is no such job: its token is incomplete, or the job was removed some time "
                "after its end"
            )
        return job

    def _report(self, token: str, job: Job) -> JobReport:
        count, now, runs = job.counter.count, time.monotonic(), job.state == "running"
        hide = PathsHidden(job.folder)
        return JobReport(
            token=token, kind=job.task.kind, title=job.task.title, state=job.state,
            place=self._place(job), stopping=job in self._futures and job.stop is not None,
            resumable=job.resumable,
            stage=count.stage, done=count.done, total=count.total, unit=count.unit,
            note=count.note,
            per_second=job.counter.per_second(now) if runs else None,
            left_s=job.counter.left_s(now) if runs else None,
            notices=tuple(map(hide.text, count.notices)),
            skipped=count.skipped, skips=count.skips,
            figures={key: hide.value(value) for key, value in count.figures.items()},
            error=hide.text(job.error), quota=job.quota,
            asked=job.asked, started=job.started, finished=job.finished, bytes=job.bytes,
        )  # fmt: skip

    def _active(self, kind: str) -> list[Job]:
        """Return the running and then the waiting jobs of a kind, in order."""
        return [job for job in self._futures if job.task.kind == kind]

    def _place(self, job: Job) -> int:
        active = self._active(job.task.kind)
        return max(active.index(job) + 1 - self._workers, 0) if job in active else 0

    def _check_waiting(self, kind: str) -> None:
        waiting = len(self._active(kind)) - self._workers
        if waiting >= self._most:
            raise SettingError(
                f"{waiting} jobs are waiting already, which is the limit: try again when one is "
                "done"
            )

    def _check_room(self, kind: str, visitor: str) -> None:
        """Raise an error if the visitor may not have one more job; the lock is held."""
        self._check_waiting(kind)
        self._check_active(visitor)
        jobs = self._jobs.values()
        self._quotas.check("jobs", [(job.visitor, 1) for job in jobs], visitor, 1)
        self._quotas.check("job_bytes", [(job.visitor, job.bytes) for job in jobs], visitor, 1)

    def _check_active(self, visitor: str) -> None:
        self._quotas.check("active", [(job.visitor, 1) for job in self._futures], visitor, 1)

    def _charge(self, folder: Path, evaluations: int) -> None:
        """Count the evaluations that a job takes, before it begins; raises `QuotaError`."""
        with self._lock:
            job = self._jobs[folder.name]
            others = [one for one in self._jobs.values() if one is not job]
            uses = [(one.visitor, one.evaluations) for one in others]
            self._quotas.check("evaluations", uses, job.visitor, evaluations)
            job.evaluations = evaluations

    def _submit(self, job: Job) -> None:
        """Let a worker run a job; the lock is held."""
        # Context variables identify the visitor, also in the worker's thread.
        pool = self._pools[job.task.kind]
        self._futures[job] = pool.submit(job.context.run, self._run, job)

    def _stop(self, job: Job, state: State) -> None:
        """End a waiting job, or let a running one stop after its present step."""
        future = self._futures.get(job)
        if future is not None and future.cancel():
            self._end(job, state)
        elif future is not None:
            job.stop = state

    def _run(self, job: Job) -> None:
        state: State = "failed"
        with self._lock:
            job.state, job.started = "running", self._clock()
        try:
            state = self._follow(job)
        except DselError as error:
            job.error, job.quota = str(error), str(error.fields.get("quota", ""))
        except Exception:
            log.exception("job %s failed", job.folder.name)
            job.error = BUG
        if job.stop == "interrupted" and state == "failed":
            # While the interpreter ends, no thread can be started: an error is no failure then.
            state, job.error = "interrupted", ""
        job.bytes = bytes_in(job.folder)
        with self._lock:
            self._end(job, state)
        self._save(job)

    def _follow(self, job: Job) -> State:
        """Run a job to its end, or until it is stopped; return its last state."""
        self._save(job)
        saved = time.monotonic()
        with closing(self.runner.events(job.task, job.folder)) as events:
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
        del self._futures[job]
        job.state, job.finished = state, self._clock()

    def _save(self, job: Job) -> None:
        with job.saving:
            with self._lock:
                kept = None if job.removed else record(job)
            if kept is not None:
                write_record(job.folder, kept)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:32]
