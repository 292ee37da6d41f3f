"""Jobs in tests: a prior that waits, and the end of a job."""

from __future__ import annotations

import threading
from typing import Any

from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.reports import JobReport
from support.toyset import toy_prior

WAIT_S = 240  # a ceiling for busy machines: tests go on as soon as the state is reached


class Gate:
    """A prior that waits before each call of its model, after so many calls, until it is opened."""

    def __init__(self, calls: int | None = None) -> None:
        self.inner: Any = toy_prior()
        self.calls = calls
        self.reached, self.open = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def predict(self, *arguments: Any, **more: Any) -> Any:
        if self.calls == 0:
            self.reached.set()
            assert self.open.wait(WAIT_S)
        elif self.calls is not None:
            self.calls -= 1
        return self.inner.predict(*arguments, **more)


def wait(jobs: Jobs, token: str) -> JobReport:
    """The report of a job that has ended."""
    with jobs._lock:
        future = jobs._futures.get(jobs._job(token))
    if future:
        future.result(WAIT_S)
    report = jobs.report(token)
    assert report.state not in ("waiting", "running")
    return report
