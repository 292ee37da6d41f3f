"""Files are whole or absent, and what is damaged is said in one line."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from dsel.errors import DselError, RunError, StorageError
from dsel.files import (
    PARTIAL,
    json_bytes,
    place_copy,
    read_json,
    read_table,
    remove_partial_files,
    remove_partial_folders,
    table_bytes,
    temporary_beside,
    write_atomically,
)

SCHEMA = pa.schema([("id", pa.string()), ("score", pa.float64()), ("picture", pa.binary())])
ROWS = [
    {"id": "a/ü", "score": 0.1, "picture": b"\0\xff"},
    {"id": "b", "score": None, "picture": b""},
]
AS_ROOT = os.geteuid() == 0  # root may write anywhere


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


@pytest.mark.parametrize("read", [read_json, read_table])
@pytest.mark.parametrize("place", ["x", "gone/x"])
def test_read__missing(tmp_path: Path, read: type, place: str) -> None:
    with pytest.raises(RunError, match=r"x is missing$"):
        read(tmp_path / place)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"PAR1", b"[1,]"], ids=str)
@pytest.mark.parametrize("read", [read_json, read_table])
def test_read__damaged(tmp_path: Path, read: type, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(RunError, match="x is damaged: it is not"):
        read(path)


def test_table_bytes__come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_atomically(path, table_bytes(ROWS, SCHEMA))
    assert read_table(path).to_pylist() == ROWS
    assert read_table(path).schema.names == SCHEMA.names
    assert read_table(path, ["score"]).to_pylist() == [{"score": 0.1}, {"score": None}]


def test_table_bytes__same_rows_same_bytes() -> None:
    assert table_bytes(ROWS, SCHEMA) == table_bytes([dict(row) for row in ROWS], SCHEMA)


def test_table_bytes__no_rows(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", table_bytes([], SCHEMA))
    found = read_table(tmp_path / "x")
    assert found.num_rows == 0
    assert found.schema.equals(SCHEMA)


def test_read_table__a_column_that_is_not_there(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x", table_bytes(ROWS, SCHEMA))
    with pytest.raises(RunError, match="is damaged"):
        read_table(tmp_path / "x", ["nothing"])


def test_read_table__any_damage_of_the_footer_is_told(tmp_path: Path) -> None:
    """A table either is read or is said to be damaged; pyarrow tells so in three ways."""
    whole, rng, path, told = table_bytes(ROWS, SCHEMA), random.Random(0), tmp_path / "x", 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(3):
            content[rng.randrange(len(whole) * 2 // 3, len(whole))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([len(whole), rng.randrange(len(whole))])])
        try:
            read_table(path)
        except DselError as error:
            assert "is damaged" in str(error)  # noqa: PT017
            told += 1
    assert told > 75
