"""Reading an export back: its images, its tiles, its labels, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.exported import CLASSES, SIDE_PX, write_export
from support.stored import record_of, rewrite

from dsel.checksums import digest
from dsel.errors import SourceError
from dsel.exports.base import MANIFEST
from dsel.students.exported import labelled_images, read_export
from dsel.students.label_file import LABELS, CropLabels, SoftLabels, label_bytes, read_labels
from dsel.students.unpack import unpack


def test_labelled_images__single_images_as_they_are(tmp_path):
    pixels = write_export(tmp_path, native_px=SIDE_PX)
    exported = read_export(tmp_path)
    assert exported.classes == CLASSES
    for unpacking in (False, True):
        found = labelled_images(exported, 0, unpacking)
        assert np.array_equal(found.images, pixels)
        assert found.labels.tolist() == [0, 0, 1, 1]
        assert found.soft is None


@pytest.mark.parametrize("tile_scale", ["fit", "native"])
def test_labelled_images__tiles(tmp_path, tile_scale):
    pixels = write_export(tmp_path, factor=2, tile_scale=tile_scale)
    exported = read_export(tmp_path)
    found = labelled_images(exported, 8, unpack=True)
    wanted = [
        unpack(one, image.tiles, 8, tile_scale)
        for one, image in zip(pixels, exported.images, strict=True)
    ]
    assert np.array_equal(found.images, np.concatenate(wanted))
    assert found.labels.tolist() == [0] * 8 + [1] * 8
    assert labelled_images(exported, 8, unpack=False).images.shape == (4, 8, 8, 3)


def test_labelled_images__with_soft_labels(tmp_path):
    write_export(tmp_path, factor=2)
    views = {"images": soft_labels(4), "tiles": soft_labels(16)}
    (tmp_path / LABELS).write_bytes(label_bytes(views, {}, CLASSES))
    exported = read_export(tmp_path)
    for unpacking, view in ((False, "images"), (True, "tiles")):
        found = labelled_images(exported, 0, unpacking)
        assert len(found.images) == len(found.soft)
        assert np.array_equal(found.soft, views[view].probabilities)


def soft_labels(pictures: int, crops: int = 0) -> SoftLabels:
    rng = np.random.default_rng(pictures)
    of_crops = CropLabels(
        rng.random((pictures, crops, 2)).astype(np.float16),
        rng.random((pictures, crops, 4)).astype(np.float32),
        rng.random((pictures, crops)) < 0.5,
    )
    return SoftLabels(rng.random((pictures, 2)).astype(np.float16), of_crops if crops else None)


def test_label_file__what_was_written(tmp_path):
    views = {"images": soft_labels(4, 3), "tiles": soft_labels(16, 3)}
    path = tmp_path / LABELS
    path.write_bytes(label_bytes(views, {"name": "t"}, CLASSES))
    assert path.read_bytes() == label_bytes(views, {"name": "t"}, CLASSES)
    for view, soft in views.items():
        found = read_labels(path, view, crops=True)
        assert np.array_equal(found.probabilities, soft.probabilities)
        assert np.array_equal(found.crops.probabilities, soft.crops.probabilities)
        assert np.array_equal(found.crops.boxes, soft.crops.boxes)
        assert np.array_equal(found.crops.flips, soft.crops.flips)
    assert read_labels(path, "tiles").crops is None


def test_label_file__single_images_stand_for_their_tiles(tmp_path):
    path = tmp_path / LABELS
    path.write_bytes(label_bytes({"images": soft_labels(4)}, {}, CLASSES))
    assert read_labels(path, "tiles").probabilities.shape == (4, 2)
    with pytest.raises(SourceError, match="has no labels of crops: export the set with --label-c"):
        read_labels(path, "tiles", crops=True)


def test_soft_labels__that_are_missing_damaged_or_of_other_images(tmp_path):
    write_export(tmp_path)
    exported = read_export(tmp_path)
    with pytest.raises(SourceError, match="has no soft labels: export the set with --teacher"):
        exported.soft_labels(unpack=False)
    (tmp_path / LABELS).write_bytes(b"pickle")
    with pytest.raises(
        SourceError, match="is damaged: it has no checksum of dsel; export the set again"
    ):
        exported.soft_labels(unpack=False)
    fitting, other = soft_labels(4, 3), soft_labels(4, 2)
    assert fitting.crops is not None
    assert other.crops is not None
    mixed = SoftLabels(fitting.probabilities, replace(fitting.crops, flips=other.crops.flips))
    for wrong in (soft_labels(5), mixed):
        crops = wrong.crops is not None
        (tmp_path / LABELS).write_bytes(label_bytes({"images": wrong}, {}, CLASSES))
        with pytest.raises(SourceError, match="does not fit the images: export the set again"):
            exported.soft_labels(False, crops)
    (tmp_path / LABELS).write_bytes(label_bytes({"images": fitting}, {}, CLASSES))
    assert exported.soft_labels(False, crops=True).crops is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "dsel export 4"}, "reads 'dsel export 5': export the set again"),
        ({"complete": False}, "is not finished: run the same export again"),
        ({"classes": ["cat"]}, "is damaged: .*; export the set again"),
        ({"images": [{"file": "train/a.png"}]}, "is damaged"),
        ({"images": [{"file": "../a.png", "class": "cat", "patches": []}]}, "is damaged"),
        ({"images": [{"file": "/a.png", "class": "cat", "patches": []}]}, "is damaged"),
    ],
)
def test_read_export__refuses(tmp_path, changes, message):
    write_export(tmp_path, **changes)
    with pytest.raises(SourceError, match=message):
        read_export(tmp_path)


@pytest.mark.parametrize(
    ("place", "value"), [("width", 1e9), ("x", -1), ("height", 0), ("y", float("nan")), ("x", "0")]
)
def test_read_export__refuses_tiles_outside_of_their_image(tmp_path, place, value):
    write_export(tmp_path, factor=2)
    record = record_of(tmp_path / MANIFEST)
    record["images"][1]["patches"][2]["tile_box"][place] = value
    rewrite(tmp_path / MANIFEST, record)
    with pytest.raises(SourceError, match=r"is damaged: .*; export the set again"):
        read_export(tmp_path)


def test_read__an_image_of_another_size(tmp_path):
    write_export(tmp_path)
    exported = read_export(tmp_path)
    file = tmp_path / exported.images[0].file
    Image.new("RGB", (5, 4)).save(file)
    with pytest.raises(SourceError, match="is damaged: it differs from its checksum"):
        exported.read(0)
    record = record_of(tmp_path / MANIFEST)
    record["checksums"][exported.images[0].file] = digest(file.read_bytes())
    rewrite(tmp_path / MANIFEST, record)
    with pytest.raises(SourceError, match=r"px: export the set again"):
        read_export(tmp_path).read(0)


def test_read_export__that_is_none(tmp_path):
    with pytest.raises(SourceError, match=r"is not an export of dsel: it has no manifest\.json"):
        read_export(tmp_path)
    (tmp_path / "set.zip").write_text("")
    with pytest.raises(SourceError, match="is a file: give the folder of an export"):
        read_export(tmp_path / "set.zip")
    for content in ("[]", "{", '{"format": 3}'):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(SourceError, match="export the set again"):
            read_export(tmp_path)


def test_labelled_images__an_image_that_is_missing(tmp_path):
    write_export(tmp_path)
    record = json.loads((tmp_path / "manifest.json").read_text())
    file: Path = tmp_path / record["images"][1]["file"]
    file.unlink()
    with pytest.raises(SourceError, match=r"cat_id00001\.png is missing: export the set again"):
        labelled_images(read_export(tmp_path), 0, unpack=True)
