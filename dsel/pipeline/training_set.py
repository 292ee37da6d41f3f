"""A composed set that students are trained on, and what is known of it without its pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsel.students.records import LabelledImages


@dataclass(frozen=True, slots=True)
class SetFacts:
    """A composed set without its pixels: a name of them, the budget, and the students' side.

    images: distilled images of all classes. training_images: what students see of them. shortfalls:
    as in `TrainingSet`.
    """

    fingerprint: str
    images: int
    training_images: int
    image_px: int
    student_px: int
    shortfalls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Images at the students' size, and the budget that they came from.

    per_class: distilled images of each class. image_px: their side. shortfalls: a sentence for each
    class with fewer images than IPC.
    """

    images: LabelledImages
    per_class: tuple[int, ...]
    image_px: int
    shortfalls: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all pixels and labels."""
        labelled, crops = self.images, self.images.crops
        parts: list[NDArray[Any] | None] = [labelled.images, labelled.labels, labelled.soft]
        if crops is not None:
            parts += [crops.probabilities, crops.boxes, crops.flips]
        digest = hashlib.sha256()
        for part in parts:
            if part is not None:
                digest.update(f"{part.shape}{part.dtype}".encode())
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    @property
    def facts(self) -> SetFacts:
        """All but the pixels."""
        shown = self.images.images
        return SetFacts(
            self.fingerprint, sum(self.per_class), len(shown), self.image_px, shown.shape[1],
            self.shortfalls,
        )  # fmt: skip
