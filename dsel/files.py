"""Atomic files: written under a temporary name, synced, and renamed, so complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from dsel.errors import RunError, storage_errors

PARTIAL = ".partial"
TEMPORARY: Final = re.compile(rf"\.(?P<host>[0-9a-f]{{8}})-(?P<pid>\d+)-[0-9a-f]{{8}}{PARTIAL}")
OTHER_HOST_S: Final = 24 * 3600.0
"""How long a temporary file of another host is left alone, since its process may live."""

CLOCKS_S: Final = 2.0
"""How much the clocks of processes and of files may differ."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` and create its folder; readers never see half a file."""
    temporary = temporary_beside(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def place_copy(file: Path, target: Path) -> None:
    """Copy a file, as a hard link where the file system has them."""
    temporary = temporary_beside(target)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                os.link(file, temporary, follow_symlinks=False)
            except OSError:  # another disk, or one without hard links
                shutil.copyfile(file, temporary, follow_symlinks=False)
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def temporary_beside(path: Path) -> Path:
    """Return a new temporary name in the folder of `path`, which is short and names this process.

    However long the name of `path` is, this one is within the limit of file systems.
    """
    return path.with_name(f".{_host()}-{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of interrupted writes below a folder; those in use are left."""
    with storage_errors(folder):
        for parent, _, names in os.walk(folder):  # unlike a glob, it takes no harm from removals
            for name in names:
                path = Path(parent, name)
                if name.startswith(".") and name.endswith(PARTIAL) and not _in_use(path):
                    path.unlink(missing_ok=True)


def remove_partial_folders(parent: Path) -> None:
    """Remove the temporary folders in `parent` whose processes have ended."""
    with storage_errors(parent):
        for path in parent.glob(f".*{PARTIAL}"):
            if TEMPORARY.fullmatch(path.name) and path.is_dir() and not _in_use(path):
                shutil.rmtree(path, ignore_errors=True)


def lives(pid: int, written: float) -> bool:
    """Whether the process of this host that wrote a file at that time is still running."""
    import psutil

    try:
        process = psutil.Process(pid)
        started = process.create_time() <= written + CLOCKS_S
        return bool(started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _in_use(path: Path) -> bool:
    """Whether the process that a temporary name names may still be writing."""
    named = TEMPORARY.fullmatch(path.name)
    if named is None:
        return False
    with suppress(FileNotFoundError):
        written = path.stat().st_mtime
        if named["host"] != _host():
            return time.time() - written < OTHER_HOST_S
        return lives(int(named["pid"]), written)
    return False


@cache
def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def json_bytes(content: Any) -> bytes:
    """Return readable JSON, the same bytes for the same content."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """Read a JSON file of a run; raises `RunError` for one that is missing or damaged."""
    try:
        with storage_errors(path), _missing_is_a_run_error(path):
            return json.loads(path.read_bytes())
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is not JSON", path=str(path)) from error


def table_bytes(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    """Return a Parquet file of rows, uncompressed, because images in it already are."""
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer, compression="none")
    return buffer.getvalue()


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file of a run; raises `RunError` for one that is missing or damaged."""
    try:
        with storage_errors(path), _missing_is_a_run_error(path):
            return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:  # a damaged footer is a plain OSError
        raise RunError(
            f"{path} is damaged: it is not a Parquet table of dsel", path=str(path)
        ) from error


@contextmanager
def _missing_is_a_run_error(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing", path=str(path)) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
