"""Locks: one process at a time writes to a folder, and readers never wait.

A lock is one of the operating system on a small file, FOLDER/.dsel.lock, which names its holder and
exists only while the folder is written. The system frees it when the process ends, however it ends,
so a file that a killed process left behind blocks nobody.

Between hosts a lock holds where the file system passes it on, as NFS, Lustre and GPFS do by
default. Some are mounted without (`nolock`, `localflock`), and some have no locks: a notice says so
where dsel can tell. A second writer there still harms no file, since each is written under a
temporary name of its own process and renamed.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dsel.errors import StorageError, storage_errors
from dsel.files import lives
from dsel.types import Event, Notice

LOCK: Final = ".dsel.lock"
"""The file in a folder that is locked while dsel writes to it."""

HOLDER: Final = "holder"
"""The field of an error that names who holds a lock; no other error has it."""

NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})
"""Errors of file systems without locks."""

READ_ONLY: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
TRIES: Final = 5
RETRY_S: Final = 0.05
MOST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes to a folder; since: time of the day on its host, with the offset to UTC."""

    pid: int
    host: str
    command: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command}) since {self.since}"


def locked(
    folder: Path, events: Iterable[Event], lock: Path | None = None
) -> Generator[Event, None, None]:
    """Yield the events of a stage that writes to `folder`, which is locked meanwhile.

    The stage must not have begun. Raises `StorageError` like `hold`.
    """
    with hold(folder, lock) as notice:
        if notice:
            yield Notice(notice)
        yield from events


@contextmanager
def hold(target: Path, lock: Path | None = None) -> Iterator[str]:
    """Lock a folder, or any file by a `lock` beside it; yields a notice, empty if all is well.

    Raises `StorageError` if another process, or another thread of this one, holds the lock; fields:
    path, holder. A folder that may not be written is not locked. One that was not there is created,
    and removed again if it is left empty.
    """
    path = lock or target / LOCK
    handle, notice, is_new = None, "", not path.parent.exists()
    with storage_errors(target):
        try:
            handle = _acquire(path, target)
            notice = _claim(handle, target)
        except OSError as error:
            if error.errno in NO_LOCKS:
                path.unlink(missing_ok=True)
                notice = (
                    f"the file system of {target} has no locks: let no other process write there"
                )
            elif error.errno not in READ_ONLY:
                raise
    try:
        yield notice
    finally:
        if handle is not None:
            _release(handle, path)
        if is_new:
            with suppress(OSError):
                path.parent.rmdir()


def holder_of(folder: Path) -> Holder | None:
    """Return who writes to a folder; None if nobody does, as far as this host can tell."""
    return holder_in(folder / LOCK)


def holder_in(lock: Path) -> Holder | None:
    """Return who holds a lock, by its file; None if nobody does, as far as this host can tell."""
    with suppress(OSError):
        handle = os.open(lock, os.O_RDONLY)
        try:
            found, written = _read(handle), os.fstat(handle).st_mtime
        finally:
            os.close(handle)
        if found and (found.host != socket.gethostname() or lives(found.pid, written)):
            return found
    return None


def _acquire(path: Path, target: Path) -> int:
    """Open and lock a lock file; raises `StorageError` if another process holds it."""
    for _ in range(TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # its last holder removed the folder just then
            continue
        try:
            _lock(handle, target)
            if _is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last holder removed the file just then
    raise StorageError(f"{target} is being written by other processes: try again", path=str(target))


def _lock(handle: int, target: Path) -> None:
    from filelock import lock_descriptor

    if not lock_descriptor(handle, blocking=False):
        raise _in_use(handle, target)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _in_use(handle: int, target: Path) -> StorageError:
    """Return the error that names the holder, who may be writing its name just now."""
    found = _read(handle)
    for _ in range(TRIES):
        if found is None:
            time.sleep(RETRY_S)
            found = _read(handle)
    who = str(found or "another process")
    return StorageError(
        f"{target} is being written by {who}: wait for its end, or choose another folder",
        **{"path": str(target), HOLDER: who},
    )


def _claim(handle: int, target: Path) -> str:
    """Write who holds the lock; return a notice if another host's process has not removed it."""
    before, own = _read(handle), _own()
    with suppress(OSError):  # on a full disk the holder has no name; the stage reports the disk
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        # Windows lets nobody else read the first byte.
        os.write(handle, b"\n" + json.dumps(asdict(own)).encode() + b"\n")
    if before is None or before.host == own.host:
        return ""
    return (
        f"{target} was being written by {before}, which was killed, unless the file system keeps "
        "its locks on each host: let no other process write there"
    )


def _release(handle: int, path: Path) -> None:
    from filelock import unlock_descriptor

    with suppress(OSError):
        if os.name != "nt":  # before the lock is free: the next holder makes a new file
            path.unlink()
    try:
        unlock_descriptor(handle)  # children of a fork may have the handle, too
    finally:
        os.close(handle)
    with suppress(OSError):
        if os.name == "nt":  # fails if the next holder has opened it
            path.unlink()


def _read(handle: int) -> Holder | None:
    try:
        os.lseek(handle, 1, os.SEEK_SET)
        found = json.loads(os.read(handle, MOST_BYTES))
        return Holder(
            int(found["pid"]), str(found["host"]), str(found["command"]), str(found["since"])
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None  # empty, or damaged


def _own() -> Holder:
    now = datetime.now(UTC).astimezone()
    return Holder(os.getpid(), socket.gethostname(), _command(), now.isoformat(" ", "seconds"))


def _command() -> str:
    """Return the program, and the command of dsel, without paths and other arguments."""
    program, *arguments = sys.argv or [""]
    name = Path(program).stem or "python"
    if name in ("dsel", "__main__"):
        return " ".join(["dsel", *arguments[:1]])
    return name
