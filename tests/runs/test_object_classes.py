"""Categories of a file and classes of a run with the same names."""

from __future__ import annotations

from typing import Any

import pytest
from support.coco import row, run_of

from dsel.runs.object_classes import ObjectClasses, folded, object_classes


def classes_of(names: dict[str, str], categories: list[str]) -> ObjectClasses:
    """The classes of a run: their names by their folders."""
    rows = [row(f"{folder}/1.png", (4, 4), n) for n, folder in enumerate(names)]
    return object_classes(run_of(list(names.values()), *rows), categories)


@pytest.mark.parametrize(
    ("folder", "name", "category"),
    [
        ("car", "car", "car"), ("car", "car", "Car"), ("rubber_duck", "rubber duck", "Rubber-Duck"),
        ("rubber_duck", "the duck", "rubber duck"), ("n01440764", "tench", "tench"),
        ("n01440764", "tench", "n01440764"), ("n01440764_fish", "a fish", "Tinca tinca"),
        ("cafe\u0301", "cafe\u0301", "Caf\u00e9"), ("STRASSE", "STRASSE", "stra\u00dfe"),
    ],
)  # fmt: skip
def test_object_classes__any_spelling_of_name_or_folder(
    folder: str, name: str, category: str
) -> None:
    found = classes_of({folder: name}, ["clutter", category])
    assert (found.fits(0, category), found.fits(0, "clutter"), found.notes) == (True, False, ())


def test_object_classes__the_same_spelling_comes_first() -> None:
    found = classes_of({"a-b": "a-b", "a b": "a b", "A": "A"}, ["a-b", "a b", "a", "A"])
    assert [found.of_class[n] for n in range(3)] == [{"a-b"}, {"a b"}, {"A"}]


def test_object_classes__symbols_are_no_separators() -> None:
    found = classes_of({"c": "c", "c++": "c++"}, ["C", "C++"])
    assert (found.of_class[0], found.of_class[1]) == ({"C"}, {"C++"})


@pytest.mark.parametrize(
    ("categories", "note"),
    [
        ([], "the file has no categories: all objects of an image are joined, whatever they are"),
        (["thing"], "none of the file's categories (thing) is named like the class car, robot: all "
         "objects of an image are joined, whatever they are"),
        (["robot", "clutter"], "none of the file's categories (clutter, robot) is named like the "
         "class car: all objects of their images are joined, whatever they are"),
    ],
)  # fmt: skip
def test_object_classes__without_a_match_everything_counts(
    categories: list[str], note: str
) -> None:
    found = classes_of({"car": "car", "robot": "robot"}, categories)
    assert found.notes == (note,)
    assert found.fits(0, "clutter")
    assert found.fits(0, "")
    assert found.fits(1, "clutter") == ("robot" not in categories)


def test_object_classes__images_without_a_folder() -> None:
    found: Any = object_classes(run_of(["cat"], row("00001", (4, 4))), ["Cat", "00001"])
    assert found.of_class == {0: {"Cat"}}


def test_folded__by_hand() -> None:
    assert folded("  Rubber__Duck-1.b ") == "rubber duck 1 b"
    assert folded("_") == ""
