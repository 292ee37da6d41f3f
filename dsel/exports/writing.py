"""Write distilled images in one format or several, in one pass over them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.checksums import check_digest, digest
from dsel.config.export import FOLDER, FORMAT_NAMES
from dsel.data.images import encode
from dsel.errors import DamageError, StorageError
from dsel.exports.base import (
    MANIFEST,
    Export,
    claim_folder,
    image_entry,
    manifest,
    manifest_bytes,
    refuse_foreign,
)
from dsel.exports.formats import Format, ImageFormat, Sink, Soft
from dsel.exports.registry import FORMATS, parts_of
from dsel.exports.zip_file import temporary_folder
from dsel.files import write_atomically
from dsel.locks import locked
from dsel.types import Distilled, Done, Event, Notice, Progress, Started

Images: TypeAlias = Callable[[], Iterator[Distilled]]
"""Composes the images, from the first one each time."""

LOOK_AHEAD: Final = 16
"""Images that are encoded ahead, at most."""

AHEAD_PX: Final = 1 << 25
"""Their pixels, at most."""

MOST_THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Labels:
    """A teacher's labels.

    write: labels the images of an image folder, given by their entries in its manifest, and stores
    them beside the images. read: returns the probabilities (N, C) that it stored.
    """

    write: Callable[[Path, Sequence[Mapping[str, Any]]], Iterator[Event]]
    read: Callable[[Path], NDArray[np.floating[Any]]]


@dataclass(slots=True)
class _Part:
    """One format that is written: the sink of its images, and their entries in the manifest."""

    kind: Format
    export: Export
    out: Path
    sink: Sink
    entries: list[dict[str, Any]] = field(default_factory=list)


def write_export(
    export: Export,
    images: Images,
    out: Path,
    also_ours: Sequence[str] = (),
    labels: Labels | None = None,
) -> Iterator[Event]:
    """Write the formats of an export; the same call again resumes an interrupted one.

    One format is written directly into `out`, several each into a folder of its name there.
    `also_ours` names other files of dsel that `out` may hold. Raises `StorageError` for files that
    are not this export's, and while another process writes to `out`.
    """
    yield from locked(out, _write(export, images, out, also_ours, labels))


def _write(
    export: Export, images: Images, out: Path, also_ours: Sequence[str], labels: Labels | None
) -> Iterator[Event]:
    parts = {out / name: part for name, part in parts_of(export).items()}
    yield from _claimed(parts, out, also_ours)
    soft, size = None, 0
    if labels is not None:
        yield from _without_labels(parts)
    held = any(FORMATS[part.format].holds_soft for part in parts.values())
    if labels is not None and held:  # of the files as they were written, so these come first
        folders = [folder for folder, part in parts.items() if part.format == FOLDER]
        with ExitStack() as stack:
            folder = folders[0] if folders else stack.enter_context(temporary_folder(out))
            first = FORMATS[FOLDER].adapted(export)
            stored = yield from _stored({folder: first}, images, None, labels)
            soft = labels.read(folder)
        if parts.pop(folder, None):
            size += stored
    if parts:
        size += yield from _stored(parts, images, soft)
    yield Done("export", {"images": export.images, "bytes": size, "folder": str(out)})


def _claimed(parts: Mapping[Path, Export], out: Path, also_ours: Sequence[str]) -> Iterator[Event]:
    """Claim the folder of each format; names files of complete ones that were changed since."""
    if out not in parts:
        if (out / MANIFEST).exists():
            raise StorageError(
                f"{out} holds an export in one format: choose a new folder for several",
                path=str(out),
            )
        refuse_foreign(out, (*also_ours, *FORMAT_NAMES))
    for folder, part in parts.items():
        known = claim_folder(folder, part, also_ours if folder == out else ())
        for name, checksum in known.items():
            try:
                check_digest(folder / name, checksum, "")
            except DamageError as error:
                yield Notice(f"{folder / name} is written again: {error.fields['problem']}")


def _without_labels(parts: Mapping[Path, Export]) -> Iterator[Event]:
    names = [part.format for part in parts.values() if not FORMATS[part.format].holds_soft]
    if names:
        yield Notice(f"{', '.join(names)}: no place for a teacher's labels, which are left out")


def _stored(
    parts: Mapping[Path, Export], images: Images, soft: Soft | None, labels: Labels | None = None
) -> Generator[Event, None, int]:
    """Write formats into folders in one pass over the images; returns the bytes of images."""
    opened = [_opened(folder, part, soft) for folder, part in parts.items()]
    try:
        yield Started("export", opened[0].export.images, "images")
        for image, prepared in _prepared(images(), opened):
            for part, one in zip(opened, prepared, strict=True):
                place = part.sink.append(image, one)
                part.entries.append(image_entry(place, image, part.export.classes))
            yield Progress()
        for part in opened:
            checksums = part.sink.close()
            if labels is not None:
                yield from labels.write(part.out, part.entries)
            _complete(part, checksums)
    finally:
        for part in opened:
            part.sink.discard()
    return sum(part.sink.size for part in opened)


def _opened(folder: Path, export: Export, soft: Soft | None) -> _Part:
    kind = FORMATS[export.format]
    return _Part(kind, export, folder, kind.sink(export, folder, soft if kind.holds_soft else None))


def _prepared(
    images: Iterator[Distilled], parts: Sequence[_Part]
) -> Iterator[tuple[Distilled, list[Any]]]:
    """Encode and prepare the images in threads, some ahead; yields them in order.

    Pillow encodes without Python's lock, so the caller's thread composes meanwhile.
    """
    side = parts[0].export.canvas.image_px
    qualities = {
        kind: part.export.settings.quality
        for part in parts
        if (kind := part.kind.image_format(part.export)) is not None
    }

    def prepare(image: Distilled) -> list[Any]:
        files = {kind: encode(image.pixels, kind, best) for kind, best in qualities.items()}
        return [part.sink.prepare(image, _content(part, files)) for part in parts]

    waiting: deque[tuple[Distilled, Future[list[Any]]]] = deque()
    ahead = max(1, min(LOOK_AHEAD, AHEAD_PX // side**2))
    with ThreadPoolExecutor(_threads(), "dsel-export") as pool:
        try:
            for image in images:
                waiting.append((image, pool.submit(prepare, image)))
                if len(waiting) > ahead:
                    first, prepared = waiting.popleft()
                    yield first, prepared.result()
            while waiting:
                first, prepared = waiting.popleft()
                yield first, prepared.result()
        finally:
            for _, prepared in waiting:
                prepared.cancel()


def _content(part: _Part, files: Mapping[ImageFormat, bytes]) -> bytes:
    kind = part.kind.image_format(part.export)
    return b"" if kind is None else files[kind]


def _threads() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min(MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(MOST_THREADS, os.cpu_count() or 1)


def _complete(part: _Part, checksums: Mapping[str, str]) -> None:
    """Write what is beside the images, and the manifest last: all other files are there then."""
    files = part.kind.side_files(part.export, part.entries)
    every = {name: digest(content) for name, content in files.items()} | dict(checksums)
    for name, content in files.items():
        write_atomically(part.out / name, content)
    if not part.kind.stores:
        part.sink.size = part.sink.size or sum(map(len, files.values()))
    record = manifest(part.export, part.entries, every, complete=True)
    write_atomically(part.out / MANIFEST, manifest_bytes(record))
