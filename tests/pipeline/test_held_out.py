"""Held-out images: matched by class name, and never both a test and a validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.stored import flip
from support.synthetic import synthetic_run
from support.toyset import SMALL, dataset_of, finish, write_pictures
from support.trainer import Interrupted, trainer

from dsel.config import EvaluateSettings
from dsel.errors import SettingError
from dsel.pipeline.evaluate import evaluate
from dsel.pipeline.evaluated import open_sets
from dsel.pipeline.held_out import HeldOutTest, Subject, Validation, match_classes
from dsel.pipeline.select import select
from dsel.runs.evaluations import HeldOutSource
from dsel.types import Event, Notice, Skipped

__all__ = ["trainer"]

CLASSES = {"cat": 3, "dog": 2}
QUICK = EvaluateSettings(student_px=16, steps=5, seeds=1)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    pool = dataset_of(write_pictures(tmp_path / "pool", CLASSES))
    return Subject(tmp_path / "run", ("cat", "dog"), pool.fingerprint, pool.origin)


def pictures(tmp_path: Path, name: str, seed: int = 1) -> str:
    return str(write_pictures(tmp_path / name, CLASSES, seed))


def read(held_out, image_px: int):
    """The images, and the events before them."""
    events: list[Event] = []
    reading = held_out.read(image_px)
    while True:
        try:
            events.append(next(reading))
        except StopIteration as finished:
            return finished.value, events


@pytest.mark.parametrize("kind", [HeldOutTest, Validation])
def test_held_out__the_pool_itself_is_refused(subject, tmp_path, kind):
    with pytest.raises(SettingError, match="is the dataset that the set was chosen from"):
        kind(subject, str(tmp_path / "pool"))


@pytest.mark.parametrize("kind", [HeldOutTest, Validation])
def test_held_out__a_part_of_the_pool_is_refused(subject, tmp_path, kind):
    with pytest.raises(SettingError, match="is the dataset that the set was chosen from"):
        kind(subject, f"{tmp_path / 'pool'}:per-class=1")


def test_held_out__other_classes(subject, tmp_path):
    source = str(write_pictures(tmp_path / "other", {"cat": 1, "emu": 1}))
    with pytest.raises(
        SettingError, match=r"other classes than the set: cat, emu; the set has"
    ) as e:
        HeldOutTest(subject, source)
    assert e.value.fields["given"] == ["cat", "emu"]
    assert e.value.fields["wanted"] == ["cat", "dog"]


def test_match_classes__any_name_case_and_spaces():
    names = (("Hound", "dog"), ("big  Cat",))
    assert match_classes(names, ("big cat", "Dog")) == (1, 0)


@pytest.mark.parametrize("names", [(("a",),), (("a",), ("b",), ("c",)), (("a",), ("A",))])
def test_match_classes__each_class_has_one(names):
    with pytest.raises(SettingError, match="other classes"):
        match_classes(names, ("a", "b"))


def test_read__the_centre_square(subject, tmp_path):
    root = tmp_path / "stripes"
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, 10:30] = 200
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        Image.fromarray(wide).save(root / name / "a.png")
    images, _ = read(HeldOutTest(subject, str(root)), 20)
    assert images.images.shape == (2, 20, 20, 3)
    assert (images.images == 200).all()
    assert images.labels.tolist() == [0, 1]


def test_read__the_second_time_from_the_run(subject, tmp_path):
    source = pictures(tmp_path, "test")
    first, events = read(HeldOutTest(subject, source), 16)
    again, none = read(HeldOutTest(subject, source), 16)
    assert events
    assert not none
    assert np.array_equal(first.images, again.images)
    assert first.labels.tolist() == again.labels.tolist() == [0, 0, 0, 1, 1]


def test_read__images_that_cannot_be_read_are_skipped(subject, tmp_path):
    source = pictures(tmp_path, "test")
    (Path(source) / "cat/00.png").write_text("no picture")
    images, events = read(HeldOutTest(subject, source), 16)
    assert [event.ref.id for event in events if isinstance(event, Skipped)] == ["cat/00.png"]
    assert images.labels.tolist() == [0, 0, 1, 1]


def test_validation__is_no_test_any_more(subject, tmp_path):
    source = pictures(tmp_path, "held")
    HeldOutTest(subject, source)
    Validation(subject, source).record()
    Validation(subject, source)
    with pytest.raises(SettingError, match="was the validation of a sweep or of advice"):
        HeldOutTest(subject, source)
    with pytest.raises(SettingError, match="was the validation of a sweep or of advice"):
        HeldOutTest(subject, f"{source}:per-class=1")


def test_test__is_no_validation_any_more(tmp_path, trainer):
    """From the first moment of an evaluation on, before any student is tested."""
    finish(select(synthetic_run(tmp_path / "run", classes=2, per_class=4), SMALL))
    sets = open_sets(tmp_path / "run")
    source = str(write_pictures(tmp_path / "held", {"disc": 2, "square": 2}, seed=1))
    Validation(sets.subject, source)
    trainer.stop_after = 0
    with pytest.raises(Interrupted):
        finish(evaluate(sets, HeldOutTest(sets.subject, source), QUICK))
    with pytest.raises(SettingError, match="is the test of a stored evaluation of this run"):
        Validation(sets.subject, source)
    with pytest.raises(SettingError, match="is the test of a stored evaluation of this run"):
        Validation(sets.subject, f"{source}:per-class=1")


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"source": "toybox", "scene_seed": 1}, {"source": "toybox", "scene_seed": 1}, True),
        ({"source": "toybox", "scene_seed": 1}, {"source": "toybox", "scene_seed": 2}, False),
        ({"source": "a", "split": "val"}, {"source": "./a", "split": "val"}, True),
        ({"source": "a", "split": "val"}, {"source": "a", "split": "test"}, False),
        ({"source": "a", "split": ""}, {"source": "b", "split": ""}, False),
        ({"source": "a", "split": "val"}, {"source": "a/val", "split": ""}, True),
    ],
)
def test_overlaps__the_same_place(a, b, same):
    assert HeldOutSource("a", a, "1", 1).overlaps("2", b) is same
    assert HeldOutSource("a", a, "1", 1).overlaps("1", b)


def test_read__damaged_images_are_read_again(subject, tmp_path):
    held_out = HeldOutTest(subject, pictures(tmp_path, "test"))
    first, _ = read(held_out, 8)
    (path,) = (tmp_path / "run/evaluations/held_out").iterdir()
    flip(path, -1)
    again, events = read(held_out, 8)
    assert np.array_equal(again.images, first.images)
    assert events[0] == Notice(f"{path} is made again: its checksum does not match")
    assert read(held_out, 8)[1] == []
