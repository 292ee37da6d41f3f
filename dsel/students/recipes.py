"""How students are trained: presets of published protocols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dsel.config.evaluate import EvaluateSettings
from dsel.config.training import Precision


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train a student.

    AdamW with a linear warm-up over `warmup` (a share of the steps), then half a cosine to 0.
    crop_area: the range of a random-resized crop's area, as a share of the image. temperature: of
    the teacher's labels; 1 for class labels. cutmix: the share of the batches that are mixed.
    soft: whether a teacher's probabilities are the targets. precision: the number format of
    activations.
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    warmup: float
    crop_area: tuple[float, float]
    flip: bool
    cutmix: float
    soft: bool
    temperature: float
    precision: Precision = "auto"


HARD: Final = Recipe(
    learning_rate=1e-3,
    weight_decay=0.01,
    batch_size=50,
    warmup=0.1,
    crop_area=(0.5, 1.0),
    flip=True,
    cutmix=0.0,
    soft=False,
    temperature=1.0,
)
"""Class labels, with the optimizer, crops, flips and batches of 50 of RDED (arXiv 2312.03526).

The values are those of its released code at 10 images of each of 10 classes. It trains for 300
epochs; the warm-up, and a cosine that ends at 0, are there because 300 steps are few.
"""

SOFT: Final = replace(HARD, cutmix=1.0, soft=True, temperature=20.0)
"""A teacher's labels as in RDED: the divergence at temperature 20, and CutMix.

RDED asks the teacher about each mixed crop. Here its labels were stored before: of random crops
where there are any (fast knowledge distillation, arXiv 2112.01528), else of whole images, and
mixed by area (arXiv 1905.04899).
"""

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType({"hard": HARD, "soft": SOFT})

LEARNING_RATES: Final[Mapping[str, float]] = MappingProxyType(
    {"mobilenet-v2": 2.5e-3, "efficientnet-b0": 2e-3, "vit-small": 1e-4}
)
"""Peak learning rates of the students that need another one (RDED's released code)."""


def recipe_of(settings: EvaluateSettings) -> Recipe:
    """Return the recipe that the settings name, with their batch size and learning rate."""
    recipe = RECIPES[settings.recipe]
    rate = LEARNING_RATES.get(settings.student, recipe.learning_rate)
    return replace(
        recipe,
        learning_rate=settings.learning_rate or rate,
        batch_size=settings.batch_size or recipe.batch_size,
        precision=settings.precision,
    )
