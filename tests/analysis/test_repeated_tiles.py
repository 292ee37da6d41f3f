"""Tiles that repeat a patch, and numbers of clusters that avoid them."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn import geometry, patch_of, scores_of, selection_of
from support.selecting import select_class

from dsel.analysis.repeated_tiles import clusters_without_repeats, repeated_tiles
from dsel.config import SelectSettings
from dsel.types import ClassSelection


@pytest.mark.parametrize(
    ("images", "ipc", "count"),
    [
        ([(0,), (1,), (2,)], 3, 0),
        ([(0, 1, 2, 3), (4, 5, 6, 7)], 2, 0),
        ([(0, 0, 0, 0)], 1, 3),
        ([(0, 1, 2, 3), (4, 0, 1, 2)], 1, 0),
        ([(0, 1, 2, 3), (4, 0, 1, 2)], 2, 3),
    ],
)
def test_repeated_tiles__by_hand(images: list[tuple[int, ...]], ipc: int, count: int) -> None:
    selected = selection_of([patch_of(f"cat/{n}", n) for n in range(8)], images)
    assert repeated_tiles(selected, ipc) == count


def test_clusters_without_repeats__the_first_half_that_fills_its_mosaics() -> None:
    """16 patches give 4 mosaics of 4 only where no cluster has a rest: here with one cluster."""
    tried = []

    def select(settings: SelectSettings) -> list[ClassSelection]:
        tried.append(settings.clusters)
        patches = [patch_of(f"cat/{n}", n) for n in range(16)]
        whole = [tuple(range(4 * n, 4 * n + 4)) for n in range(4)]
        rest = [*whole[:3], (12, 12, 12, 12)]
        return [selection_of(patches, whole if settings.clusters == 1 else rest)]

    settings = SelectSettings(ipc=4, factor=2, clusters=9)
    assert clusters_without_repeats(settings, select) == 1
    assert tried == [9, 4, 2, 1]


def test_clusters_without_repeats__none() -> None:
    rng = np.random.default_rng(0)
    scores = scores_of(rng.normal(size=(3, 1, 6, 6)))
    unit = geometry((500,), [1.0], 48)

    def select(settings: SelectSettings) -> list[ClassSelection]:
        return [select_class(scores, unit, settings)]

    settings = SelectSettings(patch_px=16, ipc=1, factor=2, clusters=2)
    assert clusters_without_repeats(settings, select) == 0
