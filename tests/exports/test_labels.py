"""Exports with a teacher: labels beside the images, of the files as they were written."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.classifiers import save_resnet, save_teacher
from support.toyset import SMALL, dataset_of, finish, scored_run, toy_prior, tree, write_pictures

import dsel
from dsel.analysis.explorer import Explorer
from dsel.analysis.export_estimate import estimate_export
from dsel.cache import Cache
from dsel.config import ExportSettings, ScoreSettings, SelectSettings
from dsel.errors import SettingError, StorageError
from dsel.pipeline.distill import distill
from dsel.pipeline.export import export
from dsel.runs import Run
from dsel.students.exported import labelled_images, read_export
from dsel.students.teachers import load_teacher
from dsel.types import Done, Started

CLASSES = ("cat", "dog")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("work") / "pictures", {"cat": 4, "dog": 4})


@pytest.fixture(scope="module")
def mosaics(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    chosen = SelectSettings(ipc=1, clusters=1, factor=2, per_image=4)
    return scored_run(source, tmp_path_factory.mktemp("runs") / "mosaics", chosen=chosen)


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return scored_run(source, tmp_path_factory.mktemp("runs") / "single", chosen=SMALL)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_teacher(tmp_path_factory.mktemp("teachers") / "t", [["dog"], ["cat"]]))


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_export__soft_labels_are_those_of_the_files(mosaics, teacher, tmp_path, file_format):
    settings = ExportSettings(teacher=teacher, label_crops=2, file_format=file_format)
    events = finish(export(mosaics, tmp_path, settings))
    assert Started("label", 4, "images") in events
    assert isinstance(events[-1], Done)
    exported = read_export(tmp_path)
    assert exported.manifest["teacher"]["fingerprint"] == load_teacher(teacher, CLASSES).fingerprint
    for unpack in (False, True):
        found = labelled_images(exported, 0, unpack)
        wanted = load_teacher(teacher, CLASSES).probabilities(found.images)
        assert found.soft == pytest.approx(wanted, abs=1e-3)
    assert dsel.torch_dataset(tmp_path, labels="soft")[0][1].shape == (2,)
    assert len(dsel.torch_dataset(tmp_path, labels="crops")) == 2 * 4 * 2


def test_export__by_a_classifier_of_transformers(run, tmp_path):
    teacher = save_resnet(tmp_path / "resnet", ("Dog, hound", "Cat"))
    finish(export(run, tmp_path / "out", ExportSettings(teacher=str(teacher))))
    found = labelled_images(read_export(tmp_path / "out"), 0, unpack=True)
    assert found.soft.shape == (4, 2)
    assert found.soft.sum(1) == pytest.approx(1, abs=2e-3)


def test_export__labels_are_the_same_bytes_again_and_in_a_zip_file(run, teacher, tmp_path):
    settings = ExportSettings(teacher=teacher, label_crops=3)
    finish(export(run, tmp_path / "one", settings))
    before = tree(tmp_path / "one")
    finish(export(run, tmp_path / "one", settings))
    finish(export(run, tmp_path / "set.zip", settings))
    assert tree(tmp_path / "one") == before
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        packed = archive.read("labels.safetensors")
    assert packed == (tmp_path / "one/labels.safetensors").read_bytes()


def test_export__the_teachers_weights_name_it_and_not_its_folder(run, teacher, tmp_path):
    finish(export(run, tmp_path / "out", ExportSettings(teacher=teacher)))
    copy = save_teacher(tmp_path / "copy", [["dog"], ["cat"]])
    finish(export(run, tmp_path / "out", ExportSettings(teacher=str(copy))))
    other = save_teacher(tmp_path / "other", [["cat"], ["dog"]])
    with pytest.raises(StorageError, match="holds another export, made with other settings"):
        finish(export(run, tmp_path / "out", ExportSettings(teacher=str(other))))


def test_export__refuses_before_anything_is_written(run, teacher, tmp_path):
    for settings, message in (
        (ExportSettings(label_crops=3), "label crops of 3 needs a teacher: give one with --teach"),
        (
            ExportSettings(teacher=str(save_teacher(tmp_path / "t", [["cat"], ["fox"]]))),
            "the teacher has no label for dog; the classes are: cat, dog; the teacher's labels are",
        ),
    ):
        with pytest.raises(SettingError, match=message):
            finish(export(run, tmp_path / "out", settings))
        assert not (tmp_path / "out").exists()


def test_distill__an_unfit_teacher_is_refused_before_scoring(source, tmp_path):
    teacher = save_teacher(tmp_path / "t", [["cat"], ["fox"]])
    settings = ScoreSettings(), SelectSettings(), ExportSettings(teacher=str(teacher))
    dataset, paths = dataset_of(source), (tmp_path / "run", tmp_path / "out")
    with pytest.raises(SettingError, match="the teacher has no label for dog"):
        finish(distill(dataset, toy_prior(), *paths, settings))
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize("crops", [0, 50])
def test_estimate_export__with_labels(mosaics, teacher, tmp_path, crops):
    settings = ExportSettings(teacher=teacher, label_crops=crops, file_format="jpeg")
    explorer = Explorer(mosaics)
    chosen, _ = mosaics.read_selection()
    estimate = estimate_export(explorer, chosen, settings, Cache())
    finish(export(mosaics, tmp_path / "set.zip", settings))
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert estimate.files == len(archive.namelist())
    assert estimate.zip_bytes == pytest.approx((tmp_path / "set.zip").stat().st_size, rel=0.02)


def test_readme__names_the_teacher(run, teacher, tmp_path):
    finish(export(run, tmp_path, ExportSettings(teacher=teacher, label_crops=3)))
    text = (tmp_path / "README.md").read_text("utf-8")
    assert (
        f'soft labels of a teacher, {teacher}: `dsel.torch_dataset("OUT", labels="soft")`' in text
    )
    assert 'with `labels="crops"` those of 3 random crops' in text
    assert json.loads((tmp_path / "manifest.json").read_text())["export"]["label_crops"] == 3


def test_labels__of_float16_probabilities(run, teacher, tmp_path):
    finish(export(run, tmp_path, ExportSettings(teacher=teacher)))
    assert read_export(tmp_path).soft_labels(False).probabilities.dtype == np.float16
