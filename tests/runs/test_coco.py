"""COCO JSON entry by entry: what is read, and the one line about what is not."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.coco import coco, written

from dsel.errors import SourceError
from dsel.runs.coco import MOST_BYTES, read_coco

GOOD = coco(
    ("cat/a.png", (4, 6), {"bbox": [1, 1, 2, 2]}), ("b.png", (3, 3), {"bbox": [0, 0, 3, 3]})
)
CAT_AND_DOG = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read_coco(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    assert len(line) < 400 + len(str(path))
    return line


def image(**changes: Any) -> dict[str, Any]:
    """The good record with a changed first image."""
    first, second = GOOD["images"]
    return {
        **GOOD,
        "images": [{k: v for k, v in (first | changes).items() if v != "absent"}, second],
    }


def annotation(**changes: Any) -> dict[str, Any]:
    """The good record with a changed first annotation."""
    first, second = GOOD["annotations"]
    return {**GOOD, "annotations": [first | changes, second]}


def test_read_coco__pictures_with_their_objects(tmp_path: Path) -> None:
    record = {**annotation(category_id=2, iscrowd=0), "categories": CAT_AND_DOG}
    record["annotations"][1]["category_id"] = 1
    file = read_coco(written(tmp_path, record))
    assert list(file.pictures) == ["cat/a.png", "b.png"]
    picture = file.pictures["cat/a.png"]
    assert (picture.width, picture.height, picture.crowds) == (6, 4, 0)
    (one,) = picture.objects
    assert (one.label, one.category) == ("annotation 0 ('cat/a.png')", "dog")
    assert one.annotation["bbox"] == [1, 1, 2, 2]
    assert file.categories == ["cat", "dog"]


@pytest.mark.parametrize("flag", [{"iscrowd": 1}, {"iscrowd": True}, {"ignore": 1}], ids=str)
def test_read_coco__crowd_regions_are_left_out(tmp_path: Path, flag: dict[str, Any]) -> None:
    crowd = {"image_id": 0, "bbox": [0, 0, 6, 4], **flag}
    file = read_coco(written(tmp_path, {**GOOD, "annotations": [*GOOD["annotations"], crowd]}))
    assert (len(file.pictures["cat/a.png"].objects), file.pictures["cat/a.png"].crowds) == (1, 1)
    assert (len(file.pictures["b.png"].objects), file.pictures["b.png"].crowds) == (1, 0)


@pytest.mark.parametrize("image_id", [0, "0", 0.0])
def test_read_coco__ids_may_be_numbers_or_text(tmp_path: Path, image_id: Any) -> None:
    file = read_coco(written(tmp_path, annotation(image_id=image_id)))
    assert len(file.pictures["cat/a.png"].objects) == 1


def test_read_coco__annotation_ids_name_but_do_not_decide(tmp_path: Path) -> None:
    file = read_coco(written(tmp_path, annotation(id=1)))  # that of the other annotation
    assert [len(one.objects) for one in file.pictures.values()] == [1, 1]


def test_read_coco__a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert len(read_coco(path).pictures) == 2


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], "it is a list"), (3, "it is a number"), (None, "it is a value"),
        ("text", "it is a text"), ({}, "it has no images, only nothing"),
        ({"images": []}, "it has no annotations, only 'images'"),
        ({"shapes": [], "imagePath": "a"}, "it has no images, only 'shapes', 'imagePath'"),
        ({"images": 3, "annotations": []}, "its images must be a list, got 3"),
        ({"images": [], "annotations": None}, "its annotations must be a list, got None"),
    ],
    ids=str,
)  # fmt: skip
def test_read_coco__other_json(tmp_path: Path, record: Any, words: str) -> None:
    line = refusal(written(tmp_path, record))
    assert f"is not COCO JSON with images and annotations: {words}" in line


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (image(id=1), "the images 'cat/a.png' and 'b.png' have the same id 1"),
        (image(id="1"), "the images 'cat/a.png' and 'b.png' have the same id 1"),
        (image(id=None), "images[0] must have an id, got None"),
        (image(id=[1]), "images[0] must have an id, got [1]"),
        (image(id=True), "images[0] must have an id, got True"),
        (image(file_name=None), "images[0] must have a file_name, got None"),
        (image(file_name=" "), "images[0] must have a file_name, got ' '"),
        (image(file_name="b.png"), "'b.png' is listed twice, as the images 0 and 1"),
        (image(width="absent"), "images[0] ('cat/a.png') must have a width and a height in whole "
         "pixels, got None x 4"),
        (image(height=-4), "got 6 x -4"), (image(height=4.5), "got 6 x 4.5"),
        (image(width="6"), "got '6' x 4"), (image(width=0), "got 0 x 4"),
        (image(width=float("inf")), "got inf x 4"),
        (image(width=10**9, height=10**9), "images[0] ('cat/a.png') has 1000000000 x 1000000000 "
         "px, more than the 100 megapixels that dsel reads"),
        ({**GOOD, "images": [3]}, "images[0] must be an object, got 3"),
        ({**GOOD, "annotations": [3]}, "annotations[0] must be an object, got 3"),
        (annotation(image_id=99999), "annotation 0 has the image_id 99999, which is the id of no "
         "image"),
        (annotation(image_id=None, id=None), "annotations[0] has the image_id None"),
        ({**annotation(category_id=7), "categories": CAT_AND_DOG}, "annotation 0 ('cat/a.png') has "
         "the category_id 7, which is the id of no category"),
        ({**GOOD, "categories": CAT_AND_DOG}, "annotation 0 ('cat/a.png') has the category_id "
         "None"),
        ({**GOOD, "categories": [*CAT_AND_DOG, {"id": 1, "name": "cow"}]}, "the categories 'cat' "
         "and 'cow' have the same id 1"),
        ({**GOOD, "categories": [{"id": 1}]}, "categories[0] must have a name, got None"),
        ({**GOOD, "categories": {"1": "cat"}}, "its categories must be a list, got {'1': 'cat'}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_read_coco__names_the_entry_that_is_wrong(tmp_path: Path, record: Any, words: str) -> None:
    path = written(tmp_path, record)
    assert refusal(path).startswith(f"{path}: ")
    assert words in refusal(path)


def test_read_coco__names_differ_in_more_than_spelling(tmp_path: Path) -> None:
    same = coco(("cat/é.png", (3, 3), {}), ("cat\\e\u0301.png", (3, 3), {}))
    assert "is listed twice, as the images 0 and 1" in refusal(written(tmp_path, same))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"), (b"{", "Expecting property name"), (b"\xff\xfe\x00", "decode"),
        (b"PK\x03\x04", "Expecting value"), (b"[" * 200_000, "it is nested too deeply"),
        (b"1" * 5000, "Exceeds the limit"),
        (b"<annotation><folder>VOC2012</folder></annotation>", "it is XML, as of Pascal VOC"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", "it is XML, as of Pascal VOC"),
        (b"0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.2 0.2\n", "it has rows of numbers, as YOLO labels do"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_read_coco__files_of_other_formats(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    line = refusal(path)
    assert "is not COCO JSON with images and annotations: " in line
    assert words in line


def test_read_coco__a_file_beyond_reason(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "has 1.0 GiB; dsel reads true boxes from at most 1 GiB" in refusal(path)


def test_read_coco__no_file(tmp_path: Path) -> None:
    assert "does not exist: name a COCO JSON file" in refusal(tmp_path / "boxes.json")
    assert "does not exist" in refusal(tmp_path / "gone" / "boxes.json")
    assert "is a folder, not a file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe or a device, not a file" in refusal(tmp_path / "pipe")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["id", "image_id", "file_name", "width", "height", "category_id", "name", "iscrowd", "bbox"]
)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["images", "annotations", "categories"]), field=FIELDS, value=JSON,
    whole=st.booleans(),
)  # fmt: skip
def test_read_coco__any_value_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, field: str, value: Any, whole: bool
) -> None:
    record = {**GOOD, "categories": CAT_AND_DOG}
    record[kind] = value if whole else [{**record[kind][0], field: value}, *record[kind][1:]]
    path = written(tmp_path_factory.mktemp("coco"), record)
    with suppress(SourceError):
        read_coco(path)
