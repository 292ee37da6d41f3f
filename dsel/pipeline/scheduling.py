"""Hands tasks to the workers of a pool; the ones whose worker died are tried again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Final, Protocol

from dsel.errors import RunError, shown
from dsel.pipeline.serving import Answer
from dsel.pipeline.tasks import Finished, PrepareTask, ShardTask, Task, Work, collected
from dsel.runs import Run, open_run
from dsel.runs.workers import FailedShard, list_workers, remove_failed, write_failed
from dsel.types import Event, Notice, Progress

TRIES: Final = 3
"""How often a task is tried before it is given up."""

POLL_S: Final = 1.0
"""How long to wait for the end of a task before the files of the workers are read."""


class Pool(Protocol):
    """Workers in other processes, each with at most one task; closing it ends them."""

    workers: int

    def open(self) -> None:
        """Start the workers; the run is locked by then."""

    def start(self, number: int, task: Task) -> bool:
        """Give a task, by its number, to a worker without one; False if there is none now."""

    def ended(self, timeout_s: float) -> Sequence[tuple[int, Answer]]:
        """Wait for the end of tasks; `Answer.lost` says why the worker of one has died."""

    def close(self) -> None:
        """End the workers."""


class WorkerBugError(RuntimeError):
    """An error in a worker that is none of dsel's; the text is its traceback."""


@dataclass(slots=True)
class _Shift:
    """Tasks that are being run, and how often each was tried.

    seen: the progress that was told of each task.
    """

    tasks: Sequence[Task]
    waiting: deque[int]
    running: set[int] = field(default_factory=set)
    tries: Counter[int] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)


class Pooled:
    """The runner of the workers of a pool."""

    def __init__(self, pool: Pool, path: Path) -> None:
        """path: of the folder in which workers say what they do."""
        self._pool, self._path = pool, path
        self.workers = 0
        self.images, self.calls, self.seconds = 0, 0, 0.0

    def prepare(self) -> Generator[Event, None, Run]:
        """Create the run, or resume it, and let one of the workers choose its backend."""
        yield from collected(self.stream([PrepareTask()]), 1)
        return open_run(self._path)

    def run(self, tasks: Sequence[Work]) -> Generator[Event, None, list[Any]]:
        """Run tasks; returns their results in order. Raises `RunError` like `stream`."""
        return (yield from collected(self.stream(tasks), len(tasks)))

    def stream(self, tasks: Sequence[Task]) -> Generator[Event | Finished, None, None]:
        """Run tasks; yields the end of each among the events.

        Raises `RunError` once all others are done if some could not be; fields: path, failed.
        """
        assert self.workers, "tasks are run in the context of their runner"
        shift = _Shift(tasks, deque(range(len(tasks))))
        while shift.waiting or shift.running:
            self._start(shift)
            for number, answer in self._pool.ended(POLL_S):
                shift.running.discard(number)
                yield from self._take(shift, number, answer)
            yield from _progress(shift, self._path)
        if shift.failed:
            raise self._failure(shift)

    def __enter__(self) -> Pooled:
        try:
            self._pool.open()
        except BaseException:  # some of the workers may have been started
            self._pool.close()
            raise
        self.workers = self._pool.workers
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._pool.close()

    def _start(self, shift: _Shift) -> None:
        while shift.waiting and self._pool.start(shift.waiting[0], shift.tasks[shift.waiting[0]]):
            number = shift.waiting.popleft()
            shift.running.add(number)
            task = shift.tasks[number]
            if isinstance(task, ShardTask):
                remove_failed(self._path, task.round, task.shard)

    def _take(self, shift: _Shift, number: int, answer: Answer) -> Iterator[Event | Finished]:
        """Take the end of a task; raises what ends the whole job."""
        if answer.error is not None:
            raise answer.error
        if answer.bug:
            raise WorkerBugError(answer.bug)
        if answer.lost:
            yield from self._again(shift, number, answer.lost)
            return
        self.images += answer.images
        self.calls += answer.calls
        self.seconds += answer.seconds
        yield from answer.events
        if answer.done > shift.seen[number]:
            yield Progress(answer.done - shift.seen[number])
        yield Finished(number, answer.result)

    def _again(self, shift: _Shift, number: int, reason: str) -> Iterator[Event]:
        """Try a task again whose worker died, or give it up."""
        shift.tries[number] += 1
        task, tries = shift.tasks[number], shift.tries[number]
        if tries < TRIES:
            shift.waiting.append(number)
            yield Notice(f"{task.label} is tried again, because {reason}")
            return
        shift.failed[number] = reason
        if isinstance(task, ShardTask):
            write_failed(self._path, FailedShard(task.round, task.shard, tries, reason, time()))
        yield Notice(f"{task.label} failed {tries} times: {reason}")

    def _failure(self, shift: _Shift) -> RunError:
        names = [shift.tasks[number].label for number in sorted(shift.failed)]
        reasons = Counter(shift.failed.values()).most_common()
        why = "; ".join(reason for reason, _ in reasons[:3])
        left = len(shift.tasks) - len(shift.failed)
        return RunError(
            f"{', '.join(shown(names))} of {self._path} failed {TRIES} times, because {why}; the "
            f"{left} others are done; run the same command again to try the rest",
            path=str(self._path),
            failed=[shift.tasks[number].shard for number in sorted(shift.failed)],
        )


def _progress(shift: _Shift, path: Path) -> Iterator[Event]:
    """Yield what the files of the workers say of the tasks that are running."""
    done: Mapping[tuple[str, int, int], int] = {
        (state.stage, state.round, state.shard): state.done for state in list_workers(path)
    }
    for number in shift.running:
        task = shift.tasks[number]
        now = done.get((task.stage, task.round, task.shard), 0)
        if now > shift.seen[number]:
            yield Progress(now - shift.seen[number])
            shift.seen[number] = now
