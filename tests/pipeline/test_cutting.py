"""Pixels of patches, cut out of the source or out of the run's proxies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toyset import scored_run, write_pictures

from dsel.data.images import crop, decode
from dsel.errors import RunError, SourceError
from dsel.pipeline.cutting import open_origin, proxy_cutter, read_proxy, source_cutter, source_of
from dsel.runs import Run
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


def test_proxy_cutter__crops_the_proxy(run):
    one = patch(run, "cat/02.png", Box(4, 8, 16, 16), Box(2, 6, 20, 20))
    (row,) = (row for row in run.images if row.id == "cat/02.png")
    proxy = read_proxy(run, row)
    assert np.array_equal(proxy, decode(run.image_bytes([row], "proxy")[0]))
    assert np.array_equal(proxy_cutter(run)(one, 10, 12), crop(proxy, Box(2, 6, 20, 20), 10, 12))
