"""What baselines are given and what they return: the candidates of one class, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.types import Pixels

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

Boxes: TypeAlias = Doubles
"""Square boxes (M, 3): x, y and side in proxy pixels; x and y are the top left corner."""

Confidence: TypeAlias = Callable[[Ints, Boxes], Doubles]
"""(rows (M,) of a pool's images, a box of each (M, 3)) -> how sure a teacher is of the class there,
(M,), as log odds (see `log_odds`)."""

Need: TypeAlias = Literal["teacher", "objects"]
"""What a baseline needs beside images and scores: a classifier, or the true objects."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The N images of one class that may be chosen, and their P candidate patches.

    image: (P,) the row of each patch's image, 0 to N - 1; patches of one image are next to each
    other, best first. ranking_score: (P,), what dsel ranks by. features: (N, d), the means of the
    stored feature grids over the whole picture. width_px, height_px: (N,) of the proxies. k: the
    number of clusters. seed: of all randomness, together with the name of the class.
    confidence: of a teacher. object_share: (N,) share of the picture that its largest true object
    covers, NaN if unknown.
    """

    name: str
    image: Ints
    ranking_score: Doubles
    features: Floats
    width_px: Doubles
    height_px: Doubles
    patch_px: float
    k: int
    seed: int = 0
    confidence: Confidence | None = None
    object_share: Doubles | None = None

    def generator(self) -> np.random.Generator:
        """Return a new generator that depends on the seed and the name of the class alone."""
        digest = hashlib.sha256(f"{self.seed}/{self.name}".encode()).digest()
        return np.random.default_rng(list(digest[:16]))


@dataclass(frozen=True, slots=True)
class Choice:
    """All P patches of a class in the order in which a baseline keeps them; a head serves an IPC.

    positions: (P,) a permutation of the pool's patches. boxes: (P, 3), in the order of `positions`,
    where the baseline places its own boxes; without them the located ones are kept. cut: what is
    exported around a box, for baselines whose definition says so; None is the cut of the settings.
    """

    positions: Ints
    boxes: Boxes | None = None
    cut: Literal["patch", "whole"] | None = None


def by_image(images: Ints, pool: Pool) -> Ints:
    """Return the positions of all patches, given the order (N,) of their images.

    Each image's best patch comes first, then each image's second one, and so on.
    """
    rank = np.empty(len(images), np.int64)
    rank[images] = np.arange(len(images))
    return np.lexsort((rank[pool.image], nth_of_image(pool)))


def nth_of_image(pool: Pool) -> Ints:
    """Count the earlier patches of the same image: rows (3, 5, 5, 5) -> (0, 0, 1, 2)."""
    return np.arange(len(pool.image)) - np.searchsorted(pool.image, pool.image)


def centred_boxes(pool: Pool, side_px: float | Doubles) -> Boxes:
    """Return a box in the middle of each image, (N, 3)."""
    side = np.broadcast_to(np.asarray(side_px, float), pool.width_px.shape)
    return np.stack([(pool.width_px - side) / 2, (pool.height_px - side) / 2, side], axis=1)


def whole_boxes(pool: Pool) -> Boxes:
    """Return the largest square in the middle of each image, (N, 3)."""
    return centred_boxes(pool, np.minimum(pool.width_px, pool.height_px))


def random_boxes(rng: np.random.Generator, rows: Ints, side_px: Doubles, pool: Pool) -> Boxes:
    """Place a box of each given side (M,) anywhere in its image, at whole pixels: (M, 3)."""
    free = np.stack([pool.width_px[rows], pool.height_px[rows]], axis=1) - side_px[:, None] + 1
    corners = np.floor(rng.random((len(rows), 2)) * free)
    return np.column_stack([corners, side_px])


def log_odds(probabilities: Floats, class_index: int) -> Doubles:
    """Return log(p / (1 - p)) of one class's probabilities, (M, C) -> (M,).

    It orders them as p and as the cross-entropy -log p do. 1 - p is the sum of the other classes,
    so that probabilities which round to 1 still differ.
    """
    tiny = float(np.finfo(np.float32).tiny)
    others = np.delete(probabilities, class_index, axis=1).sum(axis=1, dtype=np.float64)
    own = probabilities[:, class_index].astype(np.float64)
    odds: Doubles = np.log(np.maximum(own, tiny)) - np.log(np.maximum(others, tiny))
    return odds


class Teacher(Protocol):
    """A classifier whose classes are those of a dataset, in its order."""

    @property
    def fingerprint(self) -> str:
        """A name of the model and of its inputs."""

    @property
    def image_px(self) -> int:
        """The side of the images that it sees."""

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """Return class probabilities (N, C) of images (N, image_px, image_px, 3)."""
