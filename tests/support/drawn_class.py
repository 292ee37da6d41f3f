"""Scores of one class on drawn gap maps: noise, with one bright square in each image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dsel.core.gap_maps import image_bucket
from dsel.types import Box, Bucket, ClassScores, ClassSelection, Frame, Geometry

PX, CELL_PX, CELLS = 64, 8, 8


GEOMETRY = Geometry((200, 500), np.array([1.0, 2.0], np.float32), CELL_PX, PX)


SHAPES = ((CELLS, CELLS), (CELLS, 2 * CELLS), (CELLS, CELLS + 3), (CELLS + 2, CELLS))


def class_scores(
    n: int, seed: int = 0, identical: bool = False, shapes: tuple[tuple[int, int], ...] = SHAPES[:1]
) -> ClassScores:
    """Gap maps of noise with one bright square of 4 x 4 cells; features of three kinds.

    The images have the shapes in turn.
    """
    rng = np.random.default_rng(seed)
    turns = [shapes[i % len(shapes)] for i in range(n)]
    maps = [rng.normal(size=(2, *shape)) * 0.05 for shape in turns]
    for one, (rows, columns) in zip(maps, turns, strict=True):
        x, y = rng.integers(0, columns - 3), rng.integers(0, rows - 3)
        one[:, y : y + 4, x : x + 4] += rng.uniform(1, 2)
    features = rng.normal(size=(n, 4, 4, 6)) * 0.1
    features += np.eye(6)[rng.integers(0, 3, n)][:, None, None, :] * 5
    if identical:
        features = np.ones_like(features)
    return ClassScores(
        name="cat", index=2,
        ids=tuple(f"cat/{i}" for i in range(n)),
        frames=tuple(frame(*shape) for shape in turns),
        buckets=tuple(bucket_of(maps, turns, shape) for shape in sorted(set(turns))),
        features=features.astype(np.float16),
        refined=np.zeros(n, bool),
    )  # fmt: skip


def frame(rows: int, columns: int) -> Frame:
    """What a proxy of so many cells shows at half the scale, 10 px from the left of its source."""
    width, height = columns * CELL_PX, rows * CELL_PX
    return Frame(2 * width + 22, 2 * height, Box(10, 0, 2 * width, 2 * height), width, height)


def bucket_of(
    maps: list[np.ndarray], turns: list[tuple[int, int]], shape: tuple[int, int]
) -> Bucket:
    rows = [n for n, other in enumerate(turns) if other == shape]
    gap = np.stack([maps[row] for row in rows]).astype(np.float16)
    rng = np.random.default_rng(len(rows))
    noise = (rng.normal(size=gap.shape) * 0.05).astype(np.float16)
    difference = np.abs(gap) + np.float16(0.01) * rng.random(gap.shape).astype(np.float16)
    return Bucket(
        np.array(rows), gap - np.float16(1), gap, difference, noise, noise / np.float16(10)
    )


def squares(n: int) -> tuple[ClassScores, Bucket]:
    """The scores of a class of squares, and the one bucket that holds them."""
    scores = class_scores(n)
    (bucket,) = scores.buckets
    return scores, bucket


def with_gap(scores: ClassScores, gap: np.ndarray) -> ClassScores:
    return replace(scores, buckets=(replace(scores.buckets[0], gap=gap),))


def alone(scores: ClassScores, row: int) -> ClassScores:
    """The class as if it had this image only."""
    bucket = image_bucket(scores, row)
    one = slice(row, row + 1)
    return replace(
        scores, ids=scores.ids[one], frames=scores.frames[one], features=scores.features[one],
        buckets=(replace(bucket, rows=np.array([0])),),
    )  # fmt: skip


def plain(found: ClassSelection) -> str:
    """All of a selection in words: a margin that is NaN equals no other one."""
    return repr(found)
