"""Entries of a zip file, listed and unpacked into memory; nothing is ever extracted to disk.

The file may be hostile. Limits are checked before anything is unpacked, and again while unpacking,
because headers may be wrong. An entry that cannot be used has a reason (`_reason`); an archive with
a name that leads out of it is refused as a whole (`_refuse_unsafe_name`).
"""

from __future__ import annotations

import bz2
import re
import stat
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, cast

from dsel.data.places import Place, clear_errors
from dsel.errors import SourceError, UnreadableImage

MAX_DIRECTORY_BYTES: Final = 32 << 20
MAX_ENTRIES: Final = 200_000
MAX_EXTRA_BYTES: Final = 4096
MAX_NAME_CHARS: Final = 1000
MAX_DEPTH: Final = 20
MAX_TOTAL_BYTES: Final = 64 << 30
MAX_ENTRY_BYTES: Final = 256 << 20
MAX_RATIO: Final = 300
"""Largest ratio of unpacked to packed size above 1 MiB; a small entry may be of one colour."""

_FREE_RATIO_BYTES: Final = 1 << 20
_HEADER_BYTES: Final = 30
_HEADER_MAGIC: Final = b"PK\x03\x04"
_RECORD_BYTES: Final = 46
_RECORD_MAGIC: Final = b"PK\x01\x02"
_IS_UTF8: Final = 0x800
_IS_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_UNICODE_PATH: Final = 0x7075
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_UNPACKERS: Final[Mapping[int, Callable[[], Any] | None]] = MappingProxyType({
    zipfile.ZIP_STORED: None,
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
})  # fmt: skip
"""Decompressors by method; without LZMA, whose header can request gigabytes of memory."""

_OTHER_METHODS: Final[Mapping[int, str]] = MappingProxyType({
    9: "Deflate64", 14: "LZMA", 93: "Zstandard", 95: "XZ", 99: "AES encryption",
})  # fmt: skip

# What zipfile raises on hostile bytes.
_ZIP_ERRORS: Final = (
    OSError, ValueError, EOFError, LookupError, RuntimeError, MemoryError, OverflowError,
    zipfile.BadZipFile, struct.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """The location of an entry's bytes, from `start` to `end`, or the reason not to read them.

    packed and size are in bytes; they and the checksum `crc` are those of the archive's directory.
    is_guessed: whether the encoding of the name is the one that the format prescribes for old ones.
    """

    name: bytes
    start: int
    end: int
    packed: int
    size: int
    crc: int
    method: int
    reason: str = ""
    is_guessed: bool = False


def list_entries(path: Path | Place) -> dict[str, Entry]:
    """Return all entries by their path, with / as separator; that of a folder ends with a /.

    Raises `SourceError` for an archive that is damaged, too large, or has an unsafe name.
    """
    infos, end = _listed(path)
    starts = sorted([*(info.header_offset for info in infos), end])
    found: dict[str, Entry] = {}
    for info in infos:
        name, is_guessed = _name(info)
        _refuse_unsafe_name(path, name)
        next_start = bisect_right(starts, info.header_offset)
        limit = starts[next_start] if next_start < len(starts) else 0
        clean = _clean_path(_CONTROL.sub(_escaped, name))
        reason = "has a control character in its name: rename it" if _CONTROL.search(name) else ""
        if clean in found:
            reason = "has a name that occurs in the zip file more than once"
        found[clean] = _entry(info, limit, reason or _reason(info, end), is_guessed)
    return found


def guessed_names(entries: Mapping[str, Entry]) -> str:
    """Return a note on names whose encoding the archive does not say; empty without any."""
    guessed = [name for name, entry in entries.items() if entry.is_guessed]
    if not guessed:
        return ""
    return (
        f"names in the zip file such as {min(guessed)} are not UTF-8 and are read as code page 437 "
        f"({len(guessed)} in all): check the names of the classes"
    )


def unpack(path: Path | Place, entry: Entry, most_bytes: int = MAX_ENTRY_BYTES) -> bytes:
    """Return an entry's bytes, after a check of their number and checksum.

    Each call opens the archive, so that many threads can read at once and no file stays open.
    Raises `UnreadableImage`, with the reason, and nothing else.
    """
    reason = entry.reason or _too_large(entry.size, most_bytes)
    if reason:
        raise UnreadableImage(reason)
    try:
        with _reached(path), path.open("rb") as file:
            packed = _packed(file, entry)
        data = _unpacked(packed, entry)
    except OSError as error:
        raise UnreadableImage(f"cannot be opened: {error.strerror or error}") from error
    except MemoryError as error:
        raise UnreadableImage("does not fit into memory") from error
    if zlib.crc32(data) != entry.crc:
        raise UnreadableImage("is damaged: its checksum differs from the one in the zip file")
    return data


def _reached(path: Path | Place) -> AbstractContextManager[None]:
    """Tell an archive that cannot be reached, which is no fault of an entry."""
    return clear_errors(str(path)) if isinstance(path, Place) else nullcontext()


class _Directory:
    """An archive opened for listing; limits what zipfile reads, which is the whole directory."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(
                f"its directory takes {size} bytes; at most {MAX_DIRECTORY_BYTES} are read"
            )
        data = self._file.read(size)
        if size > 0 and data.startswith(_RECORD_MAGIC):
            self._check_records(data)
        return data

    def _check_records(self, data: bytes) -> None:
        """Refuse too many records, and slow ones, before zipfile creates objects for them."""
        at = count = 0
        while data.startswith(_RECORD_MAGIC, at) and at + _RECORD_BYTES <= len(data):
            name, extra, comment = struct.unpack_from("<3H", data, at + 28)
            at += _RECORD_BYTES + name + extra + comment
            count += 1
            if extra > MAX_EXTRA_BYTES:  # zipfile takes time quadratic in it
                raise zipfile.BadZipFile(
                    f"{extra} extra bytes at a name; at most {MAX_EXTRA_BYTES}"
                )
            if count > MAX_ENTRIES:
                raise SourceError(
                    f"{self._name} has more than {MAX_ENTRIES} entries, the most that dsel reads "
                    "from a zip file: unpack it and give the folder"
                )


def _listed(path: Path | Place) -> tuple[list[zipfile.ZipInfo], int]:
    """Return the entries of the archive's directory, and the offset of the directory."""
    if not path.is_file():  # opening a pipe would block
        what = "is not a file" if path.exists() else "does not exist"
        raise SourceError(f"{path} {what}: give a .zip file with one folder of images per class")
    with _clear_errors(path), path.open("rb") as file:
        archive = zipfile.ZipFile(cast("BinaryIO", _Directory(file, str(path))))
        infos, start = archive.infolist(), archive.start_dir
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        raise SourceError(
            f"{path} would unpack to {total / 2**30:.0f} GiB; dsel reads zip files of at most "
            f"{MAX_TOTAL_BYTES >> 30} GiB: unpack it and give the folder"
        )
    return infos, start


@contextmanager
def _clear_errors(path: Path | Place) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise SourceError(f"no permission to read {path}") from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} marks its names as UTF-8, and they are not: zip the folder again"
        ) from error
    except _ZIP_ERRORS as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(
            f"{path} is not a readable zip file, or only a part of one: {text}"
        ) from error


def _stored_name(info: zipfile.ZipInfo) -> bytes:
    name = info.orig_filename
    return name.encode("utf-8" if info.flag_bits & _IS_UTF8 or name.isascii() else "cp437")


def _name(info: zipfile.ZipInfo) -> tuple[str, bool]:
    """Return an entry's name with / as separator, and whether its encoding is a guess.

    Some programs write backslashes. Without a flag the format prescribes code page 437, but many
    programs write UTF-8.
    """
    stored = _stored_name(info)
    if not info.flag_bits & _IS_UTF8:
        stored = _unicode_path(info.extra, stored) or stored
    try:
        name, is_guessed = stored.decode("utf-8"), False
    except UnicodeDecodeError:
        name, is_guessed = stored.decode("cp437"), True
    return name.replace("\\", "/"), is_guessed


def _unicode_path(extra: bytes, stored: bytes) -> bytes:
    """Return the UTF-8 name that some programs add to one in an older encoding."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + length]
        if kind == _UNICODE_PATH and field[1:5] == struct.pack("<L", zlib.crc32(stored)):
            return field[5:]
        at += 4 + length
    return b""


def _refuse_unsafe_name(path: Path | Place, name: str) -> None:
    """Raise `SourceError` for a name that would unpack elsewhere, or is otherwise unsafe."""
    parts = name.split("/")
    why = ""
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        why = "is an absolute path"
    elif ".." in parts:
        why = "leads out of it"
    elif len(name) > MAX_NAME_CHARS or len(parts) > MAX_DEPTH:
        why = f"has more than {MAX_NAME_CHARS} characters, or is {MAX_DEPTH} folders deep"
    if why:
        start = name if len(name) <= 80 else f"{name[:77]}..."
        raise SourceError(
            f"{path} is refused, because the name of its entry {start!r} {why}: zip the folder of "
            "class folders again"
        )


def _clean_path(name: str) -> str:
    """Return the path of a name such as ./cat//1.png; a folder keeps its / at the end."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) + ("/" if parts and name.endswith("/") else "")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _entry(info: zipfile.ZipInfo, end: int, reason: str, is_guessed: bool) -> Entry:
    return Entry(
        name=_stored_name(info),
        start=info.header_offset,
        end=end,
        packed=info.compress_size,
        size=info.file_size,
        crc=info.CRC,
        method=info.compress_type,
        reason=reason,
        is_guessed=is_guessed,
    )


def _reason(info: zipfile.ZipInfo, end: int) -> str:
    """Return why an entry is refused, by the directory's record of it; empty if it is not."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link, which dsel does not follow in a zip file"
    if kind not in (0, stat.S_IFREG):
        return "is a folder, a pipe or a device, not an image"
    if info.flag_bits & _IS_ENCRYPTED:
        return "is encrypted: zip it without a password"
    if info.compress_type not in _UNPACKERS:
        how = _OTHER_METHODS.get(info.compress_type, f"method {info.compress_type}")
        return f"is packed by {how}, which dsel does not read: zip it with deflate, the default"
    if not 0 <= info.header_offset < end:
        return "is damaged: the zip file's directory has an impossible offset"
    return _too_compressed(info.file_size, info.compress_size)


def _too_compressed(size: int, packed: int) -> str:
    if size > _FREE_RATIO_BYTES and size > MAX_RATIO * packed:
        return (
            f"would unpack to {size / max(packed, 1):.0f} times its size, as a zip bomb does; "
            f"dsel unpacks to at most {MAX_RATIO} times"
        )
    return _too_large(max(size, packed), MAX_ENTRY_BYTES)


def _too_large(size: int, most: int) -> str:
    if size <= most:
        return ""
    return f"has {size / 2**20:.0f} MiB; dsel reads at most {most >> 20} MiB of it in a zip file"


def _packed(file: BinaryIO, entry: Entry) -> bytes:
    """Read an entry's compressed bytes, after a check of its own header."""
    file.seek(entry.start)
    header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_HEADER_MAGIC):
        raise UnreadableImage("is damaged: its header in the zip file is missing")
    name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
    if file.read(name_bytes) != entry.name:
        raise UnreadableImage("is damaged: its header in the zip file has another name")
    start = entry.start + _HEADER_BYTES + name_bytes + extra_bytes
    if start + entry.packed > entry.end:
        raise UnreadableImage("is damaged: it overlaps with another entry of the zip file")
    file.seek(start)
    packed = file.read(entry.packed)
    if len(packed) < entry.packed:
        raise UnreadableImage("is cut off in the zip file")
    return packed


def _unpacked(packed: bytes, entry: Entry) -> bytes:
    make = _UNPACKERS[entry.method]
    if make is None:
        data, is_complete = packed, True
    else:
        unpacker = make()
        try:
            data = unpacker.decompress(packed, entry.size + 1)
        except (zlib.error, OSError, ValueError, EOFError) as error:
            raise UnreadableImage(f"is damaged in the zip file: {error}") from error
        is_complete = unpacker.eof
    if len(data) > entry.size:
        raise UnreadableImage(
            f"is damaged: it unpacks to more than the {entry.size} bytes that the zip file lists"
        )
    if len(data) < entry.size or not is_complete:
        raise UnreadableImage("is cut off in the zip file")
    return data
