"""The toybox as a dataset, and as files that can be written in several attempts."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.sources import opened, put

from dsel.config import SourceSettings
from dsel.data import open_dataset, toybox
from dsel.data.images import decode
from dsel.data.toybox_dataset import RENDERER_VERSION, ToyboxScenes, run_lengths, write_toybox
from dsel.errors import SettingError, SourceError, StorageError, UnreadableImage
from dsel.types import Done, ImageRef, Progress, Started

ALL = SourceSettings()


def test_toybox__lists_a_hundred_scenes_per_class() -> None:
    found = open_dataset("toybox", ALL)
    assert found.classes == toybox.CLASSES
    assert Counter(ref.class_index for ref in found.refs) == dict.fromkeys(range(10), 100)
    assert found.refs[12].id == f"{toybox.CLASSES[0]}/{toybox.CLASSES[0]}_00012.png"


def test_toybox__a_subset_changes_no_scene() -> None:
    name = toybox.CLASSES[7]
    every = ToyboxScenes(SourceSettings(per_class=2, scene_seed=3))
    some = ToyboxScenes(SourceSettings(per_class=1, scene_seed=3, classes=(name,)))
    (ref,) = some.refs
    assert ref == ImageRef(f"{name}/{name}_00000.png", 0)
    assert np.array_equal(some.read(ref), every.read(every.refs[14]))
    scene = some.scene(ref)
    assert np.array_equal(scene.pixels, some.read(ref))
    x, y, width, height = scene.box
    assert scene.mask[y : y + height, x : x + width].sum() == scene.mask.sum() > 0


def test_toybox__fingerprint_and_refusals() -> None:
    variants = [{}, {"scene_seed": 1}, {"per_class": 7}, {"classes": (toybox.CLASSES[1],)}]
    prints = {open_dataset("toybox", SourceSettings(**v)).fingerprint for v in variants}
    assert len(prints) == 4
    same = open_dataset("toybox", SourceSettings(per_class=100)).fingerprint
    assert same in prints
    with pytest.raises(SettingError, match="unknown class 'cow'; known are: "):
        open_dataset("toybox", SourceSettings(classes=("cow",)))
    with pytest.raises(SourceError, match="toybox has no splits"):
        open_dataset("toybox", SourceSettings(split="train"))
    for id_ in ("cow/000000", toybox.CLASSES[0], f"{toybox.CLASSES[0]}/-1"):
        with pytest.raises(UnreadableImage):
            ToyboxScenes(ALL).read(ImageRef(id_, 0))


def unrolled(counts: list[int], size: list[int]) -> np.ndarray:
    """Decode COCO's run lengths, the slow way."""
    flat = [place % 2 == 1 for place, count in enumerate(counts) for _ in range(count)]
    return np.array(flat).reshape(size[1], size[0]).T


@pytest.mark.parametrize("fill", [None, False, True])
def test_run_lengths__round_trip(fill: bool | None) -> None:
    mask = np.random.default_rng(0).random((5, 7)) > 0.5
    if fill is not None:
        mask[:] = fill
    assert np.array_equal(unrolled(run_lengths(mask), [5, 7]), mask)
    assert run_lengths(np.array([[0, 1], [0, 1], [1, 1]], bool)) == [2, 4]


def files(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_write_toybox__pictures_boxes_and_masks(tmp_path: Path) -> None:
    events = list(write_toybox(tmp_path / "a", per_class=1, seed=2))
    assert events[0] == Started("toybox", 10, "images", 0)
    assert events.count(Progress()) == 10
    assert isinstance(events[-1], Done)
    coco = json.loads((tmp_path / "a" / "boxes.json").read_text())
    assert [c["name"] for c in coco["categories"]] == list(toybox.CLASSES)
    assert coco["info"]["renderer"] == RENDERER_VERSION
    for image, box in zip(coco["images"], coco["annotations"], strict=True):
        scene = toybox.render_scene(2, box["category_id"] - 1, 0)
        assert np.array_equal(decode(tmp_path / "a" / image["file_name"]), scene.pixels)
        assert (image["width"], image["height"]) == (128, 128)
        assert tuple(box["bbox"]) == scene.box
        assert box["area"] == scene.mask.sum()
        assert np.array_equal(unrolled(**box["segmentation"]), scene.mask)
        assert box["image_id"] == image["id"]
    found = opened(tmp_path / "a")
    assert sorted(found.classes) == sorted(toybox.CLASSES)
    assert len(found.refs) == 10


def test_write_toybox__goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    list(write_toybox(whole, per_class=1))
    events = write_toybox(stopped, per_class=1)
    for _ in range(5):
        next(events)
    events.close()
    journal = stopped / ".boxes.jsonl"
    journal.write_text(journal.read_text()[:-20])  # killed in the middle of a line
    (stopped / toybox.CLASSES[0] / f".{toybox.CLASSES[0]}_00000.png.99.partial").write_bytes(
        b"half"
    )
    started, *rest = write_toybox(stopped, per_class=1)
    assert started.done == 3
    assert rest.count(Progress()) == 7
    again = files(stopped)
    assert again == files(whole)
    assert next(write_toybox(whole, per_class=1)) == Started("toybox", 10, "images", 10)


def test_write_toybox__finished_sets_grow_and_lost_files_come_back(tmp_path: Path) -> None:
    list(write_toybox(tmp_path / "a", per_class=1))
    before = files(tmp_path / "a")
    (tmp_path / "a" / toybox.CLASSES[3] / f"{toybox.CLASSES[3]}_00000.png").unlink()
    assert next(write_toybox(tmp_path / "a", per_class=1)).done == 9
    list(write_toybox(tmp_path / "a", per_class=1))
    assert files(tmp_path / "a") == before


def test_write_toybox__refuses_what_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    put(mine / toybox.CLASSES[0] / f"{toybox.CLASSES[0]}_00000.png")
    with pytest.raises(StorageError, match=r"holds other files, such as .*choose an empty folder"):
        list(write_toybox(mine, per_class=1))
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "boxes.json").write_text('{"images": []}')
    with pytest.raises(StorageError, match="not the toybox's"):
        list(write_toybox(tmp_path / "boxes", per_class=1))
    list(write_toybox(tmp_path / "a", per_class=1))
    before = files(tmp_path / "a")
    with pytest.raises(StorageError, match=r"'seed': 0.*choose an empty folder, or the same seed"):
        list(write_toybox(tmp_path / "a", per_class=1, seed=1))
    assert files(tmp_path / "a") == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        list(write_toybox(tmp_path / "file", per_class=1))


def test_write_toybox__many_processes_write_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(write_toybox(tmp_path / "one", per_class=1))
    monkeypatch.setattr("dsel.data.toybox_dataset._SCENES_PER_WORKER", 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    list(write_toybox(tmp_path / "two", per_class=1))
    assert files(tmp_path / "one") == files(tmp_path / "two")
