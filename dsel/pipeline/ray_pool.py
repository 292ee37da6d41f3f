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
from contextlib import contextmanager, suppress
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

TRIES: Final = 3
"""How often an actor is started again in a row, before the job ends."""

WHY_CHARS: Final = 300
"""Of the end of Ray's message, which is the error itself."""


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
    """An actor; awaited: the answer that it owes, and to which task, None for `ready`.

    deaths: how often it has died since it was last ready.
    """

    actor: Any
    awaited: Any
    number: int | None = None
    deaths: int = 0


class RayPool:
    """As many actors as the settings say, or as the cluster has GPUs, or else processors."""

    def __init__(self, recipe: WorkerRecipe, launch: LaunchSettings) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with optional_library("ray", extra="ray", use="--on ray"):
            import ray
        self._ray, self._recipe, self._launch = ray, recipe, launch
        self.workers, self._starts_ray = 0, False
        self._workers: list[_Worker] = []
        self._checked = time.monotonic()

    def open(self) -> None:
        """Connect to Ray, or start it, and start the actors."""
        ray, recipe, launch = self._ray, self._recipe, self._launch
        if not ray.is_initialized():
            self._starts_ray = True
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
        self._workers += [_Worker(actor, actor.ready.remote()) for actor in actors]

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
        found = []
        with self._one_line():
            done = self._ray.wait(awaited, timeout=timeout_s)[0] if awaited else []
            self._check_nodes()
            for worker in self._workers:
                if worker.awaited in done:
                    number, answer = worker.number, self._received(worker)
                    if number is not None:
                        found.append((number, answer))
        return found

    def close(self) -> None:
        """End the actors, and Ray if it was started here."""
        with suppress(self._ray.exceptions.RayError):  # the cluster may be gone
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
            raise self._gone("all its nodes are dead")

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn an error of Ray itself, which is gone then, into a `RunError`."""
        try:
            yield
        except self._ray.exceptions.RayError as error:
            raise self._gone(first_line(error)) from error

    def _gone(self, why: str) -> RunError:
        path = self._recipe.path
        return RunError(
            f"Ray is gone that worked on {path} ({why}): run the same command again, which resumes",
            path=str(path),
        )

    def _check_starts(self, worker: _Worker, error: Exception) -> None:
        """Raise `RunError` for an actor that dies again and again before it is ready."""
        worker.deaths += isinstance(error, self._ray.exceptions.ActorDiedError)
        if worker.deaths > TRIES:
            why = error.__cause__ or error
            raise RunError(
                f"workers do not start on Ray ({' '.join(str(why).split())[-WHY_CHARS:]}): install "
                "the same version of dsel, with its extras, on all nodes",
                path=str(self._recipe.path),
            ) from error

    def _received(self, worker: _Worker) -> Answer:
        """Take what an actor answers; one that has died, or lacks memory, is started again."""
        errors = self._ray.exceptions
        dead = errors.RayActorError, errors.NodeDiedError, errors.ObjectLostError
        answer, worker.number = Answer(), None
        try:
            answer = self._ray.get(worker.awaited) or Answer()
            worker.awaited, worker.deaths = None, 0
        except (*dead, errors.OutOfMemoryError) as error:
            answer = Answer(lost=f"its worker died ({first_line(error)})")
            self._check_starts(worker, error)
        if answer.lost:
            if worker.awaited is None:
                self._ray.kill(worker.actor, no_restart=False)
            worker.awaited = worker.actor.ready.remote()
        return answer


def _connect(ray: Any, launch: LaunchSettings) -> None:
    """Connect to a cluster, or start Ray on this machine, for this job alone."""
    how: dict[str, Any] = {"address": launch.address or None}
    if not launch.address and not os.environ.get("RAY_ADDRESS"):
        cpus = {"num_cpus": launch.workers * (launch.threads or 1)} if launch.workers else {}
        how = {"address": "local", "include_dashboard": False, **cpus}
        how["object_store_memory"] = STORE_BYTES
    with _kept_signals(), _on_loopback(ray, is_wanted=how["address"] == "local"):
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **how)
        except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            what = f"no Ray cluster is reached at {launch.address}"
            raise SettingError(
                f"{what if launch.address else 'Ray does not start here'} ({first_line(error)}): "
                "give the address of a cluster with --address",
                setting="address",
            ) from error


@contextmanager
def _on_loopback(ray: Any, is_wanted: bool) -> Iterator[None]:
    """Let a Ray that is started here listen on this machine alone.

    It takes the address by which other machines reach this one, and listens on all interfaces,
    unless clusters are switched off, as they are on Windows and macOS. Ray reads the variable for
    that only when it is imported.
    """
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = before and not is_wanted
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


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
