"""Pixels of patches, cut out of the source or out of the run's proxies."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toyset import QUICK, finish, scored_run, toy_prior, write_pictures

from dsel.config import ExportSettings, SourceSettings
from dsel.data import open_dataset
from dsel.data.images import checksum, crop, decode
from dsel.errors import RunError, SourceError
from dsel.pipeline.cutting import (
    is_as_scored,
    open_origin,
    proxy_cutter,
    read_proxy,
    source_cutter,
    source_of,
)
from dsel.pipeline.export import export
from dsel.pipeline.score import score
from dsel.runs import Run, open_run
from dsel.types import Box, Patch


@pytest.fixture
def run(tmp_path: Path) -> Run:
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 1})
    return scored_run(root, tmp_path / "run")


def patch(run: Run, image_id: str, box: Box, cut: Box) -> Patch:
    (row,) = (row for row in run.images if row.id == image_id)
    boxes = box, row.frame.to_source(box), row.frame.to_source(cut)
    return Patch(image_id, row.class_index, *boxes, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0)


def test_source_of__by_what_is_wanted(run):
    for pixels in ("auto", "source"):
        dataset, reason = source_of(run, pixels)
        assert dataset.fingerprint == run.identity.dataset_fingerprint
        assert reason == ""
    assert source_of(run, "proxy") == (None, "")


def test_source_of__gone(run, tmp_path):
    shutil.rmtree(tmp_path / "pictures")
    with pytest.raises(SourceError):
        open_origin(run)
    dataset, reason = source_of(run, "auto")
    assert dataset is None
    assert reason.startswith("cutting from the run's proxies, since the source cannot be read: ")
    with pytest.raises(RunError, match="the source cannot be read: "):
        source_of(run, "source")


def test_source_of__changed(run, tmp_path):
    Image.new("RGB", (50, 50)).save(tmp_path / "pictures/cat/new.png")
    changed = "the source has changed since the run was scored"
    assert source_of(run, "auto") == (None, f"cutting from the run's proxies, since {changed}")
    with pytest.raises(RunError, match=f"{changed}: score it again, or use --pixels proxy"):
        source_of(run, "source")


def test_source_cutter__crops_the_source(run, tmp_path):
    one = patch(run, "cat/01.png", Box(4, 8, 16, 16), Box(2, 6, 20, 20))
    cut = source_cutter(run, open_origin(run))
    whole = np.asarray(Image.open(tmp_path / "pictures/cat/01.png"))
    assert np.array_equal(cut(one, 10, 12), crop(whole, one.cut_box, 10, 12))


def test_source_cutter__an_image_that_changed_since_it_was_opened(run, tmp_path):
    dataset = open_origin(run)
    box = Box(0, 0, 16, 16)
    Image.new("RGB", (50, 50)).save(tmp_path / "pictures/cat/00.png")
    (tmp_path / "pictures/cat/01.png").write_text("gone")
    cut = source_cutter(run, dataset)
    with pytest.raises(RunError, match=r"cat/00.png has changed since the run was scored: score"):
        cut(patch(run, "cat/00.png", box, box), 8, 8)
    with pytest.raises(RunError, match=r"cat/01.png is text, not an image: replace it, or use"):
        cut(patch(run, "cat/01.png", box, box), 8, 8)


def write_bitmaps(root: Path, shift: int = 0) -> Path:
    """Pictures whose files have the same size in bytes, whatever they show."""
    for name in ("cat/0.bmp", "cat/1.bmp", "dog/0.bmp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 200, (40, 40, 3), np.uint8)
        pixels[0, 0] = name.encode()[0], name.encode()[4], shift
        Image.fromarray(pixels).save(root / name)
    return root


def test_source_cutter__a_picture_that_was_replaced_by_one_of_the_same_size(tmp_path):
    root = write_bitmaps(tmp_path / "pictures")
    run = scored_run(root, tmp_path / "run")
    box = Box(0, 0, 16, 16)
    other = write_bitmaps(tmp_path / "others", shift=1) / "cat/1.bmp"  # one channel of one pixel
    assert other.stat().st_size == (root / "cat/1.bmp").stat().st_size
    shutil.copy(other, root / "cat/1.bmp")
    dataset, reason = source_of(run, "source")
    assert reason == ""
    cut = source_cutter(run, dataset)
    cut(patch(run, "cat/0.bmp", box, box), 8, 8)
    with pytest.raises(RunError) as caught:
        cut(patch(run, "cat/1.bmp", box, box), 8, 8)
    assert str(caught.value) == (
        "cat/1.bmp has changed since the run was scored: score it again into a new run, or use "
        "--pixels proxy"
    )
    with pytest.raises(RunError, match=r"^cat/1.bmp has changed since"):
        finish(export(run, tmp_path / "out", ExportSettings()))
    finish(export(run, tmp_path / "proxies", ExportSettings(pixels="proxy")))


def test_source_cutter__another_file_with_the_same_pixels_is_the_same(tmp_path):
    root = write_bitmaps(tmp_path / "pictures")
    run = scored_run(root, tmp_path / "run")
    with Image.open(root / "cat/1.bmp") as image:
        image.load()
    image.save(root / "cat/1.bmp", "TIFF")
    cut, box = source_cutter(run, open_origin(run)), Box(0, 0, 16, 16)
    assert cut(patch(run, "cat/1.bmp", box, box), 8, 8).shape == (8, 8, 3)


def test_is_as_scored__kinds_of_sources(tmp_path):
    """Pixels are compared, but for rendered scenes: processors may round them differently."""
    root = write_bitmaps(tmp_path / "pictures")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for file in sorted(root.rglob("*.bmp")):
            archive.write(file, file.relative_to(root).as_posix())
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=[0, 1], classes=["cat", "dog"])
    for number, source in enumerate(("pictures", "p.zip", "a.npz")):
        dataset = open_dataset(str(tmp_path / source), SourceSettings())
        finish(score(dataset, toy_prior(), tmp_path / f"run{number}", QUICK))
        for ref, row in zip(dataset.refs, open_run(tmp_path / f"run{number}").images, strict=True):
            pixels = dataset.read(ref)
            assert row.checksum == checksum(pixels)
            assert is_as_scored(row, pixels, dataset)
            assert not is_as_scored(row, pixels ^ 1, dataset)
            assert not is_as_scored(row, pixels[1:], dataset)
            scenes = open_dataset("toybox", SourceSettings())
            assert is_as_scored(row, pixels ^ 1, scenes)
            assert not is_as_scored(row, pixels[1:], scenes)


def test_proxy_cutter__crops_the_proxy(run):
    one = patch(run, "cat/02.png", Box(4, 8, 16, 16), Box(2, 6, 20, 20))
    (row,) = (row for row in run.images if row.id == "cat/02.png")
    proxy = read_proxy(run, row)
    assert np.array_equal(proxy, decode(run.image_bytes([row], "proxy")[0]))
    assert np.array_equal(proxy_cutter(run)(one, 10, 12), crop(proxy, Box(2, 6, 20, 20), 10, 12))
