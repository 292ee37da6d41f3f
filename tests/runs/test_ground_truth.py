"""Masks read from COCO JSON against hand-made ones, and file names matched with image ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from dsel.data.toybox_dataset import run_lengths
from dsel.errors import SourceError
from dsel.runs.ground_truth import (
    GroundTruth,
    Mask,
    annotation_mask,
    largest_shares,
    match_names,
    read_objects,
)
from dsel.types import Box, Frame

DEMO_BOXES = Path(__file__).parents[2] / "assets/demo_run/boxes.json"


def coco(*objects: tuple[str, tuple[int, int], dict[str, Any]]) -> dict[str, Any]:
    """A record of one annotation per (file name, (height, width), annotation)."""
    images = [
        {"id": n, "file_name": name, "height": shape[0], "width": shape[1]}
        for n, (name, shape, _) in enumerate(objects)
    ]
    annotations = [{"image_id": n} | entry for n, (_, _, entry) in enumerate(objects)]
    return {"images": images, "annotations": annotations}


def written(folder: Path, record: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps(record))
    return path


def rectangle(shape: tuple[int, int], x: int, y: int, width: int, height: int) -> Mask:
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 9999),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
)  # fmt: skip
def test_read_objects__run_lengths_come_back(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    entry = {"segmentation": {"counts": run_lengths(mask), "size": list(mask.shape)}}
    path = written(tmp_path_factory.mktemp("coco"), coco(("a.png", mask.shape, entry)))
    assert np.array_equal(read_objects(path)["a.png"], mask)


def test_read_objects__run_lengths_go_down_the_columns(tmp_path: Path) -> None:
    entry = {"segmentation": {"counts": [1, 2, 3], "size": [2, 3]}}
    found = read_objects(written(tmp_path, coco(("a.png", (2, 3), entry))))
    assert found["a.png"].astype(int).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_read_objects__objects_of_one_image_are_joined(tmp_path: Path) -> None:
    record = coco(
        ("a.png", (6, 8), {"bbox": [1, 2, 3, 2]}), ("b.png", (4, 4), {"bbox": [0, 0, 1, 1]})
    )
    square = [[0, 4, 2, 4, 2, 6, 0, 6]]
    record["annotations"] += [
        {"image_id": 0, "bbox": [6.4, 0, 1.2, 1]},
        {"image_id": 0, "segmentation": square, "bbox": [0, 0, 8, 6]},
    ]
    found = read_objects(written(tmp_path, record))
    expected = rectangle((6, 8), 1, 2, 3, 2) | rectangle((6, 8), 6, 0, 2, 1)
    assert np.array_equal(found["a.png"], expected | rectangle((6, 8), 0, 4, 2, 2))
    assert found["b.png"].sum() == 1


@pytest.mark.parametrize("extra", [{}, {"bbox": [0, 0, 40, 30]}])
def test_read_objects__polygons(tmp_path: Path, extra: dict[str, Any]) -> None:
    """A triangle over half of a square of 20 px, and a square of 4 px, in one annotation."""
    polygons = [[5, 5, 25, 5, 5, 25], [30, 20, 34, 20, 34, 24, 30, 24]]
    record = coco(("a.png", (30, 40), {"segmentation": polygons, **extra}))
    mask = read_objects(written(tmp_path, record))["a.png"]
    triangle = mask[5:25, 5:25]
    rows, columns = np.indices((20, 20))
    assert triangle[rows + columns < 18].all()
    assert not triangle[rows + columns > 20].any()
    assert np.array_equal(mask[:, 26:], rectangle((30, 14), 4, 20, 4, 4))
    mask[5:25, 5:25] = False
    assert mask.sum() == 16


def test_read_objects__a_polygon_beyond_the_image_is_cut_off(tmp_path: Path) -> None:
    polygon = [[-3, -3, 5, -3, 5, 4, -3, 4]]
    found = read_objects(written(tmp_path, coco(("a.png", (6, 8), {"segmentation": polygon}))))
    assert np.array_equal(found["a.png"], rectangle((6, 8), 0, 0, 5, 4))


@settings(max_examples=50, deadline=None)
@given(
    height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 9999),
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
)  # fmt: skip
def test_annotation_mask__compressed_run_lengths(
    height: int, width: int, seed: int, share: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    coded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = coded["counts"].decode()
    for rle in ({"counts": counts}, {"counts": counts, "size": [height, width]}):
        annotation = {"segmentation": rle, "bbox": [0, 0, 9, 9]}
        assert np.array_equal(annotation_mask(annotation, mask.shape), mask)


def test_annotation_mask__pixels_after_the_last_run_are_background() -> None:
    """5 pixels of background, 3 of the object, then nothing: COCO writes "53"."""
    found = annotation_mask({"segmentation": {"counts": "53", "size": [400, 500]}}, (400, 500))
    assert np.flatnonzero(found.T.ravel()).tolist() == [5, 6, 7]
    assert not annotation_mask({"segmentation": {"counts": ""}}, (3, 2)).any()


def slow_from_run_lengths(counts: list[int], shape: tuple[int, int]) -> Mask:
    """Undo run lengths, which run down the columns and start with background."""
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(shape, order="F")


def test_read_objects__the_demo_runs_masks() -> None:
    record = json.loads(DEMO_BOXES.read_text("utf-8"))
    names = {image["id"]: image["file_name"] for image in record["images"]}
    found = read_objects(DEMO_BOXES)
    assert len(found) == len(record["annotations"]) == 400
    for annotation in record["annotations"]:
        rle = annotation["segmentation"]
        slow = slow_from_run_lengths(rle["counts"], tuple(rle["size"]))
        assert np.array_equal(found[names[annotation["image_id"]]], slow)


def test_read_objects__a_box_beyond_the_picture_is_cut_off(tmp_path: Path) -> None:
    record = coco(
        ("a.png", (6, 8), {"bbox": [-2, -1, 4, 3]}), ("b.png", (6, 8), {"bbox": [5, 5, 9, 9]})
    )
    found = read_objects(written(tmp_path, record))
    assert np.array_equal(found["a.png"], rectangle((6, 8), 0, 0, 2, 2))
    assert np.array_equal(found["b.png"], rectangle((6, 8), 5, 5, 3, 1))


def test_read_objects__is_a_mapping_of_fresh_masks(tmp_path: Path) -> None:
    record = coco(("a.png", (6, 8), {"bbox": [1, 2, 3, 2]}), ("b.png", (4, 4), {"bbox": []}))
    del record["annotations"][1]
    found = read_objects(written(tmp_path, record))
    assert (len(found), list(found), "a.png" in found, "c.png" in found) == (
        2, ["a.png", "b.png"], True, False,
    )  # fmt: skip
    assert not found["b.png"].any()
    found["a.png"][:] = False  # is the caller's own
    assert np.array_equal(found["a.png"], rectangle((6, 8), 1, 2, 3, 2))
    with pytest.raises(KeyError):
        found["c.png"]


GOOD = coco(("a.png", (4, 4), {"bbox": [0, 0, 1, 1]}))


def changed(**annotation: Any) -> dict[str, Any]:
    return {**GOOD, "annotations": [{"image_id": 0} | annotation]}


@pytest.mark.parametrize(
    "record",
    [
        [], {}, 3, None, "text", {"images": []}, {"images": 3, "annotations": []},
        {"images": [{"id": 1}], "annotations": []},
        {"images": [{"id": 1, "file_name": "a", "height": "x", "width": 2}], "annotations": []},
        {"images": [{"id": 1, "file_name": "a", "height": -1, "width": 2}], "annotations": []},
        {**GOOD, "annotations": [{"image_id": 7, "bbox": [0, 0, 1, 1]}]},
        {**GOOD, "annotations": [3]},
        changed(), changed(bbox=None), changed(bbox=[1, 2, 3]), changed(bbox="abcd"),
        changed(bbox=[0, 0, float("nan"), 1]), changed(bbox=[0, 0, float("inf"), 1]),
        changed(segmentation={"counts": [3, 4]}), changed(segmentation={"counts": [20, -4]}),
        changed(segmentation={"counts": ["x"]}), changed(segmentation={"counts": "abc`1"}),
        changed(segmentation={"counts": [0.5, 15.5]}), changed(segmentation={"counts": 7}),
        changed(segmentation={"counts": [True, 15]}), changed(segmentation={"size": [4, 4]}),
        changed(segmentation={"counts": [8, 8], "size": [2, 8]}),
        changed(segmentation=[[0, 0, 3, 3]]), changed(segmentation=[[0, 0, 3, 0, 3, 3, 1]]),
        changed(segmentation=[[]]), changed(segmentation=[[0, 0, 3, 0, 3, float("nan")]]),
        changed(segmentation=[[0, 0, 1e9, 0, 3, 3]]), changed(segmentation=[["a"] * 6]),
        changed(segmentation="abcdef"), changed(segmentation=3),
        {"images": [{"id": 1, "file_name": "a", "height": 10**9, "width": 10**9}],
         "annotations": []},
    ],
    ids=str,
)  # fmt: skip
def test_read_objects__bad_records(tmp_path: Path, record: Any) -> None:
    path = written(tmp_path, record)
    with pytest.raises(SourceError, match="is not COCO JSON with images and annotations") as caught:
        read_objects(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"PK\x03\x04"], ids=str)
def test_read_objects__bad_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is not COCO JSON"):
        read_objects(path)


def test_read_objects__no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is not a file: name the boxes\.json"):
        read_objects(tmp_path / "boxes.json")
    with pytest.raises(SourceError, match=r"is not a file: name the boxes\.json"):
        read_objects(tmp_path / "gone" / "boxes.json")


def test_read_objects__a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is not a file: name the boxes\.json"):
        read_objects(tmp_path)


@pytest.mark.parametrize(
    ("image_id", "names", "found"),
    [
        ("cat/a.png", ["cat/a.png", "dog/a.png"], "cat/a.png"),
        ("cat/a.png", ["train/cat/a.png", "train/dog/a.png"], "train/cat/a.png"),
        ("train/cat/a.png", ["cat/a.png", "dog/a.png"], "cat/a.png"),
        ("cat/a.png", ["a.png"], "a.png"),
        ("a.png", ["cat/a.png"], "cat/a.png"),
        ("a.png", ["cat/a.png", "dog/a.png"], None),
        ("fox/a.png", ["cat/a.png", "dog/a.png"], None),
        ("cat/a.png", ["train/cat/a.png", "val/cat/a.png"], None),
        ("a.png", ["cat/a.png", "dog/a.png", "a.png"], "a.png"),
        ("cat/a.jpg", ["cat/a.png"], None),
        ("cat/a.png", ["cat/ba.png"], None),
    ],
)
def test_match_names__where_an_end_is_unique(
    image_id: str, names: list[str], found: str | None
) -> None:
    assert match_names(names, [image_id]) == ({} if found is None else {image_id: found})


def test_match_names__an_end_of_two_images_decides_nothing() -> None:
    assert match_names(["a.png", "x/b.png"], ["cat/a.png", "dog/a.png", "cat/b.png"]) == {
        "cat/b.png": "x/b.png"
    }


def test_largest_shares__by_hand(tmp_path: Path) -> None:
    """The view is the left 4 x 4 px of 4 x 8: of 3 and 6 px of it, and a third object outside."""
    record = coco(
        ("a.png", (4, 8), {"bbox": [0, 0, 1, 3]}), ("b.png", (4, 8), {"bbox": [0, 0, 8, 4]})
    )
    record["annotations"] += [
        {"image_id": 0, "bbox": [1, 0, 3, 2]}, {"image_id": 0, "bbox": [4, 0, 4, 4]},
    ]  # fmt: skip
    objects = read_objects(written(tmp_path, record))
    frame = Frame(8, 4, Box(0, 0, 4, 4), 16, 16)
    truth = GroundTruth(objects, {"cat/1": "a.png", "cat/2": "b.png"})
    found = largest_shares(truth, dict.fromkeys(("cat/2", "cat/3", "cat/1"), frame))
    np.testing.assert_allclose(found, [1, np.nan, 6 / 16])
