"""Layouts of a class: which patches one follows from, where it begins, and one fit at a time."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from support.synthetic import TIMESTEPS, synthetic_run

from dsel.analysis import layouts
from dsel.analysis.explorer import Explorer
from dsel.analysis.layouts import OWN, Fitter, layout_name, layout_settings, settings_of_layout
from dsel.cache import Cache
from dsel.config import SelectSettings
from dsel.core.clustering import unit_features
from dsel.core.projection import principal_plane
from dsel.errors import SettingError
from dsel.runs import Run, open_run

LONG_S = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("layouts") / "run"
    synthetic_run(path, classes=2, per_class=6)
    return open_run(path)


def wait_until(true: Any) -> None:
    end = monotonic() + LONG_S
    while not true():
        assert monotonic() < end
        sleep(0.005)


@pytest.fixture
def shifted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Layouts are those that they start from, moved by one; the features that were asked with."""
    asked: list[np.ndarray] = []

    def layout(features: np.ndarray, _seed: int, start: np.ndarray) -> np.ndarray:
        asked.append(features)
        return start + 1

    monkeypatch.setattr(layouts, "layout", layout)
    return asked


@pytest.mark.parametrize(
    "same",
    [
        SelectSettings(),
        SelectSettings(
            clusters=7, ipc=3, within="centroid", across="pooled", factor=2, per_image=3
        ),
        SelectSettings(patch_px=64, stride_px=8, timesteps=TIMESTEPS[::-1]),
        SelectSettings(pins=("disc/000001",), bans=("disc/000002",), moves=("disc/000003@8,8",)),
    ],
)
def test_layout_name__is_the_runs_own_for_the_default_patches(run, same) -> None:
    assert layout_name(run, 0, same) == OWN


def test_layout_name__says_what_the_patches_follow_from(run) -> None:
    settings = SelectSettings(patch_px=32, timesteps=(400, 200), locate="signed", clusters=4, ipc=2)
    name = layout_name(run, 0, settings)
    assert name == "of:patch_px=32&timesteps=200&timesteps=400&locate=signed"
    assert settings_of_layout(name) == layout_settings(settings, run.geometry)


def test_layout_settings__features_of_a_model_keep_the_patches_they_are_of(run) -> None:
    moved = ("disc/000003@8,8",)
    settings = SelectSettings(features="reencode", moves=moved, clusters=4, per_image=2)
    found = layout_settings(settings, run.geometry)
    assert (found.features, found.moves, found.per_image, found.clusters) == (
        "reencode", moved, 2, 0,
    )  # fmt: skip


def test_settings_of_layout__means_nothing() -> None:
    with pytest.raises(SettingError, match="a layout is named own or of: and a query, got 'else'"):
        settings_of_layout("else")
    with pytest.raises(SettingError, match="unknown key in the link"):
        settings_of_layout("of:colour=red")


def test_layout__a_new_one_begins_from_the_runs_own(run, shifted) -> None:
    explorer = Explorer(run, Cache())
    settings = SelectSettings(patch_px=32)
    name = layout_name(run, 0, settings)
    own = explorer.layout(0)
    assert np.array_equal(explorer.layout(0, name), own + 1)
    assert np.array_equal(explorer.layout(0, "of:patch_px=48"), own + 1)
    assert [one.shape for one in shifted] == [(6, 16)] * 2


def test_layout__an_image_without_a_patch_stays(run, shifted) -> None:
    explorer = Explorer(run, Cache())
    banned = SelectSettings(bans=("disc/000002",))
    located = explorer.scored(0, banned).located
    start = explorer.layout(0)
    moved = layouts.patch_positions(located, start, 0)
    assert (moved == start).all(axis=1).tolist() == [n == 2 for n in range(6)]
    assert len(shifted) == 1


def test_layout__of_several_patches_an_image_the_best_one_counts(run, shifted) -> None:
    explorer = Explorer(run, Cache())
    located = explorer.located(0, SelectSettings(patch_px=32, per_image=3))
    layouts.patch_positions(located, explorer.layout(0), 0)
    assert np.array_equal(shifted[0], located.features[::3])


def test_layout__principal_components_where_a_run_has_none(tmp_path: Path) -> None:
    synthetic_run(tmp_path / "run", classes=1, per_class=5)
    for file in (tmp_path / "run" / "layouts").iterdir():
        file.unlink()
    run = open_run(tmp_path / "run")
    explorer = Explorer(run, Cache())
    features = explorer.located(0, SelectSettings()).features
    expected = principal_plane(unit_features(features))
    assert np.array_equal(explorer.layout(0), expected)
    assert layout_name(run, 0, SelectSettings()) == "of:"


def test_layout_status__is_made_in_the_background(run, shifted) -> None:
    explorer = Explorer(run, Cache())
    settings = SelectSettings(patch_px=40)
    first = explorer.layout_status(0, settings)
    assert first.name == "of:patch_px=40"
    wait_until(lambda: explorer.layout_status(0, settings).ready)
    assert len(shifted) == 1
    assert explorer.layout_status(0, SelectSettings()).ready


def test_lasso__in_another_layout(run, shifted) -> None:
    explorer = Explorer(run, Cache())
    x, y = explorer.layout(0)[3].astype(float)
    near = [(x - 1e-3, y - 1e-3), (x + 1e-3, y - 1e-3), (x, y + 1e-3)]
    there = [(x + 1, y + 1) for x, y in near]
    assert explorer.lasso(0, near) == ("disc/000003",)
    assert explorer.lasso(0, there, "of:patch_px=40") == ("disc/000003",)
    assert len(shifted) == 1


def test_fitter__one_at_a_time_and_the_newest_next() -> None:
    fitter, begun, go = Fitter(), Event(), Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        assert go.wait(LONG_S)
        done.append("a")

    assert not fitter.request("a", "a", False, slow).ready
    assert begun.wait(LONG_S)
    for name in ("b", "c", "a"):
        fitter.request(name, name, False, lambda name=name: done.append(name))
    go.set()
    wait_until(lambda: fitter._now is None)
    assert done == ["a", "c"]


def test_fitter__what_fails_is_said_and_not_tried_again(caplog) -> None:
    fitter, tried = Fitter(), []

    def fail(error: Exception) -> None:
        tried.append(error)
        raise error

    for name, error in (("a", SettingError("no such patches")), ("b", ValueError("a bug"))):
        fitter.request(name, name, False, lambda error=error: fail(error))
        wait_until(lambda: fitter._now is None)
        fitter.request(name, name, False, lambda error=error: fail(error))
    assert fitter.request("a", "a", False, lambda: None).failed == "no such patches"
    assert fitter.request("b", "b", False, lambda: None).failed == layouts.BUG
    assert len(tried) == 2
    assert "a layout failed" in caplog.text
