"""Uploaded files: received from visitors within their quotas, found again, removed after a day."""

from __future__ import annotations

import re
import secrets
import shutil
import stat
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Final

from anyio import to_thread

from dsel.app.jobs.folder import FREE_BYTES
from dsel.app.quota import NO_QUOTAS, Quotas
from dsel.errors import QuotaError, SettingError, StorageError, storage_errors

ZIPS: Final = (".zip",)
IMAGES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
KEEP_S: Final = 24 * 3600.0
AT_ONCE: Final = 16
"""Uploads that are received at once, at most."""

LONGEST_NAME: Final = 160
"""Bytes of a stored file's name, at most; a disk takes 255."""

PARTIAL: Final = ".part"
_KEY: Final = re.compile("[0-9a-f]{64}")
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029/\\]")


@dataclass(slots=True)
class Upload:
    """A stored file, or one that is being received: whose it is, and its size."""

    visitor: str
    bytes: int
    at: float
    complete: bool = False


class Uploads:
    """The uploads of an app, in a folder of their own; safe to call from any thread.

    A file is stored at KEY/NAME. The key cannot be guessed and is the right to use the file.
    most_bytes: of one file.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        quotas: Quotas = NO_QUOTAS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self.most_bytes, self._quotas, self._clock = folder, most_bytes, quotas, clock
        self._lock = Lock()
        self._known = {path.name: _restored(path) for path in _folders(folder)}

    async def receive(
        self, name: str, size: int, chunks: AsyncIterator[bytes], visitor: str
    ) -> str:
        """Store a file of `size` bytes; return its key and name, as `find` takes them.

        Nothing is left of a file that breaks off. Raises `SettingError` for one that is too large,
        `QuotaError` for one too many, and `StorageError` if the disk is full.
        """
        self._check_bytes("the file", size)
        key, stored = secrets.token_hex(32), _stored_name(name)
        upload = self._begin(key, size, visitor)
        try:
            with storage_errors(Path(stored)):
                await self._store(key, stored, size, chunks)
        except BaseException:
            self._remove(key)
            raise
        upload.complete, upload.at = True, self._clock()
        return f"{key}/{stored}"

    def find(self, path: str, suffixes: tuple[str, ...]) -> Path:
        """Return an uploaded file; raises `SettingError` for a path that `receive` did not return.

        Links are refused, since no upload is one.
        """
        key, _, name = path.partition("/")
        if not _KEY.fullmatch(key) or name in ("", ".", "..") or _NOT_IN_NAMES.search(name):
            raise SettingError("the file was not uploaded here: upload it again")
        file = self.folder / key / name
        try:
            status = None if file.parent.is_symlink() else file.lstat()
        except OSError as error:
            raise SettingError("the file was not uploaded here: upload it again") from error
        if status is None or not stat.S_ISREG(status.st_mode):
            raise SettingError("the file was not uploaded here: upload it again")
        if file.suffix.lower() not in suffixes:
            raise SettingError(f"{name} must end in {', '.join(suffixes)}")
        self._check_bytes(name, status.st_size)
        return self.folder.resolve() / key / name

    def sweep(self) -> None:
        """Remove the uploads of more than a day ago; jobs have copies of theirs."""
        with self._lock:
            oldest = self._clock() - KEEP_S
            old = [key for key, one in self._known.items() if one.complete and one.at < oldest]
        for key in old:
            self._remove(key)

    def _begin(self, key: str, size: int, visitor: str) -> Upload:
        with self._lock:
            if sum(not one.complete for one in self._known.values()) >= AT_ONCE:
                raise QuotaError(
                    f"{AT_ONCE} files are being uploaded already, which is the limit: try again "
                    "when one is done"
                )
            known = self._known.values()
            self._quotas.check("uploads", [(one.visitor, 1) for one in known], visitor, 1)
            uses = [(one.visitor, one.bytes) for one in known]
            self._quotas.check("upload_bytes", uses, visitor, size)
            upload = self._known[key] = Upload(visitor, size, self._clock())
        return upload

    async def _store(self, key: str, name: str, size: int, chunks: AsyncIterator[bytes]) -> None:
        folder = self.folder / key
        folder.mkdir(mode=0o700, parents=True)
        if shutil.disk_usage(folder).free < FREE_BYTES + size:
            raise StorageError("the disk is almost full: free some space, or try again later")
        with (folder / PARTIAL).open("wb") as file:
            async for chunk in chunks:
                await to_thread.run_sync(file.write, chunk)
                size -= len(chunk)
        if size:
            raise SettingError(f"the upload of {name} broke off: upload it again")
        (folder / PARTIAL).rename(folder / name)

    def _check_bytes(self, name: str, count: int) -> None:
        if count > self.most_bytes:
            raise SettingError(
                f"{name} has {_mebibytes(count)} MiB; at most {_mebibytes(self.most_bytes)} MiB "
                "can be uploaded here"
            )

    def _remove(self, key: str) -> None:
        shutil.rmtree(self.folder / key, ignore_errors=True)
        with self._lock:
            self._known.pop(key, None)


def _folders(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    return [path for path in found if _KEY.fullmatch(path.name) and path.is_dir()]


def _restored(folder: Path) -> Upload:
    """Return the upload of an earlier app, whose visitor is not known any more."""
    status = [path.lstat() for path in folder.iterdir()]
    size = sum(one.st_size for one in status)
    return Upload("unknown", size, folder.stat().st_mtime, complete=True)


def _stored_name(name: str) -> str:
    """Return a file's name without folders and control characters, cut to a length that fits."""
    plain = _NOT_IN_NAMES.sub("_", PurePosixPath(name.replace("\\", "/")).name)
    stem, dot, suffix = plain.rpartition(".")
    short = _cut(stem if dot else plain, LONGEST_NAME - 16).lstrip(".") or "file"
    return f"{short}.{_cut(suffix, 12)}" if dot else short


def _cut(text: str, most_bytes: int) -> str:
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f}"
