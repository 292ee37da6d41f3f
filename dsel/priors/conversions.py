"""Converted networks and trials in the user's cache folder: written once, checked when read.

A conversion is a folder of its own: an OpenVINO model, and the checksums of its files. One process
at a time looks for it and writes it, and others wait. What is damaged is converted again; what
cannot be stored is used without being stored. The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from dsel.errors import StorageError
from dsel.files import (
    json_bytes,
    remove_partial_folders,
    temporary_beside,
    user_caches,
    write_atomically,
)

MODEL: Final = "network.xml"
WEIGHTS: Final = "network.bin"
RECORD: Final = "checksums.json"


def conversions() -> Path:
    """Return the folder of all conversions and trials in this user's cache folder."""
    return user_caches() / "networks"


def converted(name: str, convert: Callable[[], Any]) -> Any:
    """Return the OpenVINO model that is stored by this name, or convert it and store it."""
    folder = conversions() / name
    with _alone(folder) as is_alone:
        if is_alone and _is_whole(folder):
            return _read(folder)
        model = convert()
        if is_alone:
            with suppress(OSError):
                _store(model, folder)
        return model


def stored_record(name: str) -> Mapping[str, Any] | None:
    """Return the record that is stored by this name; None if there is none that can be read."""
    return _record(conversions() / f"{name}.json")


def store_record(name: str, record: Mapping[str, Any]) -> None:
    """Store a record of plain values by this name, if the folder can be written."""
    with suppress(StorageError, OSError):
        write_atomically(conversions() / f"{name}.json", json_bytes(record))


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Let one process at a time use a conversion; yields False where it cannot be stored."""
    from filelock import FileLock

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        lock.acquire()
    except (OSError, NotImplementedError):  # read-only, or a file system without locks
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _is_whole(folder: Path) -> bool:
    listed = _record(folder / RECORD)
    try:
        return listed is not None and all(
            _checksum(folder / name) == listed[name] for name in (MODEL, WEIGHTS)
        )
    except (OSError, LookupError):
        return False


def _read(folder: Path) -> Any:
    import openvino

    return openvino.Core().read_model(folder / MODEL)


def _store(model: Any, folder: Path) -> None:
    """Write a conversion under a temporary name, and rename it; what was there is removed."""
    import openvino

    remove_partial_folders(folder.parent)
    temporary = temporary_beside(folder)
    temporary.mkdir()
    try:
        openvino.save_model(model, temporary / MODEL, compress_to_fp16=False)
        sums = {name: _checksum(temporary / name) for name in (MODEL, WEIGHTS)}
        write_atomically(temporary / RECORD, json_bytes(sums))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except (OSError, RuntimeError, StorageError):  # no space left, for example
        shutil.rmtree(temporary, ignore_errors=True)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
