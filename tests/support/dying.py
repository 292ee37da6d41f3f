"""Students whose worker dies while it trains them, as often as a file says."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsel.pipeline.student_worker import StudentRecipe, StudentWorker
from dsel.pipeline.tasks import StudentTask
from dsel.types import Event, Progress


@dataclass(frozen=True)
class DyingRecipe(StudentRecipe):
    """Opens workers that die while they train student 1 of the evaluated set.

    deaths: a file with the number of times that are left.
    """

    deaths: Path = Path()

    def open(self) -> StudentWorker:
        worker = super().open()
        begun = worker.begun

        def dying(task: Any, threads: int) -> Generator[Event, None, Any]:
            events = begun(task, threads)
            doomed = isinstance(task, StudentTask) and task.seed == 1 and task.wanted.name == "dsel"
            return _killed(events, self.deaths) if doomed else events

        worker.begun = dying  # type: ignore[method-assign]
        return worker


def _killed(events: Generator[Event, None, Any], deaths: Path) -> Generator[Event, None, Any]:
    """Pass events on; kill this process in the middle if that is left to do."""
    left = int(deaths.read_text())
    while True:
        try:
            event = next(events)
        except StopIteration as ended:
            return ended.value
        if isinstance(event, Progress) and left:
            deaths.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        yield event
