"""Measure what the prior knows: images of each class under its name and under others."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import ScoreSettings
from dsel.core.gap_maps import image_losses
from dsel.core.label_auc import LabelAuc, label_aucs, overall_auc
from dsel.errors import DamageError, shown
from dsel.pipeline.score_shard import ScoringInputs
from dsel.pipeline.tasks import KnowledgeTask, Runner
from dsel.runs import Run, made_again
from dsel.runs.knowledge import (
    UNKNOWN,
    Knowledge,
    KnowledgePlan,
    Measured,
    Reason,
    read_knowledge,
    write_knowledge,
)
from dsel.runs.name_maps import check_name_maps, write_name_maps
from dsel.types import Event, ImageRef, Notice, Progress, Score, Started

Losses: TypeAlias = NDArray[np.float64]

SHARE: Final = 0.05
"""Evaluations that measuring may take, as a share of those of scoring."""

PREFERRED: Final = (200, 500)
"""The scored timesteps nearest to these are used: together they tell labels apart the best."""

DRAWS: Final = 2
"""Draws per timestep, the first ones: with antithetic noise, a pair."""

OPTIONS: Final = (
    (32, 10), (16, 10), (8, 10), (8, 6), (8, 4), (4, 6), (4, 4), (4, 3), (3, 3), (4, 2), (3, 2),
    (2, 2), (1, 3), (1, 2),
)  # fmt: skip
"""Images per class and classes per group, the best first; the first that fits is taken."""

FULL: Final = OPTIONS[1]
"""What is measured on request, whatever it takes, with maps."""

WITH_MAPS: Final = OPTIONS[:3]
"""Where one of these fits at all timesteps, with the null prompt, maps are stored too."""

REASONS: Final[Mapping[Reason, str]] = MappingProxyType({
    "one_class": "the run has one class only, and no other names to compare its name with",
    "too_few": "the run has too few images to measure it with 5 % of the evaluations; dsel score "
    "with --knowledge full measures it nevertheless",
})  # fmt: skip


def measure_knowledge(run: Run, settings: ScoreSettings, runner: Runner) -> Iterator[Event]:
    """Measure how well the prior tells the classes apart, and store it in the run.

    settings: those of this call, whose request may differ from that of an earlier one. What an
    earlier call has measured as well or better is kept.
    """
    if settings.knowledge == "off":
        return
    by_class = _scored(run)
    stored = yield from _stored(run)
    plan = plan_knowledge(settings, list(map(len, by_class)))
    if stored is not None and not _exceeds(plan, stored.plan):
        if (yield from _has_its_maps(run, stored.plan)):
            return
        plan = stored.plan
    if plan is None:
        reason: Reason = "too_few" if sum(map(bool, by_class)) > 1 else "one_class"
        nothing = tuple(UNKNOWN for _ in by_class)
        write_knowledge(run.path, Knowledge(None, reason, UNKNOWN, nothing))
        return
    seed = settings.noise_seed
    chosen = [[ref.id for ref in chosen_images(refs, plan.images, seed)] for refs in by_class]
    yield Started("knowledge", sum(map(len, chosen)), "images")
    groups = groups_of(list(map(len, by_class)), plan.group, seed)
    tasks = [
        KnowledgeTask(number, plan, {index: chosen[index] for index in group})
        for number, group in enumerate(groups)
    ]
    found: dict[int, LabelAuc] = {}
    for of_group in (yield from runner.run(tasks)):
        found |= of_group
    classes = tuple(
        _measured(found[index]) if index in found else UNKNOWN for index in range(len(by_class))
    )
    ordered = [found[index] for group in groups for index in group]
    write_knowledge(run.path, Knowledge(plan, "", _overall(ordered), classes))


def measure_group(
    inputs: ScoringInputs, task: KnowledgeTask
) -> Generator[Event, None, dict[int, LabelAuc]]:
    """Return how well the prior tells each class of a group from the others."""
    group = list(task.images)
    wanted = {image_id for ids in task.images.values() for image_id in ids}
    by_id = {ref.id: ref for ref in inputs.refs if ref.id in wanted}
    refs = [by_id[image_id] for ids in task.images.values() for image_id in ids]
    losses: dict[int, list[Losses]] = {index: [] for index in group}
    scores: dict[str, list[Score]] = {}
    for ref, one, maps in _named(inputs, task.plan, refs, group):
        losses[ref.class_index].append(one)
        if maps:
            scores[ref.id] = maps
        yield Progress()
    if task.plan.maps:
        write_name_maps(inputs.run, task.plan, task.shard, group, scores)
    arrays = [np.array(losses[index]).reshape(-1, len(group)) for index in group]
    return dict(zip(group, label_aucs(arrays), strict=True))


def _stored(run: Run) -> Generator[Event, None, Knowledge | None]:
    """Return what the run has; a damaged file is made again, with a notice."""
    try:
        return read_knowledge(run.path)
    except DamageError as error:
        yield Notice(made_again(error))
        return None


def _has_its_maps(run: Run, plan: KnowledgePlan | None) -> Generator[Event, None, bool]:
    """Whether the maps that were measured are there; a notice says what is made again."""
    if plan is None:
        return True
    try:
        for number in range(plan.maps):
            check_name_maps(run, plan, number)
    except DamageError as error:
        yield Notice(made_again(error))
        return False
    return True


def plan_knowledge(settings: ScoreSettings, counts: Sequence[int]) -> KnowledgePlan | None:
    """Return what to measure of classes with so many scored images; None if it is impossible."""
    if sum(map(bool, counts)) < 2:
        return None
    draws, full = min(DRAWS, len(settings.first)), settings.knowledge == "full"
    limit = SHARE * 2 * len(settings.timesteps) * len(settings.first) * sum(counts)
    options = [(FULL, True)] if full else [(one, True) for one in WITH_MAPS]
    for (images, size), maps in (*options, *((one, False) for one in OPTIONS)):
        groups = groups_of(counts, size, settings.noise_seed)
        timesteps = settings.timesteps if maps else _nearest(settings.timesteps)
        rows = sum(
            (len(group) + maps) * min(images, counts[index]) for group in groups for index in group
        )
        evaluations = rows * draws * len(timesteps)
        if full or evaluations <= limit:
            files = len(groups) if maps else 0
            return KnowledgePlan(images, size, timesteps, draws, evaluations, files)
    return None


def groups_of(counts: Sequence[int], size: int, seed: int) -> list[list[int]]:
    """Split the classes that have images into groups of `size`, some larger if it does not fit."""
    classes = [index for index, count in enumerate(counts) if count]
    mixed = sorted(classes, key=lambda index: _rank(seed, "class", str(index)))
    count = max(1, len(mixed) // size)
    return [sorted(mixed[start::count]) for start in range(count)]


def chosen_images(refs: Sequence[ImageRef], most: int, seed: int) -> list[ImageRef]:
    """Choose images of a class by the seed and their ids, whatever their order."""
    return sorted(refs, key=lambda ref: _rank(seed, "image", ref.id))[:most]


def knowledge_notices(knowledge: Knowledge | None, classes: Sequence[str]) -> Iterator[Notice]:
    """Yield which classes are near chance, where a user should know."""
    if knowledge is None:
        return
    if knowledge.run.is_near_chance:
        yield Notice(
            f"this prior does not tell these classes from each other (AUC {knowledge.run.auc:.2f}, "
            "chance is 0.50): its scores mean little"
        )
        return
    of_classes = zip(classes, knowledge.classes, strict=True)
    near = [f"{name} ({one.auc:.2f})" for name, one in of_classes if one.is_near_chance]
    if near:
        yield Notice(
            f"this prior does not tell {', '.join(shown(near))} from other classes (AUC, chance is "
            "0.50): its scores there mean little"
        )


def figures_of(knowledge: Knowledge | None) -> Mapping[str, float | int | str]:
    """Return the figures that a score stage reports; nothing where they were not asked for."""
    if knowledge is None:
        return {}
    found = knowledge.run
    if found.auc is None:
        return {"knowledge_auc": f"unknown, because {REASONS[knowledge.reason]}"}
    error = {} if found.standard_error is None else {"knowledge_error": found.standard_error}
    figures = {"knowledge_auc": found.auc, **error}
    return {k: round(v, 4) for k, v in figures.items()} | {"knowledge_pairs": found.pairs}


def _scored(run: Run) -> list[list[ImageRef]]:
    """Return the scored images of each class."""
    classes = range(len(run.identity.classes))
    return [[ImageRef(id_, index) for id_ in run.class_rows(index).ids] for index in classes]


def _named(
    inputs: ScoringInputs, plan: KnowledgePlan, refs: Sequence[ImageRef], group: Sequence[int]
) -> Iterator[tuple[ImageRef, Losses, list[Score]]]:
    """Yield each image's losses under the names of a group (K,), as shares of their mean.

    With maps, its scores under these names follow.
    """
    draws, columns = range(plan.draws), [plan.timesteps.index(t) for t in _nearest(plan.timesteps)]
    for ref, image in zip(refs, inputs.prefetcher.read(refs), strict=True):
        if isinstance(image, str):  # it has become unreadable
            continue
        pixels, maps = image.proxy.pixels, []
        if plan.maps:
            scores = inputs.scorer.name_maps(ref, pixels, group, draws)
            maps = [score for score in scores if score is not None]
            if len(maps) < len(group):  # not finite
                continue
            found = np.array([image_losses(one.conditional[None])[0, columns] for one in maps])
        else:
            found = inputs.scorer.label_losses(ref, pixels, group, plan.timesteps, draws)  # (K, T)
        losses = found.astype(np.float64)
        yield ref, (losses / losses.mean(axis=0)).mean(axis=1), maps


def _measured(found: LabelAuc) -> Measured:
    return Measured(len(found.shares), found.pairs, _known(found.auc), _known(found.standard_error))


def _overall(classes: Sequence[LabelAuc]) -> Measured:
    auc, error = overall_auc(classes)
    images, pairs = sum(len(one.shares) for one in classes), sum(one.pairs for one in classes)
    return Measured(images, pairs // 2, _known(auc), _known(error))  # each pair is in two classes


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _exceeds(wanted: KnowledgePlan | None, stored: KnowledgePlan | None) -> bool:
    """Return whether a plan measures more than what is stored."""
    return wanted is not None and (stored is None or wanted.evaluations > stored.evaluations)


def _nearest(timesteps: Sequence[int]) -> tuple[int, ...]:
    nearest = (min(timesteps, key=lambda t: (abs(t - wanted), t)) for wanted in PREFERRED)
    return tuple(sorted(set(nearest)))


def _rank(seed: int, what: str, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{what}\0{key}".encode(), digest_size=8).digest()
