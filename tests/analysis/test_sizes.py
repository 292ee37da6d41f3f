"""An export's size, estimated from a few of its images."""

from __future__ import annotations

import numpy as np
import pytest
from support.drawn import patch_of, selection_of

from dsel.analysis.sizes import SAMPLED, Size, class_size, spread_over
from dsel.config import ExportSettings, SelectSettings
from dsel.core.composing import compose_class
from dsel.data.images import encode
from dsel.types import Patch, Pixels


def cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
    """Noise that is finer the later its patch ranks."""
    noise = np.random.default_rng(patch.rank).integers(0, 20 + 10 * patch.rank, (64, 64, 3))
    return noise.astype(np.uint8)[:height_px, :width_px]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("factor", [1, 2])
def test_class_size__exact_where_all_are_encoded(kind, factor) -> None:
    patches = [patch_of(f"cat/{n}", n) for n in range(4 * factor**2)]
    images = np.arange(len(patches)).reshape(4, -1).tolist()
    selected = selection_of(patches, [tuple(image) for image in images])
    settings, export = SelectSettings(ipc=3, factor=factor), ExportSettings(file_format=kind)
    files = [encode(one.pixels, kind) for one in compose_class(selected, settings, 32, cut)]
    size = class_size(selected, settings, export, 32, cut)
    assert size == Size("cat", 3, 3, sum(map(len, files)))


def test_class_size__near_where_some_are() -> None:
    selected = selection_of([patch_of(f"cat/{n}", n) for n in range(20)])
    settings, export = SelectSettings(ipc=20), ExportSettings()
    files = [encode(one.pixels, "png") for one in compose_class(selected, settings, 64, cut)]
    size = class_size(selected, settings, export, 64, cut)
    assert (size.images, size.sampled) == (20, SAMPLED)
    assert size.bytes == pytest.approx(sum(map(len, files)), rel=0.05)


def test_class_size__of_nothing() -> None:
    assert class_size(selection_of([]), SelectSettings(), ExportSettings(), 32, cut) == Size(
        "cat", 0, 0, 0
    )


def test_spread_over__from_the_first_to_the_last() -> None:
    assert spread_over(0) == []
    assert spread_over(1) == [0]
    assert spread_over(3) == [0, 1, 2]
    assert spread_over(10) == [0, 3, 6, 9]
    assert spread_over(1000) == [0, 333, 666, 999]
