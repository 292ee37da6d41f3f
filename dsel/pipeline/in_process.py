"""The runner of one worker in this process: events come as they happen."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Self

from dsel.pipeline.background import BackgroundWriter
from dsel.pipeline.tasks import Finished, Work, collected
from dsel.pipeline.worker import ShardWorker
from dsel.runs import Run
from dsel.types import Event


class InProcess:
    """Runs tasks one after another; a shard is written while the next one is scored."""

    workers = 1

    def __init__(self, worker: ShardWorker) -> None:
        self._worker = worker

    @property
    def images(self) -> int:
        """Images scored."""
        return self._worker.images

    @property
    def calls(self) -> int:
        """Calls of the prior."""
        return self._worker.calls

    @property
    def seconds(self) -> float:
        """Seconds in these calls."""
        return self._worker.seconds

    def prepare(self) -> Generator[Event, None, Run]:
        """Create the run, or resume it."""
        return (yield from self._worker.prepare())

    def run(self, tasks: Sequence[Work]) -> Generator[Event, None, list[Any]]:
        """Run tasks; returns their results in order."""
        return (yield from collected(self.stream(tasks), len(tasks)))

    def stream(self, tasks: Sequence[Work]) -> Generator[Event | Finished, None, None]:
        """Run tasks; yields the end of each among the events."""
        with BackgroundWriter() as writer:
            for number, task in enumerate(tasks):
                result = yield from self._worker.work(task, writer)  # type: ignore[arg-type]
                yield Finished(number, result)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._worker.close()
