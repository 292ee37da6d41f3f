"""What is said of a source before it is scored: split, classes, images and prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.toyset import dataset_of, write_pictures

from dsel.config import ScoreSettings
from dsel.contents import ClassContents, Contents
from dsel.pipeline.contents import contents_events, contents_lines, contents_of
from dsel.types import Notice

PROMPTS = ScoreSettings(prompt="a {class}", null_prompt="a thing")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two splits; the folder a has two names."""
    write_pictures(tmp_path / "Train", {"a": 2, "b": 1})
    write_pictures(tmp_path / "Test", {"a": 1, "b": 1})
    (tmp_path / "classes.json").write_text(json.dumps({"a": ["cat", "puss"]}))
    return tmp_path


def test_contents_of__a_folder(pets: Path) -> None:
    assert contents_of(dataset_of(pets), PROMPTS) == Contents(
        source=str(pets),
        split="Train",
        classes=(
            ClassContents("cat", "a", 2, ("a cat",)),
            ClassContents("b", "b", 1, ("a b",)),
        ),
        null_prompt="a thing",
    )


def test_contents_of__all_names_of_a_class(pets: Path) -> None:
    found = contents_of(dataset_of(pets), PROMPTS.replace(names="all"))
    assert found.classes[0].prompts == ("a cat", "a puss")


def test_contents_of__a_prior_of_labels_is_given_names_alone(pets: Path) -> None:
    found = contents_of(dataset_of(pets), ScoreSettings(), "labels")
    assert [one.prompts for one in found.classes] == [("cat",), ("b",)]
    assert found.null_prompt == ""


def test_contents_of__scenes_have_no_folders() -> None:
    found = contents_of(dataset_of(Path("toybox"), per_class=3), PROMPTS)
    assert (found.split, len(found.classes)) == ("", 10)
    assert {(one.folder, one.images) for one in found.classes} == {("", 3)}


def test_contents_events__notes_follow(pets: Path) -> None:
    _, *notes = contents_events(dataset_of(pets), PROMPTS)
    assert notes == [
        Notice("the split Train is read, and not Test"),
        Notice(f"{pets / 'classes.json'} has no name for b: their folders name these"),
    ]


def test_contents_lines__of_many_classes_the_first() -> None:
    classes = tuple(ClassContents(str(n), str(n), n + 1, (f"a {n}",)) for n in range(30))
    lines = contents_lines(Contents("photos", "", classes, ""))
    assert lines[:4] == [
        "source: photos", "split: none", "classes: 30, with 465 images", '  0: 1 image, "a 0"',
    ]  # fmt: skip
    assert lines[-2:] == ['  19: 20 images, "a 19"', "  and 10 more, with 21 to 30 images each"]
    assert len(lines) == 3 + 20 + 1
