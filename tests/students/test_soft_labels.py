"""Soft labels of an export: of its images and tiles as written, and of crops that can be remade."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.classifiers import save_teacher
from support.exported import CLASSES, write_export

from dsel.students.exported import labelled_images, read_export
from dsel.students.label_crops import cropped
from dsel.students.soft_labels import label_pictures, soft_for, write_labels
from dsel.students.teachers import Teacher, load_teacher
from dsel.types import Progress, Started


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    folder = save_teacher(tmp_path_factory.mktemp("teachers"), [["dog"], ["cat"]])
    return load_teacher(str(folder), CLASSES)


def labelled(out: Path, teacher: Teacher, crops: int = 0) -> list:
    entries = json.loads((out / "manifest.json").read_text())["images"]
    return list(write_labels(out, entries, "fit", teacher, crops, CLASSES))


@pytest.mark.parametrize("factor", [1, 2])
def test_write_labels__of_images_and_tiles(tmp_path, teacher, factor):
    write_export(tmp_path, factor=factor)
    events = labelled(tmp_path, teacher)
    assert events[0] == Started("label", 4 * factor, "images")
    assert sum(one.count for one in events if isinstance(one, Progress)) == 4 * factor
    exported = read_export(tmp_path)
    for unpack in (False, True):
        found = labelled_images(exported, 0, unpack)
        wanted = teacher.probabilities(found.images)
        assert found.soft.dtype == np.float16
        assert found.soft == pytest.approx(wanted, abs=1e-3)
        assert np.array_equal(found.soft, soft_for(teacher, found.images))


def test_write_labels__crops_are_those_that_the_teacher_saw(tmp_path, teacher):
    write_export(tmp_path, factor=2)
    labelled(tmp_path, teacher, crops=3)
    exported = read_export(tmp_path)
    for unpack, pictures in ((False, 4), (True, 16)):
        crops = exported.soft_labels(unpack, crops=True).crops
        assert crops.probabilities.shape == (pictures, 3, 2)
        assert len(np.unique(crops.boxes.reshape(-1, 4), axis=0)) == pictures * 3
        images = labelled_images(exported, 0, unpack).images
        for picture in range(pictures):
            seen = np.stack([
                cropped(images[picture], box, bool(flip), teacher.image_px)
                for box, flip in zip(crops.boxes[picture], crops.flips[picture], strict=True)
            ])  # fmt: skip
            wanted = teacher.probabilities(seen)
            assert crops.probabilities[picture] == pytest.approx(wanted, abs=1e-3)


def test_write_labels__the_same_bytes_whatever_the_groups(tmp_path, teacher, monkeypatch):
    for name, group in (("one", 64), ("two", 1)):
        monkeypatch.setattr("dsel.students.soft_labels.GROUP", group)
        write_export(tmp_path / name, factor=2)
        labelled(tmp_path / name, teacher, crops=2)
    one, two = (read_export(tmp_path / name).soft_labels(True, True) for name in ("one", "two"))
    assert np.array_equal(one.crops.boxes, two.crops.boxes)
    # A convolution's last bits may differ with the size of its batch.
    assert one.crops.probabilities == pytest.approx(two.crops.probabilities, abs=1e-3)


def test_write_labels__of_no_images(tmp_path, teacher):
    write_export(tmp_path, per_class=0)
    labelled(tmp_path, teacher)
    assert read_export(tmp_path).soft_labels(unpack=True).probabilities.shape == (0, 2)


def test_label_pictures__streams_differ(teacher):
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    both = label_pictures(pictures, teacher, 2, (0, 0)).crops.boxes
    second = label_pictures(pictures[1:], teacher, 2, (0, 1)).crops.boxes
    assert np.array_equal(both[1:], second)
    assert not np.array_equal(both[:1], second)
