"""What runs inside a worker's process: it opens dataset and prior, and answers task by task."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from dsel.config import PriorSettings, ScoreSettings, SourceSettings
from dsel.errors import DselError, first_line
from dsel.pipeline.background import BackgroundWriter
from dsel.pipeline.tasks import Task, Worker, WorkerRecipe
from dsel.pipeline.worker import ShardWorker
from dsel.types import Event, Progress


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a worker needs to score, wherever it runs: what to open, and the run to write.

    threads and part: see `ShardWorker`.
    """

    source: str
    source_settings: SourceSettings
    prior: PriorSettings
    path: Path
    settings: ScoreSettings
    threads: int = 0
    part: str = ""

    @property
    def device(self) -> str:
        """The device of the prior."""
        return self.prior.device

    def on(self, device: str) -> Self:
        """Return the same on another device."""
        return replace(self, prior=self.prior.replace(device=device))

    def with_threads(self, threads: int) -> Self:
        """Return the same with so many threads of torch; 0 leaves their number as it is."""
        return replace(self, threads=threads)

    def open(self) -> ShardWorker:
        """Open the dataset and load the prior."""
        from dsel.data import open_dataset
        from dsel.priors import load_prior

        dataset = open_dataset(self.source, self.source_settings)
        prior = load_prior(self.prior)
        return ShardWorker(dataset, prior, self.path, self.settings, self.threads, self.part)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a task ended: with its result, with an error to raise, or without memory.

    events: all but those of progress, of which `done` is the count. lost: why the task may succeed
    in a fresh process. bug: the traceback of an error that is none of dsel's. images, calls and
    seconds: see `Runner`.
    """

    result: Any = None
    events: tuple[Event, ...] = ()
    done: int = 0
    images: int = 0
    calls: int = 0
    seconds: float = 0.0
    error: DselError | None = None
    lost: str = ""
    bug: str = ""


@dataclass(slots=True)
class Server:
    """Answers tasks with one worker."""

    recipe: WorkerRecipe
    worker: Worker | None = None
    _before: tuple[int, int, float] = field(default=(0, 0, 0.0))

    def answer(self, task: Task) -> Answer:
        """Do a task; errors are part of the answer."""
        from dsel.priors.batching import is_out_of_memory

        try:
            return self._done(task)
        except DselError as error:
            cause = error.__cause__
            if cause is not None and is_out_of_memory(cause):
                return Answer(lost=str(error))
            return Answer(error=error)
        except Exception as error:  # noqa: BLE001  (the driver raises it)
            if is_out_of_memory(error):
                return Answer(lost=f"ran out of memory ({first_line(error)})")
            return Answer(bug=traceback.format_exc())

    def opened(self) -> Worker:
        """Return the worker; opens it if necessary."""
        if self.worker is None:
            self.worker = self.recipe.open()
        return self.worker

    def close(self) -> None:
        """Close the worker."""
        if self.worker is not None:
            self.worker.close()

    def _done(self, task: Task) -> Answer:
        events: list[Event] = []
        worker = self.opened()
        with BackgroundWriter() as writer:
            result, done = _collected(worker.work(task, writer), events)
        before = self._before
        self._before = worker.images, worker.calls, worker.seconds
        images, calls, seconds = (
            now - then for now, then in zip(self._before, before, strict=True)
        )
        return Answer(result, tuple(events), done, int(images), int(calls), float(seconds))


def _collected(work: Generator[Event, None, Any], events: list[Event]) -> tuple[Any, int]:
    """Run a task to its end; its events but those of progress are appended to `events`."""
    done = 0
    while True:
        try:
            event = next(work)
        except StopIteration as ended:
            return ended.value, done
        if isinstance(event, Progress):
            done += event.count
        else:
            events.append(event)


def serve(descriptor: int) -> None:
    """Answer the tasks that come through a connection, until it or the parent process ends."""
    from multiprocessing.connection import Connection

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, which ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Connection(descriptor) as connection:
        server = Server(connection.recv())
        try:
            with suppress(DselError):  # the answer to the first task has it
                server.opened()
            while (task := connection.recv()) is not None:
                connection.send(server.answer(task))
        except (EOFError, ConnectionError):
            pass  # the parent has ended
        finally:
            server.close()


def _end_with_parent() -> None:
    """End this process, whatever it is doing, as soon as nobody holds its standard input."""
    os.read(0, 1)  # not through sys.stdin, whose lock the end of Python waits for
    os._exit(1)
