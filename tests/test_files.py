"""Files are whole or absent, and what is damaged is said in one line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import with_config

from dsel.errors import DamageError, RunError, StorageError
from dsel.files import (
    PARTIAL,
    STORED,
    files_below,
    json_bytes,
    opened_tensors,
    place_copy,
    read_fields,
    read_json,
    read_record,
    read_table,
    record_bytes,
    remove_partial_files,
    remove_partial_folders,
    table_bytes,
    temporary_beside,
    tensor_bytes,
    write_atomically,
)

SCHEMA = pa.schema([("id", pa.string()), ("score", pa.float64()), ("picture", pa.binary())])
ROWS = [
    {"id": "a/ü", "score": 0.1, "picture": b"\0\xff"},
    {"id": "b", "score": None, "picture": b""},
]
AS_ROOT = os.geteuid() == 0  # root may write anywhere


def read_sealed(path: Path) -> object:
    return read_fields(path, "delete it and run the same command again")


def read_some_table(path: Path) -> object:
    return read_table(path, SCHEMA)


def names_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_write_atomically__makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "x.bin", b"one")
    assert (tmp_path / "a" / "b" / "x.bin").read_bytes() == b"one"
    write_atomically(tmp_path / "a" / "b" / "x.bin", b"two")
    assert (tmp_path / "a" / "b" / "x.bin").read_bytes() == b"two"
    assert names_below(tmp_path) == ["a", "b", "x.bin"]


def test_write_atomically__a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    write_atomically(path, b"old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"no space left on the disk while writing .*x\.bin"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names_below(tmp_path) == ["x.bin"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_write_atomically__a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    (tmp_path / f".x{PARTIAL}").symlink_to("/dev/full")
    monkeypatch.setattr("dsel.files.temporary_beside", lambda _: tmp_path / f".x{PARTIAL}")
    with pytest.raises(StorageError, match="no space left on the disk"):
        write_atomically(path, b"new")
    assert names_below(tmp_path) == []


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_write_atomically__no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError, match="no permission"):
        write_atomically(tmp_path / "x.bin", b"new")


def test_write_atomically__a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for path in (tmp_path / "file" / "x.bin", tmp_path / "file" / "deeper" / "x.bin"):
        with pytest.raises(StorageError, match="a file is in the way"):
            write_atomically(path, b"new")
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_remove_partial_files__takes_only_what_a_crash_left(tmp_path: Path) -> None:
    kept = ["run.json", ".hidden", "notes.partial", "scores/00000.safetensors"]
    left = [f".run.json.123{PARTIAL}", f"scores/.00001.safetensors.9{PARTIAL}"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    remove_partial_files(tmp_path)
    there = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(there) == sorted(kept)


def temporary_of(pid: int, host: str = "") -> str:
    mark = hashlib.sha256((host or socket.gethostname()).encode()).hexdigest()[:8]
    return f".{mark}-{pid}-01234567{PARTIAL}"


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_write_atomically__names_of_255_bytes(tmp_path: Path) -> None:
    name = "ü" * 126 + ".in"  # the most that file systems allow
    assert len(os.fsencode(name)) == 255
    write_atomically(tmp_path / name, b"one")
    place_copy(tmp_path / name, tmp_path / "copies" / name)
    assert (tmp_path / "copies" / name).read_bytes() == b"one"


def test_temporary_beside__never_the_same_name(tmp_path: Path) -> None:
    names = {temporary_beside(tmp_path / "x").name for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith(temporary_of(os.getpid())[:-16]) for name in names)


def test_remove_partial_files__spares_those_in_use(tmp_path: Path) -> None:
    """Those of living processes of this host, and young ones of other hosts."""
    old, young = f"other/{temporary_of(1, 'far')}", temporary_of(1, "far")
    mine, left = f"scores/{temporary_of(os.getpid())}", temporary_of(ended_pid())
    for name in (old, young, mine, left):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    two_days_ago = (tmp_path / young).stat().st_mtime - 2 * 24 * 3600
    os.utime(tmp_path / old, (two_days_ago, two_days_ago))
    remove_partial_files(tmp_path)
    there = [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(there) == sorted([young, mine])


def test_remove_partial_files__a_number_that_another_process_has_now(tmp_path: Path) -> None:
    """A file that is older than the process of its number was left by an earlier one."""
    path = tmp_path / temporary_of(os.getpid())
    path.write_bytes(b"")
    os.utime(path, (0, 0))
    remove_partial_files(tmp_path)
    assert names_below(tmp_path) == []


def test_remove_partial_folders__takes_only_what_a_crash_left(tmp_path: Path) -> None:
    left, mine, own = temporary_of(ended_pid()), temporary_of(os.getpid()), ".mine.partial"
    for name in (left, mine, own):
        (tmp_path / name / "train").mkdir(parents=True)
    remove_partial_folders(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, own])


def test_json_bytes__come_back(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None, True], "a": {"name": "Kätzchen 猫"}}
    path = tmp_path / "x.json"
    write_atomically(path, json_bytes(content))
    assert read_json(path) == content
    assert list(read_json(path)) == ["b", "a"]
    assert "Kätzchen 猫" in path.read_text("utf-8")
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("read", [read_json, read_sealed, read_some_table])
@pytest.mark.parametrize("place", ["x", "gone/x"])
def test_read__missing(tmp_path: Path, read: type, place: str) -> None:
    with pytest.raises(RunError, match=r"x is missing: delete it and run the same command again$"):
        read(tmp_path / place)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"PAR1", b"[1,]"], ids=str)
@pytest.mark.parametrize("read", [read_json, read_sealed, read_some_table])
def test_read__damaged(tmp_path: Path, read: type, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(
        RunError, match=r"x is damaged: it (is not JSON|has no checksum of dsel); delete it"
    ):
        read(path)


def test_table_bytes__come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_atomically(path, table_bytes(ROWS, SCHEMA))
    assert read_table(path, SCHEMA).to_pylist() == ROWS
    assert read_table(path, SCHEMA).schema.names == SCHEMA.names
    assert read_table(path, SCHEMA, ["score"]).to_pylist() == [{"score": 0.1}, {"score": None}]


def test_table_bytes__same_rows_same_bytes() -> None:
    assert table_bytes(ROWS, SCHEMA) == table_bytes([dict(row) for row in ROWS], SCHEMA)


def test_table_bytes__no_rows(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", table_bytes([], SCHEMA))
    found = read_table(tmp_path / "x", SCHEMA)
    assert found.num_rows == 0
    assert found.schema.equals(SCHEMA)


def test_read_table__a_column_that_is_not_there(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", table_bytes(ROWS, SCHEMA))
    with pytest.raises(RunError, match="is damaged"):
        read_table(tmp_path / "x", pa.schema([*SCHEMA, ("nothing", pa.string())]))


def test_read_table__any_damage_is_told(tmp_path: Path) -> None:
    """Whichever bits are flipped: pyarrow reads many of these tables, with other values."""
    whole, rng, path = table_bytes(ROWS, SCHEMA), random.Random(0), tmp_path / "x"
    for number in range(150):
        content = bytearray(whole)
        content[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path = tmp_path / str(number)
        path.write_bytes(content[: rng.choice([len(whole), rng.randrange(len(whole))])])
        with pytest.raises(DamageError, match="is damaged: it"):
            read_table(path, SCHEMA)


@with_config(STORED)
@dataclass(frozen=True)
class Record:
    name: str
    counts: tuple[int, ...] = ()


def test_record_bytes__come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(
        record_bytes({"format": "mine 1", "name": "sha256:" + "0" * 64, "counts": [1]})
    )
    found = read_record(path, Record, "mend it", "mine 1")
    assert found == Record("sha256:" + "0" * 64, (1,))
    assert json.loads(path.read_text())["checksum"].startswith("sha256:")
    with pytest.raises(DamageError) as error:
        read_record(path, Record, "mend it", "mine 2")
    assert str(error.value) == f"{path} is damaged: its format is not 'mine 2'; mend it"


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"name": "a", "counts": [1], "extra": 1}, "extra: unexpected keyword argument"),
        ({"names": "a"}, "name: field required"),
        ({"name": 1}, "name: input should be a valid string"),
        ({"name": "a", "counts": ["1"]}, "counts.0: input should be a valid integer"),
        ({"name": "a", "counts": 1}, "counts: input should be a valid tuple|valid array"),
    ],
)
def test_read_record__of_other_content(tmp_path: Path, record: dict, problem: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(record_bytes(record))
    with pytest.raises(DamageError, match=rf"x\.json is damaged: .*({problem}).*; mend it$"):
        read_record(path, Record, "mend it")


def test_tensor_bytes__come_back_in_whole_and_in_part(tmp_path: Path) -> None:
    path, values = tmp_path / "x.safetensors", np.arange(12, dtype=np.float32).reshape(4, 3)
    path.write_bytes(tensor_bytes({"values": values}, {"by": "me"}))
    with opened_tensors(path, "mend it") as file:
        assert (file.record["by"], set(file.names)) == ("me", {"values"})
        assert np.array_equal(file.all("values"), values)
        assert np.array_equal(file.rows("values", 1, 3), values[1:3])
    with (
        pytest.raises(DamageError, match=r"lacks some of its tensors; mend it$"),
        opened_tensors(path, "mend it") as file,
    ):
        file.all("others")


def test_files_below__folders_that_vanish_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    found = []
    for path in files_below(tmp_path):  # the names of the three folders are known by now
        found.append(path)
        for other in tmp_path.iterdir():
            if other != path.parent:
                shutil.rmtree(other)
    assert len(found) == 1


def test_files_below__a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list(files_below(tmp_path / "none")) == []
    with pytest.raises(NotADirectoryError):
        list(files_below(tmp_path / "file"))
