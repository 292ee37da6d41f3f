"""From every kind of source, the same scores, selections and exported pictures, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.converted import CLASSES, KINDS
from support.stages import gaps
from support.toyset import QUICK, SMALL, finish, toy_prior, tree, write_pictures

from dsel.config import ExportSettings, SourceSettings
from dsel.data import open_dataset
from dsel.data.images import checksum
from dsel.pipeline.contents import contents_lines, contents_of
from dsel.pipeline.export import export
from dsel.pipeline.held_out import HeldOutTest, subject_of
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import open_run

pytest.importorskip("datasets")

LOCAL = ("zip", "parquet", "plain parquet", "webdataset", "save_to_disk", "metadata.csv")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def pictures(root: Path, classes: dict[str, int], seed: int = 0) -> Path:
    """Write pictures whose names say their classes, so that one folder can hold them all."""
    for path in sorted(write_pictures(root, classes, seed).glob("*/*.png")):
        path.rename(path.with_name(f"{path.parent.name}_{path.name}"))
    return root


def converted(photos: Path, kind: str, out: Path) -> str:
    out.mkdir()
    return KINDS[kind](photos, out)


def stages(source: str, folder: Path) -> dict[str, object]:
    """Score, select and export; the prints of what the stages wrote, but for names of the run."""
    dataset = open_dataset(source, SourceSettings(per_class=3, sample_seed=5))
    finish(score(dataset, toy_prior(dataset.classes), folder / "run", QUICK))
    run = open_run(folder / "run")
    finish(select(run, SMALL))
    finish(export(open_run(folder / "run"), folder / "out", ExportSettings(pixels="source")))
    chosen = tree(folder / "run/selections")  # FINGERPRINT/patches.parquet
    return {
        "scores": gaps(folder / "run"),
        "selections": {n.rpartition("/")[2]: p for n, p in chosen.items() if "/" in n},
        "pictures": {n: p for n, p in tree(folder / "out").items() if n != "manifest.json"},
    }


def test_stages__each_kind_gives_the_bytes_of_the_folder(tmp_path):
    photos = pictures(tmp_path / "photos", {"cat": 5, "dog": 4})
    expected = stages(str(photos), tmp_path / "folder")
    assert len(expected["pictures"]) > 4
    assert set(expected["selections"]) == {"patches.parquet", "settings.json"}
    for kind in (*LOCAL, "remote parquet"):
        source = converted(photos, kind, tmp_path / kind)
        assert stages(source, tmp_path / f"{kind}-run") == expected, kind


def test_held_out__each_kind_is_a_test(tmp_path):
    photos = pictures(tmp_path / "photos", {"cat": 3, "dog": 3})
    test = pictures(tmp_path / "test", {"cat": 2, "dog": 2}, seed=9)
    stages(str(photos), tmp_path / "folder")
    subject = subject_of(open_run(tmp_path / "folder/run"))
    for kind in LOCAL:
        source = converted(test, kind, tmp_path / kind)
        found = HeldOutTest(subject, f"{source}:classes=cat+dog,per-class=1")
        assert [ref.class_index for ref in found.dataset.refs] == [0, 1]


def test_contents__each_kind_says_what_would_be_scored(tmp_path):
    photos = pictures(tmp_path / "photos", {"cat": 2, "dog": 1})
    for kind in ("folder", *LOCAL):
        source = converted(photos, kind, tmp_path / kind)
        lines = contents_lines(contents_of(open_dataset(source, SourceSettings()), QUICK))
        assert lines[0] == f"source: {source}"
        assert lines[2:5] == [
            "classes: 2, with 3 images",
            '  cat: 2 images, "An image of cat."',
            '  dog: 1 image, "An image of dog."',
        ]


@pytest.mark.parametrize("kind", ["zip", "parquet", "webdataset", "save_to_disk"])
def test_imagenette__each_kind_is_the_folder(test_data, tmp_path, kind):
    """Ids, classes in order with all of their names, and the pixels of a sample."""
    photos = tmp_path / "photos"
    source = test_data / "photos/imagenette224"
    shutil.copytree(source / "val", photos)
    shutil.copy(source / CLASSES, photos)
    folder = open_dataset(str(photos), SourceSettings())
    found = open_dataset(converted(photos, kind, tmp_path / "made"), SourceSettings())
    assert found.names == folder.names
    assert found.structure.folders == folder.structure.folders
    assert found.refs == folder.refs
    for ref in folder.refs[::25]:
        assert checksum(found.read(ref)) == checksum(folder.read(ref))


def test_imagenette__each_kind_gives_the_same_selections(test_data, tmp_path):
    """Of photographs: ids per class, classes, scores, selections and pictures, byte for byte."""
    source, photos = test_data / "photos/imagenette224", tmp_path / "photos"
    for folder in sorted(path for path in (source / "val").iterdir() if path.is_dir()):
        (photos / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:4]:
            shutil.copy(path, photos / folder.name)
    shutil.copy(source / CLASSES, photos)
    opened = open_dataset(str(photos), SourceSettings())
    expected = stages(str(photos), tmp_path / "folder")
    assert len(opened.classes) == 10
    assert len(expected["pictures"]) > 20
    for kind in ("zip", "parquet", "webdataset", "save_to_disk"):
        other = converted(photos, kind, tmp_path / kind)
        found = open_dataset(other, SourceSettings())
        assert (found.classes, found.names) == (opened.classes, opened.names), kind
        ids = ({(ref.class_index, ref.id) for ref in one.refs} for one in (found, opened))
        assert next(ids) == next(ids), kind
        assert stages(other, tmp_path / f"{kind}-run") == expected, kind
