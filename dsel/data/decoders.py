"""Threads that read images ahead; one that hangs is given up, and another takes its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

PATIENCE_S: Final = 1.0
"""How long closing waits for a thread that is still reading."""


class TooSlow(Exception):  # noqa: N818  (the caller makes it the reason of a skipped image)
    """A call took longer than the limit."""


@dataclass(slots=True)
class Job(Generic[T]):
    """A call that is waiting or running; began: when it began, on the monotonic clock."""

    call: Callable[..., T]
    arguments: tuple[Any, ...]
    future: Future[T] = field(default_factory=Future)
    began: float | None = None

    def run(self) -> None:
        """Make the call."""
        self.began = time.monotonic()
        try:
            self.future.set_result(self.call(*self.arguments))
        except BaseException as error:  # noqa: BLE001  (whoever waits raises it)
            self.future.set_exception(error)


class Decoders:
    """A number of threads that make calls in the order in which they are submitted.

    Nothing can end a thread that hangs inside a library. So it is left alone, and since these are
    daemon threads, it does not keep the process alive either.
    """

    def __init__(self, threads: int, limit_s: float) -> None:
        self._limit_s = limit_s
        self._queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        for _ in range(threads):
            self._start()

    def submit(self, call: Callable[..., T], *arguments: Any) -> Job[T]:
        """Make a call as soon as a thread is free."""
        job = Job(call, arguments)
        self._queue.put(job)
        return job

    def result(self, job: Job[T]) -> T:
        """Wait for a call; raises `TooSlow` if it has been running for longer than the limit."""
        while True:
            left = self._left_s(job)
            if left <= 0:
                self._start()
                raise TooSlow
            try:
                return job.future.result(left)
            except TimeoutError:
                if job.future.done():  # the call itself raised it, or ended just now
                    return job.future.result()
                if job.began is None:  # hanging calls that nobody waits for hold all threads
                    self._start()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Drop the calls that have not begun, and let the threads end."""
        while True:
            try:
                self._queue.get_nowait()
            except Empty:
                break
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _left_s(self, job: Job[Any]) -> float:
        if job.future.done() or job.began is None:
            return self._limit_s
        return job.began + self._limit_s - time.monotonic()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="dsel-decoder", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            job.run()
