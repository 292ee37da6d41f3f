"""A thread that writes files while the next images are scored."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class BackgroundWriter:
    """Makes one call at a time in a thread; its errors are raised by the next call or at the end.

    The caller waits for the previous call before it submits the next one, so that at most one
    result is waiting in memory.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[Any] | None = None

    def __enter__(self) -> BackgroundWriter:
        return self

    def submit(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Start this call once the previous one has succeeded."""
        self._wait()
        self._pending = self._pool.submit(call, *arguments)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.shutdown()
        if error is None:
            self._wait()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
