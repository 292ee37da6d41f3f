"""Ranges of a class's maps: by the slow definition, over buckets of many shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn import geometry, scores_of

from dsel.analysis import ranges
from dsel.analysis.ranges import Range, class_ranges
from dsel.core.gap_maps import combined_maps
from dsel.types import ClassScores

GEOMETRY = geometry((200, 500, 700), [0.5, 0.25, 1.0], 48)


def some() -> ClassScores:
    rng = np.random.default_rng(3)
    shapes = [(6, 6), (6, 9), (8, 6), (6, 9), (6, 6)]
    return scores_of([rng.normal(size=(3, *shape)) for shape in shapes], conditional=0.7)


@pytest.mark.parametrize("part", [1, 300, 1 << 19])
@pytest.mark.parametrize("columns", [[0, 1, 2], [1], [2, 0]])
def test_class_ranges__slow_definition(
    part: int, columns: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "PART_CELLS", part)
    scores = some()
    timesteps = tuple(GEOMETRY.timesteps[n] for n in columns)
    combined = combined_maps(scores, GEOMETRY, timesteps, "positive")
    found = class_ranges(scores, columns, combined)
    gaps = np.concatenate(
        [b.gap[:, columns].astype(float).mean(axis=1).ravel() for b in scores.buckets]
    )
    assert found.gap == Range(pytest.approx(gaps.min()), pytest.approx(gaps.max()))
    loss = float(np.float16(0.7))
    assert found.conditional == Range(pytest.approx(loss), pytest.approx(loss))
    assert found.unconditional.low == pytest.approx(loss + gaps.min(), abs=1e-6)
    assert found.unconditional.high == pytest.approx(loss + gaps.max(), abs=1e-6)
    assert found.combined.low == min(float(maps.min()) for maps in combined)
    assert found.combined.high == max(float(maps.max()) for maps in combined)


def test_class_ranges__what_is_no_number_does_not_count() -> None:
    gap = np.zeros((3, 6, 6))
    gap[:, 0, 0], gap[:, 1, 1], gap[:, 2, 2] = np.nan, 2.0, -1.0
    scores = scores_of([gap, np.full((3, 8, 8), np.nan)])
    found = class_ranges(scores, [0, 1, 2], [])
    assert found.gap == Range(-1.0, 2.0)
    assert found.combined == Range(0.0, 0.0)


def test_class_ranges__of_no_images() -> None:
    empty = replace(some(), buckets=())
    assert class_ranges(empty, [0], []).gap == Range(0.0, 0.0)
