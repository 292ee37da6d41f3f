"""One process at a time writes to a folder; what a killed one left blocks nobody."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsel.errors import StorageError
from dsel.locks import LOCK, Holder, hold, holder_of, locked
from dsel.types import Event, Notice, Progress

HOLD = """
import sys
from pathlib import Path
from dsel.locks import hold
sys.argv = ["/usr/bin/dsel", "score", "photos"]
with hold(Path(sys.stdin.readline().strip())):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.communicate("\n", timeout=60)


def leave(folder: Path, host: str) -> None:
    """What a process that was killed leaves."""
    kept = {"pid": 7, "host": host, "command": "dsel score", "since": "yesterday"}
    (folder / LOCK).write_text("\n" + json.dumps(kept))


def test_hold__another_process_is_named_in_one_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with holding(out) as other:
        with pytest.raises(StorageError) as refused, hold(out):
            pass
        found = holder_of(out)
    text = str(refused.value)
    day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
    who = rf"process {other.pid} on {re.escape(os.uname().nodename)} \(dsel score\) since {day}"
    assert re.fullmatch(
        rf"{re.escape(str(out))} is being written by {who}: wait for its end, or choose another "
        "folder",
        text,
    )
    assert refused.value.fields["holder"] == str(found)
    with hold(out) as notice:  # it has ended
        assert notice == ""
    assert not out.exists()  # it was made for the lock


def test_hold__a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    with holding(tmp_path) as other:
        other.kill()
        other.wait()
        assert (tmp_path / LOCK).exists()
        assert holder_of(tmp_path) is None
        with hold(tmp_path) as notice:
            assert notice == ""
    assert list(tmp_path.iterdir()) == []


def test_hold__another_thread_of_this_process(tmp_path: Path) -> None:
    with hold(tmp_path):
        with pytest.raises(StorageError, match=f"is being written by process {os.getpid()} on"):
            hold(tmp_path).__enter__()
        assert (tmp_path / LOCK).exists()


def test_hold__a_file_of_another_host(tmp_path: Path) -> None:
    """It has ended, or its file system keeps locks on each host: nobody here can tell."""
    leave(tmp_path, "far")
    assert holder_of(tmp_path) == Holder(7, "far", "dsel score", "yesterday")
    with hold(tmp_path) as notice:
        assert "was being written by process 7 on far (dsel score) since yesterday" in notice
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [b"", b"\0" * 40, b"\nnull", b'\n{"pid": "x"}', b"\n[]"])
def test_hold__a_damaged_file(tmp_path: Path, left: bytes) -> None:
    (tmp_path / LOCK).write_bytes(left)
    assert holder_of(tmp_path) is None
    with hold(tmp_path) as notice:
        assert notice == ""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_locked__a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise OSError(number, "no locks")

    monkeypatch.setattr("filelock.lock_descriptor", fail)
    notice, event = locked(tmp_path, iter([Progress()]))
    assert isinstance(notice, Notice)
    assert notice.text == (
        f"the file system of {tmp_path} has no locks: let no other process write there"
    )
    assert event == Progress()
    assert list(tmp_path.iterdir()) == []


def test_locked__lasts_as_long_as_the_stage(tmp_path: Path) -> None:
    def stage() -> Iterator[Event]:
        assert (tmp_path / LOCK).exists()
        yield Progress()
        yield Progress()

    events = locked(tmp_path, stage())
    next(events)
    assert (tmp_path / LOCK).exists()
    events.close()
    assert not (tmp_path / LOCK).exists()
    assert list(locked(tmp_path, stage())) == [Progress(), Progress()]


def test_hold__many_threads_one_at_a_time(tmp_path: Path) -> None:
    """Each removes the file that the others have opened already."""
    inside, most, held = [0], [0], [0]

    def work() -> None:
        for _ in range(60):
            try:
                with hold(tmp_path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    held[0] += 1
                    inside[0] -= 1
            except StorageError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert held[0] > 0
    assert list(tmp_path.iterdir()) == []


def test_hold__a_folder_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages that find everything stored write nothing there; others fail when they write."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr("dsel.locks._acquire", refuse)
    with hold(tmp_path) as notice:
        assert notice == ""
