"""Checksums inside of files: any changed, missing or added byte is noticed when a file is read.

A file has a field whose value is "sha256:" and 64 hex digits: the SHA-256 of all its bytes, with
zeros in place of these digits. It is the first such value of the file; of a Parquet file, the last
one, since its metadata are at its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from dsel.errors import DamageError, storage_errors

FIELD: Final = "checksum"
MARK: Final = b"sha256:"
DIGITS: Final = 64
BLANK: Final = f"{MARK.decode()}{'0' * DIGITS}"
"""The value of the field before `seal` fills in the digits."""

PARQUET: Final = b"PAR1"
NEAR: Final = 1 << 16
"""Bytes from the start of a file, or from the end, within which its checksum is."""

CHUNK: Final = 1 << 20
MOST_CHECKED: Final = 1 << 16
Version: TypeAlias = tuple[int, int, int, int]

_checked: dict[Path, Version] = {}
"""The files of this process whose checksums were right, as they were then."""

_filled: dict[Path, Callable[[Path], None]] = {}
"""Folders whose files are empty until they are read, with what fills one."""


def filled_on_read(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write an empty file below a folder before it is read for the first time."""
    _filled[folder] = fill


def seal(content: bytes) -> bytes:
    """Return the content of a file with its checksum in place of `BLANK`."""
    buffer = BytesIO(content)
    seal_in_place(buffer)
    return buffer.getvalue()


def seal_in_place(buffer: BytesIO) -> None:
    """Put the checksum of a file in place of `BLANK`, without a copy of its content."""
    buffer.seek(0)
    at = _place(buffer)
    with buffer.getbuffer() as content:
        assert content[at : at + DIGITS] == b"0" * DIGITS, "the content has no blank checksum"
        checksum = hashlib.sha256(content).hexdigest().encode()
        content[at : at + DIGITS] = checksum


def digest(content: bytes) -> str:
    """Return the SHA-256 of a whole file, as manifests list it."""
    return hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, which may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_content(content: bytes, path: Path, remedy: str) -> None:
    """Raise `DamageError` unless the content of a file has the right checksum."""
    problem = _problem(BytesIO(content))
    if problem:
        raise damaged(path, problem, remedy)


def check_file(path: Path, remedy: str) -> None:
    """Raise `DamageError` unless a file has the right checksum.

    A file is read once in a process, and again when it has changed. Raises `StorageError` for one
    that may not be read, and for a folder.
    """
    with reading(path, remedy), path.open("rb") as file:
        version = _version(path)
        if _checked.get(path) == version:
            return
        problem = _problem(file)
    if problem:
        raise damaged(path, problem, remedy)
    if len(_checked) >= MOST_CHECKED:
        _checked.clear()
    _checked[path] = version


def check_listed(path: Path, checksum: str, remedy: str) -> bytes:
    """Return the content of a file whose SHA-256 a manifest lists; raises `DamageError`."""
    with reading(path, remedy):
        content = path.read_bytes()
    if digest(content) != checksum:
        raise damaged(path, "it differs from its checksum in the manifest", remedy)
    return content


def check_digest(path: Path, checksum: str, remedy: str) -> None:
    """Raise `DamageError` for a file that differs from its SHA-256, like `check_listed`."""
    with reading(path, remedy):
        found = digest_of(path)
    if found != checksum:
        raise damaged(path, "it differs from its checksum in the manifest", remedy)


def check_again() -> None:
    """Forget which files were checked, so that all are read again."""
    _checked.clear()


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Turn what the operating system says of a file into a `DamageError` or a `StorageError`."""
    try:
        with storage_errors(path):
            try:
                _fill(path)
                yield
            except FileNotFoundError as error:
                raise missing(path, remedy) from error
    except OSError as error:  # such as a block of the disk that cannot be read
        raise damaged(path, f"it cannot be read ({error.strerror or error})", remedy) from error


def _fill(path: Path) -> None:
    """Fill a file that is empty as yet; files of dsel never are."""
    if _filled and path.stat().st_size == 0:
        for folder, fill in list(_filled.items()):  # other threads may add some
            if path.is_relative_to(folder):
                fill(path)


def damaged(path: Path, problem: str, remedy: str) -> DamageError:
    """Return the error for a damaged file; fields: path, problem, remedy."""
    return DamageError(
        f"{path} is damaged: {problem}; {remedy}", path=str(path), problem=problem, remedy=remedy
    )


def missing(path: Path, remedy: str) -> DamageError:
    """Return the error for a missing file; fields: path, problem, remedy."""
    return DamageError(
        f"{path} is missing: {remedy}", path=str(path), problem="it is missing", remedy=remedy
    )


def _version(path: Path) -> Version:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _problem(file: BinaryIO) -> str:
    """What is wrong with a file; empty for one with the right checksum."""
    at = _place(file)
    if at < 0:
        return "it has no checksum of dsel"
    file.seek(0)
    found = hashlib.sha256()
    for part in _parts(file, at):
        found.update(part)
    stored = file.read(DIGITS)
    found.update(b"0" * DIGITS)
    for part in _parts(file):
        found.update(part)
    return "" if stored == found.hexdigest().encode() else "its checksum does not match"


def _place(file: BinaryIO) -> int:
    """Return where the digits of the checksum start; negative without any."""
    start = file.read(NEAR)
    if not start.startswith(PARQUET):
        found = start.find(MARK)
        return found + len(MARK) if found >= 0 else -1
    end = max(0, file.seek(0, 2) - NEAR)
    file.seek(end)
    found = file.read(NEAR).rfind(MARK)
    return end + found + len(MARK) if found >= 0 else -1


def _parts(file: BinaryIO, most: int | None = None) -> Iterator[bytes]:
    """Read up to `most` bytes, a part at a time."""
    while part := file.read(CHUNK if most is None else min(CHUNK, most)):
        yield part
        if most is not None:
            most -= len(part)
