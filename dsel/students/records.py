"""What goes into the training of students, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.students.label_file import CropLabels

Images: TypeAlias = NDArray[np.uint8]
"""Images (N, px, px, 3), sRGB, 0 to 255."""


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """N square images and their class indices (N,).

    soft: (N, C) float16, a teacher's probabilities; None without a teacher. crops: the same for
    random crops of each image, where they are stored.
    """

    images: Images
    labels: NDArray[np.int64]
    soft: NDArray[np.float16] | None = None
    crops: CropLabels | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The test accuracies of one student, in 0 to 1.

    last: after the last step. best: the highest of `curve`, which holds the accuracies at the
    steps in `steps`, the last step included. per_class: (C,) those of `last` on the test images of
    each class, None for a class without any.
    """

    seed: int
    last: float
    best: float
    steps: tuple[int, ...]
    curve: tuple[float, ...]
    per_class: tuple[float | None, ...] = ()
