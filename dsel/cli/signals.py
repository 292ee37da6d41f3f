"""SIGTERM as an exception, so that a command that is told to end cleans up as after Ctrl+C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Ended:
    """How a command was told to end: by SIGTERM, as of `kill` and of schedulers, or by Ctrl+C."""

    by_sigterm: bool = False

    @property
    def code(self) -> int:
        """The exit code, 128 and the number of the signal."""
        return 128 + (signal.SIGTERM if self.by_sigterm else signal.SIGINT)

    @property
    def word(self) -> str:
        """What happened, for the line that is printed."""
        return "terminated" if self.by_sigterm else "interrupted"


@contextmanager
def raised_signals() -> Iterator[Ended]:
    """Raise `KeyboardInterrupt` at SIGTERM too, and note it; only the main thread can."""
    ended = Ended()

    def end(_number: int, _frame: Any) -> None:
        ended.by_sigterm = True
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield ended
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield ended
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
