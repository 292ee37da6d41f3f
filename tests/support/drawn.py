"""Scores of one class out of given gap maps, and selections out of given patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dsel.types import Box, Bucket, ClassScores, ClassSelection, Frame, Geometry, Patch

CELL_PX = 8


def geometry(timesteps: tuple[int, ...], losses: ArrayLike, resolution_px: int) -> Geometry:
    return Geometry(timesteps, np.array(losses, np.float32), CELL_PX, resolution_px)


def scores_of(gaps: Sequence[ArrayLike], conditional: float = 1.0, seed: int = 0) -> ClassScores:
    """A class of images of these gaps, (T, h, w) each; sources are twice as large, 10 px inside.

    The conditional loss is the same everywhere; features are noise.
    """
    maps = [np.asarray(gap, np.float16) for gap in gaps]
    shapes = sorted({gap.shape for gap in maps})
    rng = np.random.default_rng(seed)
    return ClassScores(
        name="cat", index=0,
        ids=tuple(f"cat/{n}" for n in range(len(maps))),
        frames=tuple(frame_of(*gap.shape[1:]) for gap in maps),
        buckets=tuple(_bucket(maps, shape, conditional) for shape in shapes),
        features=rng.normal(size=(len(maps), 2, 2, 5)).astype(np.float16),
        refined=np.zeros(len(maps), bool),
    )  # fmt: skip


def frame_of(rows: int, columns: int) -> Frame:
    width, height = columns * CELL_PX, rows * CELL_PX
    return Frame(2 * width + 20, 2 * height, Box(10, 0, 2 * width, 2 * height), width, height)


def _bucket(maps: list[np.ndarray], shape: tuple[int, ...], conditional: float) -> Bucket:
    rows = [n for n, gap in enumerate(maps) if gap.shape == shape]
    gap = np.stack([maps[row] for row in rows])
    nothing = np.zeros_like(gap)
    losses = np.full_like(gap, conditional)
    return Bucket(np.array(rows), losses, gap, np.abs(gap), nothing, nothing)


def patch_of(
    image_id: str, rank: int, cluster: int = 0, score: float = 0.1, margin: float = 0.05,
    x: float = 0, y: float = 0, side: float = 16, distance: float = 0.0, cut: Box | None = None,
) -> Patch:  # fmt: skip
    """A patch whose source is as large as its proxy, and whose cut is itself unless given."""
    box = Box(float(x), float(y), float(side), float(side))
    explanation = score, 0.02, score, 0.01, margin, cluster, distance, rank
    return Patch(image_id, 0, box, box, cut or box, *explanation)


def selection_of(
    patches: Sequence[Patch], images: Sequence[tuple[int, ...]] | None = None, name: str = "cat"
) -> ClassSelection:
    """One distilled image per patch unless others are given."""
    made = tuple((n,) for n in range(len(patches))) if images is None else tuple(images)
    return ClassSelection(name, 0, tuple(patches), made)
