"""Exporting images that were chosen one by one: these alone, each by its best patch."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from support.toyset import SMALL, finish, scored_run, tree

from dsel.config import ExportSettings
from dsel.errors import SettingError, StorageError
from dsel.pipeline.chosen import export_images, export_slice
from dsel.pipeline.export import export
from dsel.pipeline.selector import Selector
from dsel.runs import Run
from dsel.runs.slices import Slice, write_slice
from dsel.types import Done, Notice

SETTINGS = ExportSettings(image_px=20)


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return scored_run(source, tmp_path_factory.mktemp("scored") / "run")


def ids_of(run: Run, class_index: int) -> list[str]:
    return list(Selector(run).images(class_index).ids)


def exported(folder: Path) -> list[str]:
    entries = json.loads((folder / "manifest.json").read_text())["images"]
    return [entry["patches"][0]["image_id"] for entry in entries]


def test_export_images__these_alone_in_their_order(run, tmp_path):
    first, second = ids_of(run, 0), ids_of(run, 1)
    wanted = [second[-1], first[-1], first[0]]
    before = tree(run.path)
    events = finish(export_images(Selector(run), wanted, SMALL, tmp_path / "out", SETTINGS))
    assert tree(run.path) == before
    assert exported(tmp_path / "out") == [first[-1], first[0], second[-1]]
    (done,) = [one for one in events if isinstance(one, Done)]
    assert done.figures["images"] == 3
    record = json.loads((tmp_path / "out/manifest.json").read_text())
    assert record["chosen"] == [first[-1], first[0], second[-1]]
    assert "chosen one by one" in (tmp_path / "out/README.md").read_text()


def test_export_images__pixels_and_boxes_are_those_of_the_set(run, tmp_path):
    finish(export(run, tmp_path / "set", SETTINGS))
    kept = exported(tmp_path / "set")
    finish(export_images(Selector(run), kept, SMALL, tmp_path / "out", SETTINGS))
    entries = [
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("set", "out")
    ]
    patches = [[one["patches"] for one in entry["images"]] for entry in entries]
    assert patches[0] == patches[1]
    files = [sorted((tmp_path / name / "train").rglob("*.png")) for name in ("set", "out")]
    assert [one.read_bytes() for one in files[0]] == [one.read_bytes() for one in files[1]]


def test_export_images__what_is_banned_or_lost_to_a_mosaic_too(run, tmp_path):
    banned = ids_of(run, 0)[1]
    select = SMALL.replace(bans=(banned,), factor=2)
    finish(export_images(Selector(run), [banned], select, tmp_path / "out", SETTINGS))
    assert exported(tmp_path / "out") == [banned]


def test_export_images__what_is_left_out_is_named(run, tmp_path):
    known = ids_of(run, 0)[0]
    events = finish(export_images(Selector(run), [known, "gone"], SMALL, tmp_path / "o", SETTINGS))
    (notice,) = [one.text for one in events if isinstance(one, Notice) and "left out" in one.text]
    assert notice.startswith("1 image is left out")
    assert notice.endswith(": gone")
    with pytest.raises(SettingError, match="none of the 1 images has a patch in this run"):
        finish(export_images(Selector(run), ["gone"], SMALL, tmp_path / "none", SETTINGS))


def test_export_images__another_choice_is_another_export(run, tmp_path):
    first, second = ids_of(run, 0)[:2]
    finish(export_images(Selector(run), [first], SMALL, tmp_path / "out", SETTINGS))
    with pytest.raises(StorageError, match="another export"):
        finish(export_images(Selector(run), [second], SMALL, tmp_path / "out", SETTINGS))


def test_export_slice__as_a_zip(run, tmp_path):
    wanted = [ids_of(run, 1)[0], ids_of(run, 0)[2]]
    write_slice(run.path, Slice("odd ones", tuple(wanted)))
    finish(export_slice(run, "odd ones", tmp_path / "out.zip", SETTINGS))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        record = json.loads(archive.read("manifest.json"))
    assert set(record["chosen"]) == set(wanted)
    with pytest.raises(SettingError, match="unknown slice 'even ones'; known are: odd ones"):
        finish(export_slice(run, "even ones", tmp_path / "b.zip", SETTINGS))
