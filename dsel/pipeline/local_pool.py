"""Workers as processes of this machine, one per device; one that dies is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Final

from dsel.errors import SettingError
from dsel.pipeline.serving import Answer
from dsel.pipeline.tasks import Task, WorkerRecipe
from dsel.runs.workers import remove_gone

COMMAND: Final = (
    "import sys; sys.path[:] = {path!r}; from dsel.pipeline.serving import serve; serve({number})"
)
PATIENCE_S: Final = 5.0
"""How long a worker that is told to end may take, before it is killed."""


@dataclass(slots=True)
class _Process:
    """A worker's process; number: that of its task, None without one."""

    device: str
    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]
    number: int | None = None


class LocalPool:
    """As many processes as `devices`; each loads its own model."""

    def __init__(self, recipe: WorkerRecipe, devices: Sequence[str]) -> None:
        if os.name == "nt":
            raise SettingError("workers must be 0 on Windows", setting="workers")
        self._recipe, self._devices = recipe, devices
        self.workers = len(devices)
        self._processes: list[_Process] = []

    def open(self) -> None:
        """Start the workers."""
        for device in self._devices:
            self._processes.append(self._started(device))

    def start(self, number: int, task: Task) -> bool:
        """Give a task to a worker without one; False if there is none now."""
        for at, worker in enumerate(self._processes):
            if worker.number is None:
                with suppress(OSError):  # it has died without a task
                    worker.connection.send(task)
                    worker.number = number
                    return True
                _end(worker)
                self._processes[at] = self._started(worker.device)
        return False

    def ended(self, timeout_s: float) -> list[tuple[int, Answer]]:
        """Wait for the end of tasks."""
        busy = {
            worker.connection: at
            for at, worker in enumerate(self._processes)
            if worker.number is not None
        }
        found = []
        for connection in wait(list(busy), timeout_s):
            at = busy[connection]  # type: ignore[index]
            worker = self._processes[at]
            number, worker.number = worker.number, None
            answer = _received(worker)
            if answer.lost:
                _end(worker)
                remove_gone(self._recipe.path)
                self._processes[at] = self._started(worker.device)
            found.append((number or 0, answer))
        return found

    def close(self) -> None:
        """End the workers; one that is busy is not waited for."""
        for worker in self._processes:
            if worker.number is None:
                with suppress(OSError):
                    worker.connection.send(None)
            else:
                worker.process.kill()
        for worker in self._processes:
            _end(worker)
        remove_gone(self._recipe.path)

    def _started(self, device: str) -> _Process:
        here, there = Pipe()
        with there:
            command = COMMAND.format(path=sys.path, number=there.fileno())
            process = subprocess.Popen(
                [sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
            )  # fmt: skip
        worker = _Process(device, process, here)
        with suppress(OSError):  # whoever gives it a task finds out
            here.send(self._recipe.on(device))
        return worker


def _received(worker: _Process) -> Answer:
    """Receive an answer; that of a worker which has died says how."""
    try:
        answer: Answer = worker.connection.recv()
    except (EOFError, OSError):
        return Answer(lost=_death(worker.process))
    return answer


def _death(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        return "its worker closed its connection"
    if code == -signal.SIGKILL:
        return "its worker was killed, perhaps because memory ran out"
    if code < 0:
        return f"its worker died of {signal.Signals(-code).name}"
    return f"its worker ended with code {code}"


def _end(worker: _Process) -> None:
    worker.connection.close()
    try:
        worker.process.wait(PATIENCE_S if worker.number is None else 0)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    if worker.process.stdin is not None:
        worker.process.stdin.close()
