"""Score and train with workers in this process, in others of this machine, or on a Ray cluster.

Whoever does the work, the results are the same: the launchers differ in where `ShardWorker` and
`StudentWorker` run, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dsel.config import (
    LaunchSettings,
    PlaceSettings,
    PriorSettings,
    ScoreSettings,
    SourceSettings,
)
from dsel.errors import RunError, SettingError, shown
from dsel.pipeline.in_process import InProcess
from dsel.pipeline.parts import locked_run, part_name
from dsel.pipeline.score import score_part, score_run
from dsel.pipeline.serving import Recipe
from dsel.pipeline.tasks import Runner, TaskRunner, WorkerRecipe
from dsel.runs import Run, open_run
from dsel.runs.workers import list_failed
from dsel.types import Event

if TYPE_CHECKING:
    from dsel.pipeline.held_out import HeldOut
    from dsel.pipeline.scheduling import Pooled
    from dsel.pipeline.training_sets import TrainingSets


def score_on(recipe: Recipe, launch: LaunchSettings) -> Iterator[Event]:
    """Score a run, or a part of its shards, where the settings say; see `dsel.pipeline.score`.

    Only the workers open the dataset and load the prior.
    """
    part = launch.part
    recipe = replace(recipe, part="" if part is None else part_name(part))
    runner = runner_of(recipe, launch)
    if part is not None:
        yield from score_part(runner, recipe.path, part)
    else:
        yield from locked_run(recipe.path, score_run(runner, recipe.path, recipe.settings))


def gather(
    path: Path, settings: ScoreSettings, launch: LaunchSettings, device: str = "auto"
) -> Iterator[Event]:
    """Complete a run whose shards were scored in parts: further draws, tables and layouts.

    settings: of which those are used that change the speed alone, or what is measured; the others
    are in the run. Dataset and prior are opened again as the run says. Raises `RunError` for a run
    that lacks shards; fields: path, missing.
    """
    run = open_run(path)
    check_all_scored(run)
    recipe = recipe_of(run, settings, device)
    runner = runner_of(recipe, launch)
    yield from locked_run(path, score_run(runner, path, recipe.settings))


def check_all_scored(run: Run) -> None:
    """Raise `RunError` for a run that lacks shards; fields: path, missing."""
    finished = set(run.finished_shards())
    missing = [number for number in range(run.identity.shards) if number not in finished]
    if not missing:
        return
    failed = {one.shard: one.reason for one in list_failed(run.path) if not one.round}
    why = "".join(f"; shard {n} failed: {failed[n]}" for n in missing if n in failed)
    raise RunError(
        f"{run.path} lacks {len(missing)} of {run.identity.shards} shards: "
        f"{', '.join(shown(list(map(str, missing))))}{why}; run the jobs of the array again, which "
        "score only what is missing",
        path=str(run.path),
        missing=missing,
    )


def recipe_of(run: Run, settings: ScoreSettings, device: str) -> Recipe:
    """Return how to open the dataset and the prior of a run again, and its settings.

    settings: those that name no result are taken from these.
    """
    from dsel.config.base import result_settings

    identity = run.identity
    origin = dict(identity.dataset_origin)
    source = str(origin.pop("source"))
    prior = {**identity.prior_origin, "device": device}
    return Recipe(
        source,
        SourceSettings.from_plain(origin),
        PriorSettings.from_plain(prior),
        run.path,
        settings.replace(**result_settings(identity.settings)),
    )


def runner_of(recipe: Recipe, launch: LaunchSettings) -> Runner:
    """Return who scores as the settings ask; it is a context that ends its workers."""
    if is_here(recipe.device, launch):
        return InProcess(replace(recipe, threads=launch.threads).open())
    return _pooled(recipe, launch)


def students_on(
    sets: TrainingSets, held_out: HeldOut, threads: int, place: PlaceSettings
) -> TaskRunner:
    """Return who trains students of these sets as the settings ask.

    threads: of all students together in this process, or of each worker; 0 are all that there are.
    """
    from dsel.pipeline.student_worker import StudentRecipe, StudentsHere, StudentWorker

    launch = LaunchSettings(**place.plain(), threads=threads)
    if is_here("auto", launch):
        return StudentsHere(StudentWorker(sets, held_out), threads)
    of = sets.subject
    subject = replace(of, folder=of.folder.resolve(), dataset_origin=dict(of.dataset_origin))
    return _pooled(StudentRecipe(sets.recipe, subject, held_out.source), launch)


def is_here(device: str, launch: LaunchSettings) -> bool:
    """Whether this process works itself."""
    return launch.on == "local" and not local_devices(device, launch.workers)


def local_devices(device: str, workers: int) -> Sequence[str]:
    """Return the device of each worker process of this machine; none to score in this process."""
    visible = _cuda_devices() if device in ("auto", "cuda") else ()
    if workers == 0:
        return visible if len(visible) > 1 else ()
    if len(visible) < 2:
        return (device,) * workers
    if workers > len(visible):
        raise SettingError(
            f"workers must be at most {len(visible)}, one per CUDA device, got {workers}; to share "
            "one, name it with --device",
            setting="workers",
        )
    return visible[:workers]


def _cuda_devices() -> tuple[str, ...]:
    import torch

    return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))


def _threads_each(launch: LaunchSettings, devices: Sequence[str]) -> int:
    """Return the threads of each worker: those of this process are divided among them."""
    from dsel.priors.threads import thread_count

    if launch.threads or devices[0].startswith("cuda"):
        return launch.threads
    return max(1, thread_count() // len(devices))


def _pooled(recipe: WorkerRecipe, launch: LaunchSettings) -> Pooled:
    from dsel.pipeline.scheduling import Pooled

    if launch.on == "ray":
        from dsel.pipeline.ray_pool import RayPool

        return Pooled(RayPool(recipe, launch), recipe.path)
    from dsel.pipeline.local_pool import LocalPool

    devices = local_devices(recipe.device, launch.workers)
    told = recipe.with_threads(_threads_each(launch, devices))
    return Pooled(LocalPool(told, devices), recipe.path)
