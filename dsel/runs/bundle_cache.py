"""The bytes that bundles take in this user's caches: the least recently used ones are fetched anew.

What is large in a bundle, its maps and pictures, is emptied, which is how it was before it was read
(see `dsel.runs.bundles`); what was selected or evaluated on it stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from dsel.files import temporary_beside

MOST_BYTES: Final = 20 << 30
"""What all bundles but the one that is opened may take."""

LARGE: Final = ("scores", "proxies", "rounds", "knowledge")
"""Folders of a run with files that nothing but fetching writes in a bundle."""


def used_now(record: Path) -> None:
    """Note that a bundle is used, by the time of its record."""
    with suppress(OSError):  # such as a cache of another user
        os.utime(record, (time.time(), time.time()))


def trim(caches: Path, opened: Path, record: str, most_bytes: int = MOST_BYTES) -> None:
    """Empty the large files of bundles, the least recently used first, until the rest fits.

    caches: with a folder for each bundle, which has the file `record` if it is one. opened: the one
    of these that stays as it is, whatever its size.
    """
    with suppress(OSError):
        bundles = [path for path in caches.iterdir() if (path / record).is_file()]
        others = sorted(
            (path for path in bundles if path != opened),
            key=lambda path: (path / record).stat().st_mtime_ns,
        )
        sizes = {path: sum(size for _, size in _large_files(path)) for path in others}
        total = sum(sizes.values())
        for path in others:
            if total <= most_bytes:
                return
            for file, _ in _large_files(path):
                _empty(file)
            total -= sizes[path]


def _large_files(bundle: Path) -> Iterator[tuple[Path, int]]:
    for folder in LARGE:
        for file in sorted(bundle.glob(f"*/{folder}/**/*")):
            with suppress(FileNotFoundError):
                if file.is_file() and (size := file.stat().st_size):
                    yield file, size


def _empty(file: Path) -> None:
    """Put an empty file in the place of one, which who reads it just now keeps."""
    temporary = temporary_beside(file)
    temporary.touch()
    temporary.replace(file)
