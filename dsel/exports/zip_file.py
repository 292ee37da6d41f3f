"""Write an exported set as one zip file, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dsel.checksums import check_content
from dsel.errors import DamageError, StorageError, storage_errors
from dsel.exports.base import MANIFEST, Export
from dsel.exports.registry import MANIFESTS, parts_of
from dsel.files import PARTIAL, remove_partial_folders, temporary_beside
from dsel.locks import LOCK, locked
from dsel.types import Done, Event

ZIP = ".zip"
OTHER_ARCHIVES: Final = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
UNREADABLE = (
    OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
"""What zipfile raises for a damaged file: RuntimeError is its word for an encrypted entry."""

ZIP_ENTRY_BYTES = 76
"""Bytes of a file in a zip beside its content and its name, which is stored twice."""
ZIP_END_BYTES = 22
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal content gives equal bytes


def zip_bytes(sizes: Mapping[str, int]) -> int:
    """Return the size of the zip file that `zip_folder` makes of files of these names and sizes."""
    entries = sum(ZIP_ENTRY_BYTES + 2 * len(name.encode()) for name in sizes)
    return sum(sizes.values()) + entries + ZIP_END_BYTES


def zip_folder(folder: Path, target: Path, leave_out: Sequence[str] = ()) -> Path:
    """Pack a folder as a zip file; equal content gives equal bytes."""
    temporary = temporary_beside(target)
    passing = f".*{PARTIAL}", LOCK  # of this call and of others
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path != target and not any(map(path.match, passing))
    )
    with storage_errors(target):
        try:
            with zipfile.ZipFile(temporary, "w") as archive:
                for path in files:
                    name = path.relative_to(folder)
                    if name.parts[0] not in leave_out:
                        _pack(archive, path, name.as_posix())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    return target


def _pack(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """Add a file, which may be larger than memory."""
    info = zipfile.ZipInfo(name, ZIP_DATE)
    info.external_attr = 0o644 << 16
    info.file_size = path.stat().st_size
    with path.open("rb") as file, archive.open(info, "w") as entry:
        shutil.copyfileobj(file, entry, 1 << 20)


def is_zip(out: Path) -> bool:
    """Whether an export to this path is one zip file, by its suffix."""
    return out.suffix.lower() == ZIP


def is_archive(out: Path) -> bool:
    """Whether a path is that of an archive of any kind, by its suffix."""
    return is_zip(out) or out.suffix.lower() in OTHER_ARCHIVES


def write_zip(
    export: Export, write: Callable[[Path], Iterator[Event]], out: Path
) -> Iterator[Event]:
    """Pack the folder that `write` fills; the bytes are those of `zip_folder` for that folder.

    Raises `StorageError` if `out` exists and is not this same export, or another process writes it.
    """
    name = hashlib.sha256(out.name.encode()).hexdigest()[:16]  # short, however long the zip's is
    yield from locked(out, _write(export, write, out), out.with_name(f".{name}{LOCK}"))


def _write(export: Export, write: Callable[[Path], Iterator[Event]], out: Path) -> Iterator[Event]:
    _refuse_other(out, export)
    with temporary_folder(out) as folder:
        figures: Mapping[str, float | int | str] = {}
        for event in write(folder):
            if isinstance(event, Done):
                figures = event.figures
            else:
                yield event
        size = zip_folder(folder, out).stat().st_size
    yield Done("export", {"images": figures["images"], "bytes": size, "file": str(out)})


@contextmanager
def temporary_folder(out: Path) -> Iterator[Path]:
    """Create a folder beside `out` and remove it at the end, and those that killed processes left.

    It is on the same disk as the zip file, which may be larger than the system's temporary one.
    """
    folder = temporary_beside(out)
    with storage_errors(out):
        remove_partial_folders(out.parent)
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_other(out: Path, export: Export) -> None:
    """Raise `StorageError` for a file that is not this export, which may be written again."""
    if not out.exists():
        return
    parts = parts_of(export).items()
    wanted = {f"{name}/{MANIFEST}".lstrip("/"): part.fingerprint for name, part in parts}
    try:
        with storage_errors(out), zipfile.ZipFile(out) as archive:
            found = [name for name in archive.namelist() if name in MANIFESTS]
            stored = {name: _fingerprint(archive.read(name), out) for name in found}
        if not stored:
            raise LookupError(MANIFEST)
    except (*UNREADABLE, DamageError) as error:
        raise StorageError(
            f"{out} exists and is not an export of dsel, or is damaged: choose a new file",
            path=str(out),
        ) from error
    if stored != wanted:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new file",
            path=str(out),
        )


def _fingerprint(content: bytes, out: Path) -> str:
    check_content(content, out, "")
    return str(json.loads(content)["fingerprint"])
