"""What the prior knows of a run's classes: how well it tells images of each from those of others.

knowledge.json  plan: images per class, classes compared with each other, timesteps, draws, the
                evaluations that they took, and the number of files with maps in knowledge/ (see
                `dsel.runs.name_maps`); reason: one_class or too_few if nothing was measured; run:
                figures of all images; classes: those of each class, in order
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import with_config

from dsel.files import STORED, read_record, record_bytes, write_atomically
from dsel.runs import remedies

Reason: TypeAlias = Literal["", "one_class", "too_few"]
"""Why it is unknown: no other names to compare with, or too few images for the evaluations."""

KNOWLEDGE: Final = "knowledge.json"

NEAR_CHANCE: Final = 0.7
"""Below this AUC a prior does not tell a class from others: 0.5 is chance, 1 is always right.

Other differences between the images of two classes, such as their colours, give a prior that knows
neither up to about this much: CIFAR-10 photographs under names of toys reach 0.66.
"""

FEWEST_IMAGES: Final = 2
FEWEST_PAIRS: Final = 8
"""With fewer of either, an AUC near chance may well be chance."""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Measured:
    """How well a prior tells images of a class from those of other classes.

    A pair is an image of the class and one of another. It is right if naming the class instead of
    the other one lowers the loss of the first image by more than that of the second, so that a
    name that suits any image does not count. auc: the share of right pairs. standard_error: of it,
    over images. Both are None where they are unknown.
    """

    images: int
    pairs: int
    auc: float | None
    standard_error: float | None

    @property
    def is_near_chance(self) -> bool:
        """Whether the prior does not tell these images from others."""
        enough = self.images >= FEWEST_IMAGES and self.pairs >= FEWEST_PAIRS
        return self.auc is not None and enough and self.auc < NEAR_CHANCE


UNKNOWN: Final = Measured(0, 0, None, None)


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class KnowledgePlan:
    """What is measured: images per class, classes per group, and the evaluations it takes.

    maps: the files with maps under the names of each group, see `dsel.runs.name_maps`; 0 without.
    """

    images: int
    group: int
    timesteps: tuple[int, ...]
    draws: int
    evaluations: int
    maps: int = 0


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the prior knows of the whole run and of each class, in order.

    plan is None where nothing was measured, and reason says why.
    """

    plan: KnowledgePlan | None
    reason: Reason
    run: Measured
    classes: tuple[Measured, ...]


def write_knowledge(path: Path, knowledge: Knowledge) -> None:
    """Store it in the run at `path`."""
    write_atomically(path / KNOWLEDGE, record_bytes(asdict(knowledge)))


def read_knowledge(path: Path) -> Knowledge | None:
    """Read it from the run at `path`; None where it was not asked for.

    Raises `DamageError` for a damaged file.
    """
    file = path / KNOWLEDGE
    return read_record(file, Knowledge, remedies.SCORE) if file.exists() else None
