"""The lead of a best box and its standard error, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.drawn_class import CELL_PX, GEOMETRY, SHAPES, class_scores
from support.slow_maps import slow_mean

from dsel.config import SelectSettings
from dsel.core.box_search import largest_mean_boxes
from dsel.core.gap_maps import combined_map, combined_maps, image_bucket, smoothed
from dsel.core.margins import margins
from dsel.core.selection import locate_class

PATCH_PX = 24


@pytest.mark.parametrize("smooth", [0.0, 1.5])
@pytest.mark.parametrize("locate", ["difference", "signed", "positive"])
def test_margins__by_the_slow_definition(locate: str, smooth: float) -> None:
    """Images of four shapes; the noise of a timestep counts as a share of its loss, halved."""
    scores = class_scores(9, shapes=SHAPES)
    settings = SelectSettings(patch_px=PATCH_PX, locate=locate, smooth=smooth)
    found = margins(scores, GEOMETRY, settings)
    for row in range(9):
        bucket = image_bucket(scores, row)
        maps = combined_map(bucket, GEOMETRY, (), locate, smooth)
        boxes = largest_mean_boxes(maps, CELL_PX, PATCH_PX, CELL_PX, 2)
        sides = [PATCH_PX / CELL_PX] * 2
        corners = [(boxes.x[0, n] / CELL_PX, boxes.y[0, n] / CELL_PX) for n in (0, 1)]
        first, second = (slow_mean(maps[0], *corner, *sides) for corner in corners)
        assert found.lead[row] == pytest.approx(first - second, abs=1e-6)
        gap = bucket.gap[0].astype(np.float32)
        noise = bucket.difference_noise if locate == "difference" else bucket.noise
        noise = noise[0].astype(np.float32)
        if locate == "positive":
            noise = (np.maximum(gap + noise, 0) - np.maximum(gap - noise, 0)) / 2
        squares = 0.0
        for of_step, loss in zip(noise, GEOMETRY.losses, strict=True):
            means = [slow_mean(smoothed(of_step, smooth), *corner, *sides) for corner in corners]
            squares += ((means[0] - means[1]) / loss / 2) ** 2
        assert found.error[row] == pytest.approx(np.sqrt(squares), rel=1e-4)


def test_margins__are_those_of_the_located_patches() -> None:
    """Those of a selection; NaN where no box fits beside the best one."""
    scores, settings = class_scores(12), SelectSettings(locate="signed", smooth=0.0)
    found = margins(scores, GEOMETRY, settings)
    maps = combined_maps(scores, GEOMETRY, (), "signed")
    located = locate_class(scores, GEOMETRY, settings, maps)
    np.testing.assert_allclose(found.lead, located.margin, atol=1e-9)
    assert 0 < np.isnan(found.lead).sum() < 12


def test_margins__unknown_noise_is_an_unknown_error() -> None:
    scores = class_scores(2)
    noise = np.full_like(scores.buckets[0].noise, np.nan)
    scores = replace(scores, buckets=(replace(scores.buckets[0], difference_noise=noise),))
    found = margins(scores, GEOMETRY, SelectSettings(patch_px=PATCH_PX, locate="difference"))
    assert np.isnan(found.error).all()
    assert np.isfinite(found.lead).all()


def test_margins__of_no_images() -> None:
    found = margins(replace(class_scores(1), ids=(), buckets=()), GEOMETRY, SelectSettings())
    assert (found.lead.shape, found.error.shape) == ((0,), (0,))
