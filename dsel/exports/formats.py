"""What a format is: how its images are stored, what is beside them, and how they are checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.checksums import digest
from dsel.config.export import FormatName
from dsel.exports.base import Export
from dsel.files import json_bytes, sync_files, write_atomically
from dsel.types import Distilled

ImageFormat: TypeAlias = Literal["png", "jpeg", "webp"]
SUFFIXES: Mapping[ImageFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
CLASSES = "classes.json"
Soft: TypeAlias = NDArray[np.floating[Any]]
"""A teacher's probabilities of the images, (N, C), in their order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One image or box of an export as a check compares it: where it is, and its class index."""

    place: str
    label: int


class Sink(ABC):
    """Stores the images of one format in a folder.

    Images are prepared in threads, in any order, and then appended in the order of the set.
    """

    size: int = 0
    """Bytes of images that are stored, with what holds them."""

    @abstractmethod
    def prepare(self, image: Distilled, content: bytes) -> Any:
        """Do what may be done in a thread; content: the image's file, empty without one."""

    @abstractmethod
    def append(self, image: Distilled, prepared: Any) -> str:
        """Store the next image; returns where it is, for the manifest."""

    @abstractmethod
    def close(self) -> Mapping[str, str]:
        """Complete the files; returns their SHA-256 by name."""

    def discard(self) -> None:  # noqa: B027  (most sinks leave nothing behind)
        """Remove the temporary files of an export that is not completed."""


class Format(ABC):
    """A format of exports."""

    name: ClassVar[FormatName]
    purpose: ClassVar[str]
    """What it is for, in a phrase."""

    stores: ClassVar[ImageFormat | Literal["any", ""]] = "any"
    """The file format of its images: any that is asked for, always this one, or none."""

    needs_pixels: ClassVar[bool] = True
    """Whether the images must be composed to write it."""

    folders: ClassVar[tuple[str, ...]] = ()
    """The folders whose every file its consumers read; "*" is any folder."""

    holds_soft: ClassVar[bool] = False
    """Whether it stores a teacher's labels."""

    def image_format(self, export: Export) -> ImageFormat | None:
        """Return the file format of the images; None if they are no files."""
        if self.stores == "any":
            return export.settings.file_format
        return self.stores or None

    def adapted(self, export: Export) -> Export:
        """Return an export of several formats in this one."""
        always = None if self.stores == "any" else self.stores or None
        return export.in_format(self.name, always)

    @abstractmethod
    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder for images; soft: a teacher's labels of all of them."""

    @abstractmethod
    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return where an image is: its number in its class, and in the whole set."""

    @abstractmethod
    def side_files(self, export: Export, entries: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
        """Return what is beside the images, but for the manifest; entries: the manifest's."""

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return the sizes of the files that hold images, by name, before they are written.

        entries: the manifest's, or a sample of them. images_bytes: of all images as files; here
        they are counted as if the first of them had all.
        """
        sizes: dict[str, int] = {}
        for selected in export.selections:
            for number in range(len(selected.kept_images(export.select.ipc))):
                sizes[self.place(export, selected.index, number, len(sizes))] = 0
        return sizes | dict.fromkeys(list(sizes)[:1], images_bytes)

    @abstractmethod
    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the records of an export in order, from what its consumer reads."""

    def expected(self, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Return the records that the manifest lists."""
        index = {name: number for number, name in enumerate(manifest["classes"])}
        for entry in manifest["images"]:
            yield Record(entry["file"], index[entry["class"]])


class FileSink(Sink):
    """One file for each image."""

    def __init__(self, kind: Format, export: Export, out: Path) -> None:
        self._kind, self._export, self._out = kind, export, out
        self._checksums: dict[str, str] = {}

    def prepare(self, image: Distilled, content: bytes) -> tuple[str, str, int]:
        """Write the file; the disk is waited for once, at the end."""
        name = self._kind.place(self._export, image.class_index, image.number, 0)
        write_atomically(self._out / name, content, synced=False, flushed=False)
        return name, digest(content), len(content)

    def append(self, image: Distilled, prepared: tuple[str, str, int]) -> str:
        """Count the file."""
        name, checksum, size = prepared
        self._checksums[name] = checksum
        self.size += size
        return name

    def close(self) -> Mapping[str, str]:
        """Wait until all files are on the disk; returns their checksums."""
        sync_files([self._out / name for name in self._checksums])
        return self._checksums


class NoImages(Sink):
    """No image: the format is about the chosen patches alone."""

    def prepare(self, image: Distilled, content: bytes) -> None:
        """Do nothing."""

    def append(self, image: Distilled, prepared: None) -> str:
        """Return an empty place."""
        return ""

    def close(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}


def classes_file(export: Export) -> bytes:
    """Return classes.json: index, name and folder of each class."""
    return json_bytes(
        [
            {"index": index, "name": name, "folder": folder}
            for index, (name, folder) in enumerate(zip(export.classes, export.folders, strict=True))
        ]
    )
