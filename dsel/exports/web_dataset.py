"""WebDataset: tar files in which the files of an image share a key, its number in the set.

train-00000.tar   00000000.png, .cls (class index), .json (class name and patches), and with a
                  teacher .soft.npy (C,) float32

Images come in the order of the classes: shuffle them in training.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from dsel.checksums import digest_of
from dsel.errors import storage_errors
from dsel.exports.base import Export, image_entry
from dsel.exports.formats import CLASSES, SUFFIXES, Format, Record, Sink, Soft, classes_file
from dsel.exports.readme import README, other_readme
from dsel.files import place_written, temporary_beside
from dsel.types import Distilled

SHARD: Final = "train-{:05d}.tar"
SHARD_BYTES: Final = 400 << 20
"""Bytes of images after which the next file begins."""

LINES: Final = """\
```python
import webdataset

images = webdataset.WebDataset("OUT/train-00000.tar", shardshuffle=False).shuffle(1000).decode("pil")
pairs = images.to_tuple("png;jpg;webp", "cls")
```

`classes.json` has the index and the name of each class. The images come in the order of the classes.
"""  # noqa: E501


class _Shards(Sink):
    """Tar files of bounded size."""

    def __init__(
        self, export: Export, out: Path, soft: Soft | None, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self._export, self._out, self._soft = export, out, soft
        self._shard_bytes = shard_bytes
        self._tar: tarfile.TarFile | None = None
        self._temporary = out
        self._at = self._bytes = self._shards = 0
        self._checksums: dict[str, str] = {}

    def prepare(self, image: Distilled, content: bytes) -> bytes:
        """Return the image's file."""
        return content

    def append(self, image: Distilled, prepared: bytes) -> str:
        """Add the files of an image."""
        key = f"{self._at:08d}"
        suffix = SUFFIXES[self._export.settings.file_format]
        place = f"{SHARD.format(self._shards)}#{key}"
        entry = image_entry(place, image, self._export.classes)
        with storage_errors(self._out / SHARD.format(self._shards)):
            tar = self._opened()
            _add(tar, key + suffix, prepared)
            _add(tar, f"{key}.cls", str(image.class_index).encode())
            _add(tar, f"{key}.json", _story(entry))
            if self._soft is not None:
                _add(tar, f"{key}.soft.npy", _npy(self._soft[self._at]))
        self._at, self._bytes = self._at + 1, self._bytes + len(prepared)
        if self._bytes >= self._shard_bytes:
            self._complete()
        return place

    def close(self) -> Mapping[str, str]:
        """Complete the last file; a set without images has an empty one."""
        if self._tar is not None or not self._shards:
            self._complete()
        return self._checksums

    def discard(self) -> None:
        """Close and remove the file that is being written."""
        if self._tar is not None:
            with suppress(OSError):  # of a full disk, which has been reported
                self._tar.close()
            self._tar = None
            self._temporary.unlink(missing_ok=True)

    def _opened(self) -> tarfile.TarFile:
        if self._tar is None:
            self._temporary = temporary_beside(self._out / SHARD.format(self._shards))
            self._tar = tarfile.TarFile(self._temporary, "w", format=tarfile.USTAR_FORMAT)
        return self._tar

    def _complete(self) -> None:
        name = SHARD.format(self._shards)
        with storage_errors(self._out / name):
            self._opened().close()
            self._tar = None
            self._checksums[name] = digest_of(self._temporary)
            self.size += self._temporary.stat().st_size
            place_written(self._temporary, self._out / name)
        self._shards, self._bytes = self._shards + 1, 0


class WebDataset(Format):
    """Tar files for reading in order."""

    name = "webdataset"
    purpose = "streaming from disks and buckets with webdataset"
    holds_soft = True

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder."""
        return _Shards(export, out, soft)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the key of an image, as if there were one file."""
        return f"{SHARD.format(0)}#{at:08d}"

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the README and the classes."""
        return {
            README: other_readme(export, self.purpose, LINES).encode(),
            CLASSES: classes_file(export),
        }

    def stored_bytes(
        self, export: Export, entries: Sequence[Mapping[str, Any]], images_bytes: int
    ) -> dict[str, int]:
        """Return the size of the tar files, about: each file has a header and is padded."""
        block, images = tarfile.BLOCKSIZE, export.images
        stories = [-(-len(_story(entry)) // block) * block for entry in entries]
        each = block * 4 + block // 2 + sum(stories) / max(1, len(stories))
        if export.settings.teacher:
            each += block + -(-(128 + 4 * len(export.classes)) // block) * block
        return {SHARD.format(0): images_bytes + round(images * each) + tarfile.RECORDSIZE // 2}

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the class of each key."""
        for path in sorted(out.glob("*.tar")):
            with tarfile.open(path) as tar:
                for member in tar:
                    key, _, kind = member.name.partition(".")
                    file = tar.extractfile(member) if kind == "cls" else None
                    if file is not None:
                        yield Record(f"{path.name}#{key}", int(file.read()))


def _story(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file; its time and owner are fixed, so that equal content gives equal bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(values, np.float32))
    return stream.getvalue()
