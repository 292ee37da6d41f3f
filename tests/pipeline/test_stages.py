"""All stages together: the same bytes whatever interrupts them, and classes of few images."""

from __future__ import annotations

import errno
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.stages import all_stages
from support.toyset import (
    SMALL,
    finish,
    tree,
    write_pictures,
)

from dsel.config import ExportSettings
from dsel.errors import RunError, StorageError
from dsel.pipeline.export import export
from dsel.pipeline.select import select
from dsel.runs import open_run
from dsel.types import Done, Notice, Progress, Started


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The tree of an uninterrupted run and export."""
    folder = tmp_path_factory.mktemp("whole")
    finish(all_stages(source, folder))
    return tree(folder)


def test_stages__events_in_order(source, tmp_path):
    events = finish(all_stages(source, tmp_path))
    started = [event.stage for event in events if isinstance(event, Started)]
    assert started == ["score", "layout", "map", "select", "export"]
    assert [event.stage for event in events if isinstance(event, Done)] == [
        "score", "select", "export",
    ]  # fmt: skip
    for stage in (event for event in events if isinstance(event, Started)):
        behind = itertools.takewhile(
            lambda event: not isinstance(event, Started), events[events.index(stage) + 1 :]
        )
        counted = sum(event.count for event in behind if isinstance(event, Progress))
        assert counted == stage.total


def test_stages__interrupted_after_any_event(source, tmp_path, whole):
    count = len(finish(all_stages(source, tmp_path / "counted")))
    for stop in range(1, count):
        folder = tmp_path / f"{stop:03d}"
        events = all_stages(source, folder)
        for _ in itertools.islice(events, stop):
            pass
        events.close()
        finish(all_stages(source, folder))
        assert tree(folder) == whole, f"interrupted after event {stop}"


def test_stages__interrupted_time_and_again(source, tmp_path, whole):
    for stop in range(1, 60):
        events = all_stages(source, tmp_path)
        taken = sum(1 for _ in itertools.islice(events, stop))
        events.close()
        if taken < stop:
            break
    assert tree(tmp_path) == whole


class Crash(BaseException):
    """The process ends here: no handler of dsel's sees it."""


def _fail_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> None:
    """Let the `number`-th flush to the disk fail."""
    calls = itertools.count(1)
    real = os.fsync

    def fsync(handle: int) -> None:
        if next(calls) == number:
            raise error
        real(handle)

    monkeypatch.setattr("dsel.files.os.fsync", fsync)


def _flushes(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    count = itertools.count()
    with monkeypatch.context() as patched:
        patched.setattr("dsel.files.os.fsync", lambda _: next(count))
        finish(all_stages(source, folder))
    return next(count)


def test_stages__killed_at_any_flush(source, tmp_path, whole, monkeypatch):
    for number in range(1, _flushes(source, tmp_path / "counted", monkeypatch) + 1):
        folder = tmp_path / f"{number:03d}"
        with monkeypatch.context() as patched:
            _fail_at(patched, number, Crash())
            # As another process would leave it: a later one has another number.
            patched.setattr("dsel.files.os.getpid", lambda: 99999)
            with pytest.raises(Crash):
                finish(all_stages(source, folder))
        finish(all_stages(source, folder))
        assert tree(folder) == whole, f"killed at flush {number}"


def test_stages__full_disk_at_any_flush(source, tmp_path, whole, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    for number in range(1, _flushes(source, tmp_path / "counted", monkeypatch) + 1, 2):
        folder = tmp_path / f"{number:03d}"
        with monkeypatch.context() as patched:
            _fail_at(patched, number, full)
            with pytest.raises(StorageError, match="no space left on the disk") as error:
                finish(all_stages(source, folder))
        assert "\n" not in str(error.value)
        assert not list(folder.rglob(".*.partial"))
        half = tree(folder)
        # The export's is written at its begin and its end, the run's again once its backend is
        # chosen.
        manifests = {"manifest.json", "run/run.json"}
        assert {name: half[name] for name in half if name not in manifests} == {
            name: whole[name] for name in half if name not in manifests
        }
        begun = _manifest(folder)
        finish(all_stages(source, folder))
        assert tree(folder) == whole
        done = _manifest(folder)
        if begun:
            assert begun.pop("backend") in ("", done["backend"])
            assert begun == {name: done[name] for name in begun}


def _manifest(folder: Path) -> dict[str, Any]:
    """What the run's manifest says, but its checksum; nothing before it is written."""
    path = folder / "run/run.json"
    record = json.loads(path.read_bytes()) if path.exists() else {}
    record.pop("checksum", None)
    return record


def test_stages__a_class_of_which_nothing_can_be_used(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 0})
    (root / "dog/a.png").write_text("no picture")
    with pytest.raises(RunError, match=r"every image of class 'dog' was skipped: dog/a\.png: is"):
        finish(all_stages(root, tmp_path / "out"))
    run = open_run(tmp_path / "out/run")
    events = [
        *select(run, SMALL),
        *export(run, tmp_path / "out", ExportSettings(), also_ours=("run",)),
    ]
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "class 'dog' has 0 patches and gives 0 images, fewer than IPC 2" in notices[0]
    assert len(list((tmp_path / "out/train").rglob("*.png"))) == 2


def test_stages__nothing_at_all_can_be_used(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 0})
    (root / "cat/a.png").write_text("no picture")
    with pytest.raises(RunError, match=r"none of the 1 images was scored: cat/a\.png: is text"):
        finish(all_stages(root, tmp_path / "out"))


def test_stages__classes_of_one_image(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 1, "dog": 1, "emu": 1})
    events = finish(all_stages(root, tmp_path / "out"))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert [text.split(" has ")[0] for text in notices] == [
        "class 'cat'", "class 'dog'", "class 'emu'",
    ]  # fmt: skip
    assert len(list((tmp_path / "out/train").rglob("*.png"))) == 3


def test_stages__one_class(tmp_path):
    root = write_pictures(tmp_path / "pictures", {"cat": 3})
    finish(all_stages(root, tmp_path / "out"))
    assert len(list((tmp_path / "out/train/cat").iterdir())) == 2


def test_stages__gray_pictures_and_pictures_of_any_shape(tmp_path):
    folder = tmp_path / "pictures/cat"
    folder.mkdir(parents=True)
    for number, size in enumerate(((200, 16), (16, 200), (17, 31), (500, 400))):
        Image.new("L", size, 40 * number).save(folder / f"{number}.jpg")
    finish(all_stages(tmp_path / "pictures", tmp_path / "out"))
    assert open_run(tmp_path / "out/run").summary.scored == 4
