"""Score every image of a dataset into a run: a generator of events."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.config.overrides import KnownIds, check_known
from dsel.core.box_search import patch_size
from dsel.core.composing import check_image_px
from dsel.core.gap_maps import timestep_columns
from dsel.core.projection import Projection, project
from dsel.errors import DamageError
from dsel.pipeline.image_map import (
    Gathered,
    class_selector,
    fitted_map,
    is_current,
    stored_map,
)
from dsel.pipeline.in_process import InProcess
from dsel.pipeline.knowledge import figures_of, knowledge_notices, measure_knowledge
from dsel.pipeline.parts import locked_part, locked_run, part_name
from dsel.pipeline.rounds import further_rounds
from dsel.pipeline.scoring_checks import check_every_class, check_scores
from dsel.pipeline.scoring_loop import first_pass, named_pass
from dsel.pipeline.selector import DEFAULTS, Selector
from dsel.pipeline.tasks import BoxesTask, Runner
from dsel.pipeline.worker import ShardWorker
from dsel.runs import Identity, Run, made_again
from dsel.runs.copies import contradictions, note_of_contradictions
from dsel.runs.image_map import ImageMap, write_image_map
from dsel.runs.kept import remove_kept
from dsel.runs.rounds import Rounds
from dsel.runs.workers import remove_gone
from dsel.types import (
    Dataset,
    Done,
    Event,
    Geometry,
    Notice,
    Prior,
    Progress,
    Started,
)


def score(
    dataset: Dataset,
    prior: Prior,
    path: Path,
    settings: ScoreSettings,
    threads: int = 0,
    alike: bool = False,
) -> Iterator[Event]:
    """Score every image into the run at `path`, and resume a run that was interrupted.

    alike: whether all images are the same picture, one per class: it is scored under all names on
    the same noise, so that their gaps can be compared, without further draws.

    What is about to be scored is the first event, before any image is read. Raises `StorageError`
    while another process scores into the run, and `RunError` at the end if the scores cannot be
    used, or a class has none. `dsel.pipeline.launch` does the same with workers in other processes.
    threads: of torch in a new run, on a CPU; 0 leaves them as they are.

    Figures: images, skipped and evaluations (noised latents that the prior saw, all and the mean of
    an image) of the whole run;
    model_calls, images_per_s and model_share (of the wall time) of this call.
    """
    worker = ShardWorker(dataset, prior, path, settings, threads, alike=alike)  # rejects the unfit
    yield from locked_run(path, score_run(InProcess(worker), path, settings))


def score_run(runner: Runner, path: Path, settings: ScoreSettings) -> Iterator[Event]:
    """Score a whole run, which the caller has locked, with the workers of a runner."""
    with runner:
        run = yield from runner.prepare()
        alike = run.identity.alike
        began = time.perf_counter()
        passes = _named(run, runner) if alike else _passes(run, settings, runner)
        rounds = yield from passes
        seconds = time.perf_counter() - began
        run.finish(rounds)
        remove_kept(path)
        yield from runner.run([BoxesTask()])
        yield from fit_layouts(run)
    remove_gone(path)
    check_every_class(run)
    yield from knowledge_notices(run.knowledge, run.identity.classes)
    yield Done(
        "score",
        {
            "images": run.summary.scored,
            "skipped": run.summary.skipped,
            "evaluations": run.summary.evaluations,
            "evaluations_per_image": round(run.summary.evaluations_per_image, 1),
            **_speed(runner, seconds),
            **figures_of(run.knowledge),
            **({"names": len(run.identity.classes)} if alike else {}),
        },
    )


def _passes(run: Run, settings: ScoreSettings, runner: Runner) -> Generator[Event, None, Rounds]:
    yield from first_pass(run, runner)
    run.gather_images()
    if note := note_of_contradictions(contradictions(run.images.sharing_pixels())):
        yield Notice(note)
    check_scores(run)
    rounds = yield from further_rounds(run, runner)
    yield from measure_knowledge(run, settings, runner)
    return rounds


def _named(run: Run, runner: Runner) -> Generator[Event, None, Rounds]:
    yield from named_pass(run, runner)
    run.gather_images()
    check_scores(run)
    return ()


def score_part(runner: Runner, path: Path, part: tuple[int, int]) -> Iterator[Event]:
    """Score a part of the shards with the first draws, while other jobs score the other parts.

    Figures: part, its shards and images; model_calls, images_per_s and model_share as of `score`.
    """
    with locked_part(path, part) as preparing, runner:
        with preparing() as notice:
            if notice:
                yield Notice(notice)
            run = yield from runner.prepare()
        began = time.perf_counter()
        yield from first_pass(run, runner, part)
        speed = _speed(runner, time.perf_counter() - began)
    mine = range(part[0] - 1, run.identity.shards, part[1])
    images = sum(map(run.identity.images_in, mine))
    yield Notice(f"when all {part[1]} parts are done, dsel gather {path} completes the run")
    yield Done("score", {"part": part_name(part), "shards": len(mine), "images": images, **speed})


def _speed(runner: Runner, seconds: float) -> Mapping[str, float | int]:
    worked = bool(runner.images)
    share = runner.seconds / (seconds * runner.workers)
    return {
        "model_calls": runner.calls,
        "images_per_s": round(runner.images / seconds, 3) if worked else 0.0,
        "model_share": round(share, 4) if worked else 0.0,
    }


def refuse_unfit(
    dataset: Dataset,
    prior: Prior | Identity,
    score: ScoreSettings,
    select: SelectSettings,
    export: ExportSettings,
) -> None:
    """Raise `SettingError` for settings of later stages that will not fit, before scoring."""
    losses = np.ones(len(score.timesteps), np.float32)
    geometry = Geometry(score.timesteps, losses, prior.cell_px, prior.resolution_px)
    patch_size(select, geometry)
    timestep_columns(select.timesteps, score.timesteps)
    if select.overrides:
        known = dict.fromkeys(ref.id for ref in dataset.refs)
        check_known(KnownIds(known).respell(select.overrides), known)
    check_image_px(export.image_px or prior.resolution_px, select.factor)


def fit_layouts(run: Run) -> Iterator[Event]:
    """Project the images into the plane by the features of their default patches.

    Each class has a layout of its own, and all of them have one together, the map.
    """
    missing, notices = _missing_layouts(run)
    known, damage = stored_map(run)
    yield from (Notice(text) for text in (*notices, damage) if text)
    needs_map = run.summary.scored > 0 and not is_current(known)
    wanted = range(len(run.identity.classes)) if needs_map else missing
    if not wanted:
        return
    yield Started("layout", len(wanted), "classes")
    gathered, problems = Gathered(), []
    for index in wanted:
        selector = class_selector(run)
        if index in missing:
            problems.append(_fit_layout(run, selector, index))
        if needs_map:
            gathered.add(selector, index)
        yield Progress()
    if needs_map:
        yield Started("map", 1, "maps")
        problems.append(_fit_map(run, gathered, known))
        yield Progress()
    yield from _layout_notices(run, problems)


def _missing_layouts(run: Run) -> tuple[list[int], list[str]]:
    """Return the classes without a layout, and what is to be said of damaged ones."""
    missing, notices = [], []
    for index in range(len(run.identity.classes)):
        try:
            if run.read_layout(index) is None:
                missing.append(index)
        except DamageError as error:
            missing.append(index)
            notices.append(made_again(error))
    return missing, notices


def _fit_layout(run: Run, selector: Selector, class_index: int) -> str:
    """Fit and store the layout of a class; return why it is none of UMAP, empty if it is."""
    found = Projection(np.zeros((0, 2), np.float32))
    if selector.images(class_index).ids:
        located = selector.located(class_index, DEFAULTS)
        found = project(located.features, run.identity.settings.noise_seed)
    run.write_layout(class_index, found.positions)
    return found.problem


def _fit_map(run: Run, gathered: Gathered, known: ImageMap | None) -> str:
    """Fit and store the map; return why it is none of UMAP, empty if it is."""
    found = fitted_map(run, gathered, known)
    write_image_map(run, found)
    return found.problem


def _layout_notices(run: Run, problems: Sequence[str]) -> Iterator[Notice]:
    """Yield a notice of the first problem of UMAP."""
    for problem in filter(None, problems):
        yield Notice(
            f"UMAP cannot run here, so principal components lay out the images ({problem}); "
            f"to try again, remove {run.path / 'layouts'} and score again"
        )
        return
