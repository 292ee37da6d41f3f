"""Every error has a code, and values beside its sentence."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest

from dsel.errors import (
    DselError,
    PriorError,
    QuotaError,
    RunError,
    SettingError,
    SourceError,
    StorageError,
    UnreadableImage,
    first_line,
    shown,
    storage_errors,
    unknown,
)


def test_code__of_every_error() -> None:
    codes = {kind: kind.code for kind in DselError.__subclasses__()}
    assert codes == {
        SettingError: "setting",
        SourceError: "source",
        UnreadableImage: "unreadable_image",
        PriorError: "prior",
        RunError: "run",
        StorageError: "storage",
        QuotaError: "quota",
    }


def test_fields__stay_out_of_the_message() -> None:
    error = SettingError("patch px must be at least 8, got 3", setting="patch_px", value=3)
    assert str(error) == "patch px must be at least 8, got 3"
    assert error.fields == {"setting": "patch_px", "value": 3}
    assert SettingError("no fields").fields == {}


def test_fields__survive_a_process_pool() -> None:
    error = pickle.loads(pickle.dumps(RunError("it is damaged", path="/run")))
    assert isinstance(error, RunError)
    assert str(error) == "it is damaged"
    assert error.fields == {"path": "/run"}


def test_unknown__lists_the_known_names() -> None:
    error = unknown("class", "cat", iter(["dog", "cow"]))
    assert str(error) == "unknown class 'cat'; known are: dog, cow"
    assert error.fields == {"name": "cat", "known": ["dog", "cow"]}


def test_unknown__where_none_is_known() -> None:
    assert str(unknown("slice", "cats", ())) == "unknown slice 'cats'; there are none"


def test_shown__shortens_long_lists() -> None:
    names = [str(number) for number in range(23)]
    assert shown(names[:20]) == names[:20]
    assert shown(names) == [*names[:20], "and 3 more"]


def test_first_line__or_the_name() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "no space left on the disk while writing"),
        (errno.EROFS, "no permission to write or read"),
        (errno.EEXIST, "cannot be created, because a file is in the way"),
        (errno.EISDIR, "is a folder, not a file"),
    ],
)
def test_storage_errors__have_the_path(tmp_path: Path, code: int, message: str) -> None:
    path = tmp_path / "x.bin"
    with pytest.raises(StorageError, match=message) as caught, storage_errors(path):
        raise OSError(code, "refused")
    assert caught.value.fields == {"path": str(path)}


def test_storage_errors__leave_other_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path / "x.bin"):
        raise FileNotFoundError(errno.ENOENT, "missing")
    with pytest.raises(StorageError, match="does not exist"), storage_errors(tmp_path / "a/x.bin"):
        raise FileNotFoundError(errno.ENOENT, "missing")
