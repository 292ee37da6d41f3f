"""Atomic files: written under a temporary name, synced, and renamed, so complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dsel.errors import RunError, storage_errors

PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` and create its folder; readers never see half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
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
    temporary = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
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


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of interrupted writes below a folder."""
    with storage_errors(folder):
        for path in folder.rglob(f".*{PARTIAL}"):
            path.unlink(missing_ok=True)


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
