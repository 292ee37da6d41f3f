"""The files of a tar archive, from its headers alone: several times as fast as `tarfile`.

Ordinary headers, with the extended ones that long names and exact times need, are read directly.
At the first one that is anything else, `tarfile` takes over for the rest of the archive, so that
whatever it reads is read, and what it refuses is refused in its words.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

BLOCK: Final = tarfile.BLOCKSIZE
NO_FILE: Final = -1
"""The size of a member that is a link or another thing without bytes."""

_REGULAR: Final = b"0"
_DIRECTORY: Final = b"5"
_LINKS: Final = (b"1", b"2")
_LONG_NAME: Final = b"L"
_EXTENDED: Final = b"x"
_BLANKS: Final = 8 * ord(" ")
"""What the field of a header's checksum counts in it."""

_MOST_EXTENDED_BYTES: Final = 1 << 20
_HARMLESS: Final = frozenset(
    {"path", "size", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "linkpath"}
)
"""Keywords of extended headers that are read here, or that change nothing of a file's bytes."""


@dataclass(frozen=True, slots=True)
class TarFile:
    """A member that is no directory: its name as stored, and the place of its bytes."""

    name: str
    offset: int
    size: int


class _UnusualError(Exception):
    """A header that `tarfile` must read."""


@dataclass(slots=True)
class _Extended:
    """What headers before a file say of it."""

    name: str = ""
    size: int = NO_FILE


def tar_files(stream: IO[bytes]) -> Iterator[TarFile]:
    """Yield the files and links of a tar archive, which starts where the stream is.

    Between two of them the stream may be moved. Raises `tarfile.TarError`.
    """
    at = stream.tell()
    while True:
        try:
            found, end = _next(stream, at)
        except _UnusualError:
            stream.seek(at)
            yield from _by_library(stream)
            return
        if found is None:
            return
        if found.name:
            yield found
        at = end


def _next(stream: IO[bytes], at: int) -> tuple[TarFile | None, int]:
    """Read the headers of one member: the member, None after the last, and where the next is.

    A directory has no name here.
    """
    extended = _Extended()
    while True:
        stream.seek(at)
        header = stream.read(BLOCK)
        if not header and at:
            stream.seek(at - 1)
            if not stream.read(1):
                raise tarfile.ReadError("unexpected end of data")
        if len(header) != BLOCK or (not at and not any(header)):
            raise _UnusualError
        if not any(header):
            return None, at
        kind, size = header[156:157], _checked_size(header)
        if kind not in (_LONG_NAME, _EXTENDED):
            return _member(header, kind, size, at + BLOCK, extended)
        _extend(extended, kind, _content(stream, size))
        at += BLOCK + _blocks(size)


def _member(
    header: bytes, kind: bytes, size: int, data: int, extended: _Extended
) -> tuple[TarFile, int]:
    if kind == _DIRECTORY:
        return TarFile("", data, NO_FILE), data
    name = extended.name or _name(header)
    if kind == _REGULAR:
        size = size if extended.size == NO_FILE else extended.size
        return TarFile(name, data, size), data + _blocks(size)
    if kind in _LINKS:
        return TarFile(name, data, NO_FILE), data
    raise _UnusualError


def _extend(extended: _Extended, kind: bytes, content: bytes) -> None:
    """Note what an extended header says of the next file."""
    if kind == _LONG_NAME:
        extended.name = _text(content)
        return
    while content.strip(b"\0"):
        length, space, _ = content.partition(b" ")
        if not (space and length.isdigit() and 0 < int(length) <= len(content)):
            raise _UnusualError
        record, content = content[len(length) + 1 : int(length) - 1], content[int(length) :]
        keyword, value = _decoded(record)
        if keyword not in _HARMLESS:
            raise _UnusualError
        if keyword == "path":
            extended.name = value
        if keyword == "size":
            extended.size = _number(value, 10)


def _decoded(record: bytes) -> tuple[str, str]:
    try:
        keyword, equals, value = record.decode().partition("=")
    except UnicodeDecodeError as error:
        raise _UnusualError from error
    if not equals:
        raise _UnusualError
    return keyword, value


def _content(stream: IO[bytes], size: int) -> bytes:
    """Read what follows an extended header."""
    if size > _MOST_EXTENDED_BYTES:
        raise _UnusualError
    content = stream.read(size)
    if len(content) != size:
        raise _UnusualError
    return content


def _checked_size(header: bytes) -> int:
    """Return the size in a header whose checksum is right."""
    total = sum(header) - sum(header[148:156]) + _BLANKS
    if total != _number(_text(header[148:156]), 8):
        raise _UnusualError
    return _number(_text(header[124:136]), 8)


def _number(text: str, base: int) -> int:
    text = text.strip() or "0"
    if not (text.isascii() and text.isdigit()):
        raise _UnusualError
    try:
        return int(text, base)
    except ValueError as error:
        raise _UnusualError from error


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    if not name or name.endswith("/"):
        raise _UnusualError
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _blocks(size: int) -> int:
    """Return the bytes that content of this size takes in the archive."""
    return -(-size // BLOCK) * BLOCK


def _by_library(stream: IO[bytes]) -> Iterator[TarFile]:
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # it would keep all headers
            if not member.isdir():
                plain = member.isreg() and not member.issparse()
                yield TarFile(member.name, member.offset_data, member.size if plain else NO_FILE)
