"""The boxes.json of a zip file: it becomes that of the run, if it fits."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.coco import coco
from support.toyset import QUICK, dataset_of, finish, toy_prior, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.config import SelectSettings
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.types import Notice

FITTING = coco(
    ("cat/00.png", (36, 40), {"bbox": [2, 2, 12, 12]}),
    ("dog/00.png", (36, 40), {"bbox": [20, 10, 12, 12]}),
)


def scored(tmp_path: Path, boxes: dict[str, Any] | str | None, top: str = "") -> list[str]:
    """Score a zip of four pictures; the notices about boxes."""
    source = write_pictures(tmp_path / "source", {"cat": 2, "dog": 2})
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(source.rglob("*.png")):
            archive.write(path, f"{top}{path.relative_to(source)}")
        if boxes is not None:
            content = boxes if isinstance(boxes, str) else json.dumps(boxes)
            archive.writestr(f"{top}boxes.json", content)
    events = finish(score(dataset_of(tmp_path / "pets.zip"), toy_prior(), tmp_path / "run", QUICK))
    return [e.text for e in events if isinstance(e, Notice) and "boxes.json" in e.text]


@pytest.mark.parametrize("top", ["", "pets/"])
def test_take_boxes__of_a_zip_are_those_of_its_run(tmp_path, top):
    assert scored(tmp_path, FITTING, top) == [
        "the boxes.json of the zip file is stored in the run: 2 of 4 images have an object"
    ]
    explorer = Explorer(open_run(tmp_path / "run"))
    chosen = explorer.localization_overall(SelectSettings(patch_px=12))[0]
    assert (chosen.kind, chosen.images) == ("chosen", 2)


@pytest.mark.parametrize(
    ("boxes", "why"),
    [
        ("no json", "is not COCO JSON with images and annotations"),
        (coco(("cow/9.png", (36, 40), {"bbox": [2, 2, 9, 9]})), "none of the run's images"),
        (coco(("cat/00.png", (99, 40), {"bbox": [2, 2, 9, 9]})), "has 40 x 99 px in the file"),
    ],
)
def test_take_boxes__that_do_not_fit_are_left_out_with_the_reason(tmp_path, boxes, why):
    (text,) = scored(tmp_path, boxes)
    assert text.startswith("the boxes.json of the zip file is left out: ")
    assert why in text
    assert "/tmp" not in text
    assert not (tmp_path / "run/boxes.json").exists()


def test_take_boxes__the_run_s_own_stay(tmp_path):
    scored(tmp_path, None)
    own = tmp_path / "run/boxes.json"
    own.write_text("mine")
    assert scored(tmp_path, FITTING) == []
    assert own.read_text() == "mine"


def test_take_boxes__too_large_a_file_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("dsel.data.zip_file.MAX_BOXES_BYTES", 10)
    (text,) = scored(tmp_path, FITTING)
    assert "is left out" in text


def test_take_boxes__that_take_too_long_to_draw_are_left_out(tmp_path, monkeypatch):
    """Two objects of 40 x 36 px: at most as many pixels as both, and one fewer."""
    monkeypatch.setattr("dsel.pipeline.zipped_boxes.MOST_DRAWN_PX", 2 * 40 * 36)
    assert "is stored in the run" in scored(tmp_path / "enough", FITTING)[0]
    monkeypatch.setattr("dsel.pipeline.zipped_boxes.MOST_DRAWN_PX", 2 * 40 * 36 - 1)
    (text,) = scored(tmp_path / "less", FITTING)
    assert text == (
        "the boxes.json of the zip file is left out: drawing its objects may take at most 2.88e-06 "
        "gigapixels, each as large as its image, which annotation 1 ('dog/00.png') exceeds: keep "
        "fewer objects, or smaller images"
    )
