"""Workers as actors of a Ray cluster, one per device.

Ray places the actors, starts those again that died, and adds nodes for those that wait for one.
Which shard is tried again is decided here, as with processes of one machine: an actor of a node
that is gone would keep its shard until there is another node, while other actors are idle.

Tasks and answers are small: images are read, and shards written, where they are scored.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from dsel.config import LaunchSettings
from dsel.errors import RunError, SettingError, first_line, optional_library
from dsel.pipeline.serving import Answer, Server
from dsel.pipeline.tasks import Task, WorkerRecipe
from dsel.runs.workers import remove_gone

STORE_BYTES: Final = 100_000_000
"""Memory of the object store of a Ray that is started here: nothing large is in it."""

CHECK_S: Final = 5.0
"""How often the nodes of the cluster are looked at."""


class Actor:
    """What runs in the process of an actor."""

    def __init__(self, recipe: WorkerRecipe) -> None:
        self._server = Server(recipe)

    def answer(self, task: Task) -> Answer:
        """Do a task."""
        return self._server.answer(task)

    def ready(self) -> None:
        """Answer once there is a process."""


@dataclass(slots=True)
class _Worker:
    """An actor; awaited: the answer that it owes, and to which task, None for `ready`."""

    actor: Any
    awaited: Any
    number: int | None = None


class RayPool:
    """As many actors as the settings say, or as the cluster has GPUs, or else processors."""

    def __init__(self, recipe: WorkerRecipe, launch: LaunchSettings) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with optional_library("ray", extra="ray", use="--on ray"):
            import ray
        self._ray, self._recipe = ray, recipe
        self._starts_ray = not ray.is_initialized()
        if self._starts_ray:
            _connect(ray, launch)
        gpus = int(ray.cluster_resources().get("GPU", 0))
        on_gpu = bool(gpus) and recipe.device in ("auto", "cuda")
        threads = launch.threads or 1
        cpus = int(ray.cluster_resources().get("CPU", 1))
        self.workers = launch.workers or (gpus if on_gpu else max(1, cpus // threads))
        kind = ray.remote(Actor).options(
            num_gpus=1 if on_gpu else 0, num_cpus=threads, max_restarts=-1, max_task_retries=0
        )
        told = recipe.with_threads(launch.threads or (0 if on_gpu else threads))
        actors = [kind.remote(told) for _ in range(self.workers)]
        self._workers = [_Worker(actor, actor.ready.remote()) for actor in actors]
        self._checked = time.monotonic()

    def start(self, number: int, task: Task) -> bool:
        """Give a task to an actor that is there and has none; False if there is none now."""
        for worker in self._workers:
            if worker.awaited is None:
                worker.number = number
                worker.awaited = worker.actor.answer.remote(task)
                return True
        return False

    def ended(self, timeout_s: float) -> list[tuple[int, Answer]]:
        """Wait for the end of tasks."""
        awaited = [worker.awaited for worker in self._workers if worker.awaited is not None]
        done, _ = self._ray.wait(awaited, num_returns=1, timeout=timeout_s) if awaited else ([], [])
        self._check_nodes()
        found = []
        for worker in self._workers:
            if worker.awaited in done:
                number, answer = worker.number, self._received(worker)
                if number is not None:
                    found.append((number, answer))
        return found

    def close(self) -> None:
        """End the actors, and Ray if it was started here."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        if self._starts_ray:
            self._ray.shutdown()
        remove_gone(self._recipe.path)

    def _check_nodes(self) -> None:
        """Raise `RunError` if all nodes are gone: actors would wait for one for ever."""
        now = time.monotonic()
        if now - self._checked < CHECK_S:
            return
        self._checked = now
        if not any(node["Alive"] for node in self._ray.nodes()):
            raise RunError(
                f"all nodes of Ray are gone that worked on {self._recipe.path}: run the same "
                "command again, which resumes",
                path=str(self._recipe.path),
            )

    def _received(self, worker: _Worker) -> Answer:
        """Take what an actor answers; one that has died, or lacks memory, is started again."""
        errors = self._ray.exceptions
        answer, worker.number = Answer(), None
        try:
            answer = self._ray.get(worker.awaited) or Answer()
            worker.awaited = None
        except (errors.RayActorError, errors.OutOfMemoryError) as error:
            answer = Answer(lost=f"its worker died ({first_line(error)})")
        if answer.lost:
            if worker.awaited is None:
                self._ray.kill(worker.actor, no_restart=False)
            worker.awaited = worker.actor.ready.remote()
        return answer


def _connect(ray: Any, launch: LaunchSettings) -> None:
    """Connect to a cluster, or start Ray on this machine, for this job alone."""
    how: dict[str, Any] = {"address": launch.address or None}
    if not launch.address and not os.environ.get("RAY_ADDRESS"):
        # Ray listens on all interfaces, whatever it is told, but since 2.60 it asks for a token.
        cpus = {"num_cpus": launch.workers * (launch.threads or 1)} if launch.workers else {}
        how = {"address": "local", "include_dashboard": False, **cpus}
        how["object_store_memory"] = STORE_BYTES
    with _kept_signals():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **how)
        except (ConnectionError, ValueError, RuntimeError) as error:
            what = f"no Ray cluster is reached at {launch.address}"
            raise SettingError(
                f"{what if launch.address else 'Ray does not start here'} ({first_line(error)}): "
                "give the address of a cluster with --address",
                setting="address",
            ) from error


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Put back what SIGTERM did before, which Ray changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
