"""Exporting a selection: settings that do not fit are refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.toyset import SMALL, finish, scored_run, tree, value_of

from dsel.config import ExportSettings
from dsel.errors import SettingError
from dsel.pipeline import export as module
from dsel.pipeline.cutting import source_of
from dsel.pipeline.distill import check_out
from dsel.pipeline.export import check_export, export, export_selections
from dsel.pipeline.select import select_classes
from dsel.pipeline.selector import Selector
from dsel.runs import Run


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return scored_run(source, tmp_path_factory.mktemp("scored") / "run")


def test_check_export__side_of_the_images(run):
    assert check_export(run, SMALL, ExportSettings(image_px=20)) == 20
    assert check_export(run, SMALL, ExportSettings()) == run.identity.resolution_px


@pytest.mark.parametrize(
    ("select", "settings", "message"),
    [
        (
            SMALL.replace(factor=4), ExportSettings(image_px=3),
            "image px must be at least 4 for 4 x 4 mosaics, got 3",
        ),
        (
            SMALL.replace(pins=("cat/9",)), ExportSettings(),
            "unknown image 'cat/9' in pins: ids look like 'cat/00.png'",
        ),
    ],
)  # fmt: skip
def test_export_selections__unfit_settings_write_nothing(run, tmp_path, select, settings, message):
    with pytest.raises(SettingError) as caught:
        next(export_selections(run, [], select, tmp_path / "out", settings))
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "SET.RAR", "set.7z"])
def test_export_selections__no_other_archive_than_a_zip(run, tmp_path, name):
    settings, selections = run.read_selection()
    with pytest.raises(SettingError, match=rf"out must be a folder, or a file .* got {name}: "):
        finish(export_selections(run, selections, settings, tmp_path / name, ExportSettings()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
def test_distill__no_archive(tmp_path, name):
    with pytest.raises(SettingError, match=rf"out must be a folder, got .*{name}: dsel export"):
        check_out(tmp_path / name, ExportSettings())


def test_export__the_source_is_opened_once(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "source_of", lambda *of: opened.append(of) or source_of(*of))
    finish(export(run, tmp_path / "out", ExportSettings()))
    assert opened == [(run, "auto")]


def test_export_selections__of_classes_selected_without_storing_them(run, tmp_path):
    """The same bytes as from the stored selection; the manifest names it and what made it."""
    before = tree(run.path)
    selections = value_of(select_classes(Selector(run), SMALL))
    settings = ExportSettings(image_px=20)
    finish(export_selections(run, selections, SMALL, tmp_path / "live", settings))
    assert tree(run.path) == before
    finish(export(run, tmp_path / "stored", settings))
    assert tree(tmp_path / "live") == tree(tmp_path / "stored")
    manifest = json.loads((tmp_path / "live/manifest.json").read_text())
    assert run.selection_name(SMALL) in json.dumps(manifest)
    assert run.identity.fingerprint in json.dumps(manifest)
