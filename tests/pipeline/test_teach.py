"""Teaching: what is held out, what is saved, what resumes, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from support.toyset import dataset_of, finish, tree, write_pictures

from dsel.cli.commands import main
from dsel.config import TeachSettings
from dsel.errors import RunError, SettingError, SourceError, StorageError
from dsel.pipeline.teach import held_out_refs, teach
from dsel.students.teachers import load_teacher
from dsel.types import Done, ImageRef, Progress, Skipped, Started

QUICK = TeachSettings(student="convnet-3", image_px=16, steps=10, batch_size=4, threads=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", {"cat": 6, "dog": 5})


def refs(*counts: int) -> list[ImageRef]:
    return [ImageRef(f"{c}/{n}", c) for c, count in enumerate(counts) for n in range(count)]


@pytest.mark.parametrize(
    ("share", "tested"), [(0.0, [0, 0, 0]), (0.1, [1, 1, 0]), (0.5, [5, 1, 0]), (0.9, [9, 1, 0])]
)
def test_held_out_refs__a_share_of_each_class(share, tested):
    every = refs(10, 2, 1)
    trained, held_out = held_out_refs(every, share, seed=0)
    assert sorted(trained + held_out, key=every.index) == every
    assert trained == sorted(trained, key=every.index)
    counts = Counter(ref.class_index for ref in held_out)
    assert [counts[index] for index in range(3)] == tested


def test_held_out_refs__follow_from_the_seed():
    every = refs(20, 20)
    assert held_out_refs(every, 0.3, 1) == held_out_refs(every, 0.3, 1)
    assert held_out_refs(every, 0.3, 1) != held_out_refs(every, 0.3, 2)


def test_teach__saves_a_teacher(source, tmp_path):
    events = finish(teach(dataset_of(source), QUICK, tmp_path / "out"))
    assert events[0] == Started("read", 11, "images")
    record = json.loads((tmp_path / "out/config.json").read_text())
    assert record["names"] == [["cat"], ["dog"]]
    assert (record["images"], record["validation"]) == (9, "held-out share")
    assert 0 <= record["accuracy"] <= 1
    assert not {"threads", "checkpoint_s"} & set(record["settings"])
    assert events[-1] == Done(
        "teach", {"images": 9, "accuracy": record["accuracy"], "folder": str(tmp_path / "out")}
    )
    assert sorted(tree(tmp_path / "out")) == [
        "config.json", "model.safetensors", "training/identity.json",
    ]  # fmt: skip
    assert load_teacher(str(tmp_path / "out"), ("dog", "cat")).image_px == 16


def test_teach__twice_gives_the_same_bytes_and_trains_once(source, tmp_path):
    for name in ("one", "two"):
        finish(teach(dataset_of(source), QUICK, tmp_path / name))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    again = finish(teach(dataset_of(source), QUICK, tmp_path / "one"))
    assert [type(event) for event in again] == [Done]


def test_teach__interrupted_is_resumed(source, tmp_path):
    events = teach(dataset_of(source), QUICK, tmp_path / "out")
    for event in events:
        if isinstance(event, Progress) and "loss" in event.note:
            break
    events.close()
    assert not (tmp_path / "out/config.json").exists()
    finish(teach(dataset_of(source), QUICK, tmp_path / "out"))
    assert (tmp_path / "out/config.json").is_file()


def test_teach__on_a_validation(source, tmp_path):
    other = write_pictures(tmp_path / "other", {"dog": 3, "cat": 2}, seed=1)
    finish(teach(dataset_of(source), QUICK, tmp_path / "out", dataset_of(other)))
    record = json.loads((tmp_path / "out/config.json").read_text())
    assert (record["images"], record["validation"]) == (11, str(other))
    assert record["accuracy"] in [n / 5 for n in range(6)]


def test_teach__nothing_held_out(source, tmp_path):
    events = finish(teach(dataset_of(source), QUICK.replace(held_out=0.0), tmp_path / "out"))
    assert json.loads((tmp_path / "out/config.json").read_text())["accuracy"] is None
    assert "accuracy" not in events[-1].figures


def test_teach__unreadable_images_are_skipped(source, tmp_path):
    (source / "dog/a.png").write_text("no image")
    events = finish(teach(dataset_of(source), QUICK, tmp_path / "out"))
    assert [one.ref.id for one in events if isinstance(one, Skipped)] == ["dog/a.png"]
    for path in source.rglob("*.png"):
        path.write_text("no image")
    with pytest.raises(SourceError, match="no image of the source can be read"):
        finish(teach(dataset_of(source), QUICK, tmp_path / "none"))


def test_teach__refuses(source, tmp_path):
    dataset, out = dataset_of(source), tmp_path / "out"
    for limit in (0, 2):
        with pytest.raises(SettingError, match="has images that the teacher is trained on"):
            finish(teach(dataset, QUICK, out, dataset_of(source, per_class=limit)))
    foxes = write_pictures(tmp_path / "foxes", {"cat": 2, "fox": 2})
    with pytest.raises(SettingError, match="the held-out images have other classes"):
        finish(teach(dataset, QUICK, out, dataset_of(foxes)))
    with pytest.raises(SettingError, match="convnet-6 needs images of at least 64 px"):
        finish(teach(dataset, QUICK.replace(student="convnet-6", image_px=32), out))
    assert not [path for path in out.rglob("*") if path.name == "identity.json"]
    finish(teach(dataset, QUICK, out))
    before = tree(out)
    with pytest.raises(RunError, match="was trained with other settings or images"):
        finish(teach(dataset, QUICK.replace(steps=11), out))
    with pytest.raises(StorageError, match="holds other files: choose an empty or new folder"):
        finish(teach(dataset, QUICK, source))
    assert tree(out) == before


def test_dsel_teach__by_the_command_line(source, tmp_path, capsys):
    command = [
        "teach", f"{source}:classes=dog+cat,per-class=4", "--out", str(tmp_path / "out"),
        "--student", "convnet-3", "--image-px", "16", "--steps", "5", "--batch-size", "4",
    ]  # fmt: skip
    assert main([*command, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["work"] == {"images": 8, "classes": 2}
    assert not (tmp_path / "out").exists()
    assert main([*command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["images"] == 6
    assert set(figures) == {"images", "accuracy", "folder"}
