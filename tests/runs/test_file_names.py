"""File names of other tools and the ids of images, by hand."""

from __future__ import annotations

import pytest

from dsel.runs.file_names import match_names

NFC, NFD = "caf\u00e9/1.png", "cafe\u0301/1.png"


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
        ("cat/a.png", ["images\\train\\cat\\a.png", "images\\train\\dog\\a.png"],
         "images\\train\\cat\\a.png"),
        ("cat/a.png", ["C:\\data\\cat\\a.png", "C:\\data\\dog\\a.png"], "C:\\data\\cat\\a.png"),
        ("cat\\a.png", ["cat/a.png", "dog/a.png"], "cat/a.png"),
        ("cat/a.png", ["./cat/a.png", "./dog/a.png"], "./cat/a.png"),
        (NFC, [NFD, "x/1.png"], NFD), (NFD, [NFC, "x/1.png"], NFC),
        ("cat/a.png", ["CAT/A.PNG", "DOG/A.PNG"], "CAT/A.PNG"),
        ("cat/a.png", ["Cat/a.png", "Dog/a.png"], "Cat/a.png"),
        ("cat/a.png", ["Cat/a.png", "CAT/a.png"], None),
        ("cat/a.png", ["Cat/a.png", "cat/a.png"], "cat/a.png"),
    ],
)  # fmt: skip
def test_match_names__where_an_end_is_unique(
    image_id: str, names: list[str], found: str | None
) -> None:
    assert match_names(names, [image_id]) == ({} if found is None else {image_id: found})


def test_match_names__an_end_of_two_images_decides_nothing() -> None:
    assert match_names(["a.png", "x/b.png"], ["cat/a.png", "dog/a.png", "cat/b.png"]) == {
        "cat/b.png": "x/b.png"
    }


def test_match_names__a_name_belongs_to_one_image() -> None:
    assert match_names(["cat/a.png"], ["cat/a.png", "CAT/A.png"]) == {"cat/a.png": "cat/a.png"}


@pytest.mark.parametrize(
    ("name", "found"),
    [("dog/a.png", False), ("Dog/a.png", False), ("JPEGImages/a.png", True), ("a.png", True)],
)
def test_match_names__another_class_folder_is_another_image(name: str, found: bool) -> None:
    matched = match_names([name], ["cat/a.png"], {"cat", "dog"})
    assert matched == ({"cat/a.png": name} if found else {})
    assert match_names([name], ["a.png"], {"cat", "dog"}) == {"a.png": name}
