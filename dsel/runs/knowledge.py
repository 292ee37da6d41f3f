"""What the prior knows of a run's classes: how often an image fits its own name better than others.

knowledge.json  plan: images and other names per class, timesteps, draws, and the evaluations that
                they took; reason: one_class or too_few if nothing was measured; run: figures of
                all images; classes: those of each class, in order
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from dsel.errors import RunError
from dsel.files import json_bytes, read_json, write_atomically

Reason: TypeAlias = Literal["", "one_class", "too_few"]
"""Why it is unknown: no other names to compare with, or too few images for the evaluations."""

KNOWLEDGE: Final = "knowledge.json"

NEAR_CHANCE: Final = 0.6
"""Below this AUC a prior does not tell a class from others: 0.5 is chance, 1 is always right."""

FEWEST_PAIRS: Final = 6
"""Pairs without which an AUC near chance may well be chance."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How a prior tells the right label of some images from wrong ones.

    A pair is an image and another class's name; it is right if the image's own name gives the
    lower loss. auc: the share of right pairs. standard_error: of it, from the differences between
    images. Both are None where they are unknown.
    """

    images: int
    pairs: int
    auc: float | None
    standard_error: float | None

    @property
    def is_near_chance(self) -> bool:
        """Whether the prior does not tell these images' labels from others."""
        return self.auc is not None and self.pairs >= FEWEST_PAIRS and self.auc < NEAR_CHANCE


@dataclass(frozen=True, slots=True)
class KnowledgePlan:
    """What is measured: images per class, other names per image, and the evaluations it takes."""

    images: int
    names: int
    timesteps: tuple[int, ...]
    draws: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the prior knows of the whole run and of each class, in order.

    plan is None where nothing was measured, and reason says why.
    """

    plan: KnowledgePlan | None
    reason: Reason
    run: Measured
    classes: tuple[Measured, ...]


def measured(wins: Sequence[Sequence[bool]]) -> Measured:
    """Return the figures of images, of which `wins` has a value per pair."""
    shares = np.array([np.mean(of_image) for of_image in wins], float)
    pairs = sum(map(len, wins))
    if not pairs:
        return Measured(len(wins), 0, None, None)
    error = float(shares.std(ddof=1) / math.sqrt(len(shares))) if len(shares) > 1 else None
    return Measured(len(wins), pairs, sum(map(sum, wins)) / pairs, error)


def write_knowledge(path: Path, knowledge: Knowledge) -> None:
    """Store it in the run at `path`."""
    write_atomically(path / KNOWLEDGE, json_bytes(asdict(knowledge)))


def read_knowledge(path: Path) -> Knowledge | None:
    """Read it from the run at `path`; None where it was not asked for.

    Raises `RunError` for a damaged file.
    """
    file = path / KNOWLEDGE
    if not file.is_file():
        return None
    record = read_json(file)
    try:
        return _knowledge(record)
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{file} is damaged: delete it and run dsel score again", path=str(path)
        ) from error


def _knowledge(record: Mapping[str, Any]) -> Knowledge:
    plan = record["plan"]
    if plan is not None:
        plan = KnowledgePlan(**{**plan, "timesteps": tuple(plan["timesteps"])})
    classes = tuple(Measured(**one) for one in record["classes"])
    return Knowledge(plan, record["reason"], Measured(**record["run"]), classes)
