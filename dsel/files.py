"""Atomic files: written under a temporary name, synced, and renamed, so complete or absent.

Records (JSON), tables (Parquet) and tensors (safetensors) have a checksum, which is verified when
they are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dsel.checksums import (
    BLANK,
    FIELD,
    check_content,
    check_file,
    damaged,
    reading,
    seal,
    seal_in_place,
)
from dsel.errors import SettingError, storage_errors

T = TypeVar("T")

PARTIAL = ".partial"
TEMPORARY: Final = re.compile(rf"\.(?P<host>[0-9a-f]{{8}})-(?P<pid>\d+)-[0-9a-f]{{8}}{PARTIAL}")
OTHER_HOST_S: Final = 24 * 3600.0
"""How long a temporary file of another host is left alone, since its process may live."""

CLOCKS_S: Final = 2.0
"""How much the clocks of processes and of files may differ."""

SYNCED_AT_ONCE: Final = 16
"""Files synced at the same time: disks and network file systems take many at once."""

DELETE: Final = "delete it and run the same command again"
RECORD: Final = "dsel"
"""The key of the record in the metadata of a safetensors file."""

STORED: Final = ConfigDict(extra="forbid")
"""The configuration of dataclasses that `read_record` reads: other keys are damage."""


def write_atomically(path: Path, content: bytes, synced: bool = True, flushed: bool = True) -> None:
    """Write `content` to `path` and create its folder; readers never see half a file.

    synced: whether its name, too, is safe from a loss of power; many files are faster without, and
    one `sync_folder` after them. flushed: whether its content is; still faster is `sync_files`.
    """
    temporary = temporary_beside(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                if flushed:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if synced:
            sync_folder(path.parent)


def sync_files(files: Collection[Path]) -> None:
    """Make the contents and the names of files safe from a loss of power."""
    with ThreadPoolExecutor(SYNCED_AT_ONCE, "dsel-sync") as pool:
        list(pool.map(_sync_file, files))  # raises what a thread did
    for folder in {path.parent for path in files}:
        sync_folder(folder)


def _sync_file(path: Path) -> None:
    with storage_errors(path), path.open("r+b") as file:
        os.fsync(file.fileno())


def place_written(temporary: Path, target: Path) -> None:
    """Sync a file that is written under a temporary name, and give it its name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    sync_folder(target.parent)


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


def user_caches() -> Path:
    """Return the folder of dsel's caches, in the cache folder of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dsel"


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, links to files included, in no order.

    Folders that other processes remove meanwhile are left out, where a glob raises an error.
    Raises OSError for a folder that cannot be read.
    """
    for parent, _, names in os.walk(folder, onerror=_unless_gone):
        yield from (Path(parent, name) for name in names)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of interrupted writes below a folder; those in use are left."""
    with storage_errors(folder):
        for path in files_below(folder):
            name = path.name
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


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """Return readable JSON that starts with its checksum (see `dsel.checksums`)."""
    return seal(json_bytes({FIELD: BLANK, **record}))


def read_json(path: Path, remedy: str = DELETE) -> Any:
    """Read JSON, whatever its checksum; raises `DamageError` if it is missing or damaged."""
    return _parsed(_content(path, remedy), path, remedy)


def read_record(path: Path, kind: type[T], remedy: str, stored_format: str = "") -> T:
    """Read what `record_bytes` made of the fields of a dataclass or model.

    stored_format: the value of its key "format", if it has one. Raises `DamageError` for a file
    that is missing, has a wrong checksum or another content.
    """
    record = read_fields(path, remedy)
    if stored_format and record.pop("format", None) != stored_format:
        raise damaged(path, f"its format is not {stored_format!r}", remedy)
    return validated(record, kind, path, remedy)


def read_fields(path: Path, remedy: str) -> dict[str, Any]:
    """Read what `record_bytes` made, without its checksum; raises `DamageError`."""
    return fields_in(_content(path, remedy), path, remedy)


def fields_in(content: bytes, path: Path, remedy: str) -> dict[str, Any]:
    """Return what `record_bytes` made, without its checksum, from the content of `path`."""
    check_content(content, path, remedy)
    record = _parsed(content, path, remedy)
    if not isinstance(record, dict):
        raise damaged(path, "it is not a JSON object", remedy)
    record.pop(FIELD, None)
    return record


def validated(record: Mapping[str, Any], kind: type[T], path: Path, remedy: str) -> T:
    """Return the object of a dataclass or model with these fields, read from `path`."""
    stored: Any = kind  # mypy takes generic types for unhashable
    try:
        found: T = _adapter(stored).validate_json(json.dumps(record), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        problem = f"{place}: {first['msg'].lower()}" if place else first["msg"].lower()
        raise damaged(path, problem, remedy) from error
    except SettingError as error:
        raise damaged(path, str(error), remedy) from error
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def table_bytes(rows: Sequence[Mapping[str, Any]] | pa.Table, schema: pa.Schema) -> bytes:
    """Return a Parquet file of rows, or of a table, with its checksum in its metadata.

    It is not compressed, because images in it already are.
    """
    buffer = BytesIO()
    sealed = schema.with_metadata({FIELD: BLANK})
    if isinstance(rows, pa.Table):
        table = rows.replace_schema_metadata(sealed.metadata)
    else:
        table = pa.Table.from_pylist(list(rows), schema=sealed)
    pq.write_table(table, buffer, compression="none")
    seal_in_place(buffer)
    return buffer.getvalue()


def read_table(
    path: Path,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    remedy: str = DELETE,
    newer: Sequence[str] = (),
) -> pa.Table:
    """Read columns of what `table_bytes` made, by default all.

    newer: columns that tables of earlier versions may lack.
    Raises `DamageError` for a file that is missing, has a wrong checksum or another schema.
    """
    check_file(path, remedy)
    try:
        with pq.ParquetFile(path) as file:
            missing = set(newer).difference(file.schema_arrow.names)
            expected = pa.schema([field for field in schema if field.name not in missing])
            if not file.schema_arrow.equals(expected):
                raise damaged(path, "it has other columns", remedy)
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:  # a damaged footer is a plain OSError
        raise damaged(path, "it is not a Parquet table", remedy) from error


def tensor_bytes(tensors: Mapping[str, NDArray[Any]], record: Mapping[str, Any]) -> bytes:
    """Return a safetensors file; its metadata have one key, "dsel": the record and a checksum.

    With several keys, safetensors would write them in an order that changes from time to time.
    """
    text = json.dumps({FIELD: BLANK, **record})
    return seal(bytes(save(dict(tensors), {RECORD: text})))


@contextmanager
def opened_tensors(path: Path, remedy: str) -> Iterator[Tensors]:
    """Open what `tensor_bytes` made.

    Raises `DamageError` for a file that is missing, has a wrong checksum, or lacks a tensor.
    """
    check_file(path, remedy)
    try:
        with reading(path, remedy), safe_open(path, "numpy") as file:
            record = _parsed((file.metadata() or {}).get(RECORD, ""), path, remedy)
            if not isinstance(record, dict):
                raise damaged(path, "it has no record of dsel", remedy)
            yield Tensors(path, file, record)
    except SafetensorError as error:
        raise damaged(path, "it lacks some of its tensors", remedy) from error


class Tensors:
    """An open safetensors file: its record, its tensors, and slices of them."""

    def __init__(self, path: Path, file: Any, record: Mapping[str, Any]) -> None:
        self._path = path
        self._file = file
        self._starts: dict[str, int] | None = None
        self.record = record

    @property
    def names(self) -> Collection[str]:
        """The names of the tensors."""
        return frozenset(self._file.keys())

    def all(self, name: str) -> NDArray[Any]:
        """Read a tensor."""
        return np.asarray(self._file.get_tensor(name))

    def rows(self, name: str, low: int, high: int) -> NDArray[Any]:
        """Read some rows of a tensor."""
        return np.asarray(self._file.get_slice(name)[low:high])

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return tuple(self._file.get_slice(name).get_shape())

    def rows_into(self, name: str, low: int, target: NDArray[Any]) -> None:
        """Read as many rows as `target` (n, ...) has, without another copy of them."""
        start = self._start(name) + low * (target.nbytes // max(len(target), 1))
        with self._path.open("rb", buffering=0) as file:
            file.seek(start)
            view = memoryview(target.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
            while len(view):
                read = file.readinto(view)
                if not read:
                    raise SafetensorError(f"{name} ends early")
                view = view[read:]

    def _start(self, name: str) -> int:
        """Return where the numbers of a tensor begin in the file."""
        if self._starts is None:
            with self._path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            self._starts = {key: 8 + length + one["data_offsets"][0] for key, one in header.items()}
        return self._starts[name]


def _content(path: Path, remedy: str) -> bytes:
    with reading(path, remedy):
        return path.read_bytes()


def _parsed(content: bytes | str, path: Path, remedy: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not JSON", remedy) from error


def sync_folder(folder: Path) -> None:
    """Make the names of the files in a folder safe from a loss of power."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    with storage_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
