"""A teacher whose answers follow from the brightness of what it sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class BrightnessTeacher:
    """The brighter an image, the surer it is of the first class; it counts its images."""

    fingerprint = "bright"
    image_px = 8

    def __init__(self, classes: int = 2) -> None:
        self.classes = classes
        self.seen = 0

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert images.shape[1:] == (8, 8, 3)
        self.seen += len(images)
        first = images.mean(axis=(1, 2, 3)) / 255
        others = (1 - first)[:, None].repeat(self.classes - 1, axis=1) / (self.classes - 1)
        return np.column_stack([first, others]).astype(np.float32)
