"""Measure what the prior knows: images of each class under their own and under other names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from dsel.config import ScoreSettings
from dsel.errors import shown
from dsel.pipeline.scoring_loop import ScoringInputs
from dsel.runs.knowledge import (
    Knowledge,
    KnowledgePlan,
    Reason,
    measured,
    read_knowledge,
    write_knowledge,
)
from dsel.types import Event, ImageRef, Notice, Progress, Started

SHARE: Final = 0.05
"""Evaluations that measuring may take, as a share of those of scoring."""

PREFERRED: Final = (200, 500)
"""The scored timesteps nearest to these are used: together they tell labels apart the best."""

DRAWS: Final = 2
"""Draws per timestep, the first ones: with antithetic noise, a pair."""

OPTIONS: Final = (
    (32, 9), (16, 9), (8, 9), (8, 5), (8, 3), (4, 5), (4, 3), (4, 2), (3, 2), (3, 1), (2, 1),
    (1, 2), (1, 1),
)  # fmt: skip
"""Images per class and other names per image, the best first; the first that fits is taken."""

FULL: Final = OPTIONS[1]
"""What is measured on request, whatever it takes."""

REASONS: Final[Mapping[Reason, str]] = MappingProxyType({
    "one_class": "the run has one class only, and no other names to compare its name with",
    "too_few": "the run has too few images to measure it with 5 % of the evaluations; dsel score "
    "with --knowledge full measures it nevertheless",
})  # fmt: skip


def measure_knowledge(inputs: ScoringInputs, settings: ScoreSettings) -> Iterator[Event]:
    """Measure what the prior knows of each class, and store it in the run.

    settings: those of this call, whose request may differ from that of an earlier one. What an
    earlier call has measured as well or better is kept.
    """
    run = inputs.run
    scored = {row.id for row in run.images if row.row >= 0}
    by_class: list[list[ImageRef]] = [[] for _ in run.identity.classes]
    for ref in inputs.refs:
        if ref.id in scored:
            by_class[ref.class_index].append(ref)
    stored = read_knowledge(run.path)
    plan = plan_knowledge(settings, [len(refs) for refs in by_class])
    if settings.knowledge == "off" or (stored is not None and not _exceeds(plan, stored.plan)):
        return
    if plan is None:
        nothing = tuple(measured(()) for _ in by_class)
        reason: Reason = "too_few" if sum(map(bool, by_class)) > 1 else "one_class"
        write_knowledge(run.path, Knowledge(None, reason, measured(()), nothing))
        return
    seed = settings.noise_seed
    chosen = [chosen_images(refs, plan.images, seed) for refs in by_class]
    others = [other_classes(index, by_class, plan.names, seed) for index in range(len(by_class))]
    yield Started("knowledge", sum(map(len, chosen)), "images")
    wins: list[list[list[bool]]] = [[] for _ in by_class]
    for ref, of_image in _compared(inputs, plan, [ref for refs in chosen for ref in refs], others):
        wins[ref.class_index].append(of_image)
        yield Progress()
    overall = measured([of_image for of_class in wins for of_image in of_class])
    write_knowledge(run.path, Knowledge(plan, "", overall, tuple(map(measured, wins))))


def plan_knowledge(settings: ScoreSettings, counts: Sequence[int]) -> KnowledgePlan | None:
    """Return what to measure of classes with so many scored images; None if it is impossible."""
    classes = sum(map(bool, counts))
    draws = min(DRAWS, len(settings.first))
    timesteps = _nearest(settings.timesteps)
    rows = draws * len(timesteps)
    limit = SHARE * 2 * len(settings.timesteps) * len(settings.first) * sum(counts)
    full = settings.knowledge == "full"
    for images, most in (FULL,) if full else OPTIONS:
        names = min(most, classes - 1)
        evaluations = rows * (1 + names) * sum(min(images, count) for count in counts)
        if names > 0 and (full or evaluations <= limit):
            return KnowledgePlan(images, names, timesteps, draws, evaluations)
    return None


def chosen_images(refs: Sequence[ImageRef], most: int, seed: int) -> list[ImageRef]:
    """Choose images of a class by the seed and their ids, whatever their order."""
    return sorted(refs, key=lambda ref: _rank(seed, "image", ref.id))[:most]


def other_classes(
    index: int, by_class: Sequence[Sequence[ImageRef]], most: int, seed: int
) -> list[int]:
    """Choose other classes with images, by the seed and their numbers."""
    others = [other for other, refs in enumerate(by_class) if refs and other != index]
    return sorted(others, key=lambda other: _rank(seed, "class", f"{index} {other}"))[:most]


def _compared(
    inputs: ScoringInputs,
    plan: KnowledgePlan,
    refs: Sequence[ImageRef],
    others: Sequence[Sequence[int]],
) -> Iterator[tuple[ImageRef, list[bool]]]:
    """Yield for each image whether its own name has a lower loss than each of the others."""
    draws = range(plan.draws)
    for ref, image in zip(refs, inputs.prefetcher.read(refs), strict=True):
        if isinstance(image, str):  # it has become unreadable
            continue
        classes = [ref.class_index, *others[ref.class_index]]
        losses = inputs.scorer.label_losses(
            ref, image.proxy.pixels, classes, plan.timesteps, draws
        ).astype(np.float64)  # (K, T)
        more = ((losses[1:] - losses[0]) / losses[0]).mean(axis=1)
        yield ref, [bool(one > 0) for one in more]


def _exceeds(wanted: KnowledgePlan | None, stored: KnowledgePlan | None) -> bool:
    """Return whether a plan measures more than what is stored."""
    return wanted is not None and (stored is None or wanted.evaluations > stored.evaluations)


def _nearest(timesteps: Sequence[int]) -> tuple[int, ...]:
    nearest = (min(timesteps, key=lambda t: (abs(t - wanted), t)) for wanted in PREFERRED)
    return tuple(sorted(set(nearest)))


def _rank(seed: int, what: str, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{what}\0{key}".encode(), digest_size=8).digest()


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
