"""The map of all images: fitted with the layouts, stored with their patches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.synthetic import synthetic_run

from dsel.config import SelectSettings
from dsel.core.best_patches import best_patches
from dsel.errors import DamageError
from dsel.pipeline.image_map import fit_image_map
from dsel.pipeline.score import fit_layouts
from dsel.pipeline.selector import Selector
from dsel.runs import Run, open_run
from dsel.runs.image_map import COLUMNS, FILE, ImageMap, class_starts, read_image_map
from dsel.types import Notice, Started


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return synthetic_run(tmp_path / "run", classes=2, per_class=8)


def test_fit_layouts__stores_the_map_with_the_default_patches(run: Run) -> None:
    assert read_image_map(run) is None
    stages = [(one.stage, one.total) for one in fit_layouts(run) if isinstance(one, Started)]
    assert stages == [("layout", 2), ("map", 1)]
    found = read_image_map(run)
    assert found is not None
    assert (found.positions.shape, found.fitted, found.problem) == ((16, 2), 16, "")
    assert class_starts(run).tolist() == [0, 8, 16]
    selector = Selector(run)
    ids = selector.images(1).ids
    expected = best_patches(selector.select(1, SelectSettings()), ids, SelectSettings())
    stored = found.rows(8, 16)
    for name in COLUMNS:
        assert np.array_equal(getattr(stored, name), getattr(expected, name), equal_nan=True), name
    assert list(fit_layouts(run)) == []


def test_fit_layouts__the_same_bytes_again(run: Run) -> None:
    list(fit_layouts(run))
    first = (run.path / FILE).read_bytes()
    (run.path / FILE).unlink()
    events = list(fit_image_map(run))
    assert (run.path / FILE).read_bytes() == first
    assert isinstance(events[-1], ImageMap)


def test_fit_layouts__a_damaged_map_is_made_again(run: Run) -> None:
    list(fit_layouts(run))
    path = run.path / FILE
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes(9))
    with pytest.raises(DamageError):
        read_image_map(run)
    notices = [one.text for one in fit_layouts(run) if isinstance(one, Notice)]
    assert len(notices) == 1
    assert "all.safetensors" in notices[0]
    assert path.read_bytes() == content


def test_fit_image_map__further_draws_change_patches_and_move_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(fit_layouts(run))
    before = read_image_map(run)
    rounds = replace(run.summary, rounds=((0,),))
    monkeypatch.setitem(run.__dict__, "summary", rounds)
    stale = read_image_map(run)
    assert before is not None
    assert stale is not None
    assert stale.best is None
    assert stale.rows(0, 8) is None
    assert np.array_equal(stale.positions, before.positions)


def test_fit_image_map__not_stored(run: Run) -> None:
    found = list(fit_image_map(run, store=False))[-1]
    assert isinstance(found, ImageMap)
    assert read_image_map(open_run(run.path)) is None
