"""The image folder: OUT/train/<folder>/<folder>_id00000.png, and tables of how it was made.

Folders have the names that they have in the source, so that they sort as those of held-out images.

README.md         what the set is, and lines that train from it
classes.json      index, name and folder of each class, in the order of the classes
patches.parquet   one row per ranked patch, exported or not (`EXPORTED`)
manifest.json     settings, run, prior, versions; per image, its patches and their boxes

Where a teacher labels the images, labels.safetensors is beside them; it is written by a function
that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa

from dsel.checksums import check_listed, digest
from dsel.core.composing import tile_boxes
from dsel.data.images import encode
from dsel.errors import DamageError
from dsel.exports.base import (
    MANIFEST,
    Export,
    claim_folder,
    image_entry,
    manifest,
)
from dsel.exports.readme import README, readme
from dsel.files import json_bytes, record_bytes, table_bytes, write_atomically
from dsel.locks import locked
from dsel.runs.schema import PATCHES, box_columns, patch_row
from dsel.types import ClassSelection, Distilled, Done, Event, Notice, Progress, Started

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
SPLIT = "train"
EXPORTED = pa.schema(
    [
        *PATCHES,
        ("file", pa.string()),
        ("tile_x", pa.float64()),
        ("tile_y", pa.float64()),
        ("tile_width", pa.float64()),
        ("tile_height", pa.float64()),
    ]
)
"""One ranked patch (`dsel.runs.schema.PATCHES`), and where it is in the export.

file: the first image that shows it, and tile_x to tile_height its tile there in pixels of that
image; null where it is not exported.
"""

NOWHERE: Final = dict.fromkeys(("file", "tile_x", "tile_y", "tile_width", "tile_height"))

Label: TypeAlias = Callable[[Path, Sequence[Mapping[str, Any]]], Iterator[Event]]
"""Writes a teacher's labels of the images in a folder, given by their entries in the manifest."""

SIDE_FILES = 4
"""Number of files beside the images: README.md, classes.json, patches.parquet, the manifest."""


def write_image_folder(
    export: Export,
    images: Iterable[Distilled],
    out: Path,
    also_ours: Sequence[str] = (),
    label: Label | None = None,
) -> Iterator[Event]:
    """Write the images as they come; the same call again resumes an interrupted one.

    `also_ours` names other files of dsel that `out` may hold. Raises `StorageError` while another
    process writes to `out`.
    """
    yield from locked(out, _write(export, images, out, also_ours, label))


def _write(
    export: Export,
    images: Iterable[Distilled],
    out: Path,
    also_ours: Sequence[str],
    label: Label | None,
) -> Iterator[Event]:
    known = claim_folder(out, export, also_ours)
    yield from _damaged_before(out, known)
    total = sum(len(s.kept_images(export.select.ipc)) for s in export.selections)
    yield Started("export", total, "images")
    entries: list[dict[str, Any]] = []
    checksums: dict[str, str] = {}
    size = 0
    for distilled in images:
        name = image_name(export, export.folders[distilled.class_index], distilled.number)
        content = encode(distilled.pixels, export.settings.file_format)
        write_atomically(out / name, content)
        entries.append(image_entry(name, distilled, export.classes))
        checksums[name] = digest(content)
        size += len(content)
        yield Progress()
    if label is not None:
        yield from label(out, entries)
    for name, content in side_files(export, entries, checksums).items():
        write_atomically(out / name, content)
    yield Done("export", {"images": len(entries), "bytes": size, "folder": str(out)})


def image_name(export: Export, folder: str, number: int) -> str:
    """Return the path of an image inside the export, from the folder name of its class."""
    return f"{SPLIT}/{folder}/{folder}_id{number:05d}{SUFFIXES[export.settings.file_format]}"


def _damaged_before(out: Path, checksums: Mapping[str, str]) -> Iterator[Event]:
    """Name the files of a complete export that were changed since; all are written again."""
    for name, checksum in checksums.items():
        try:
            check_listed(out / name, checksum, "")
        except DamageError as error:
            yield Notice(f"{out / name} is written again: {error.fields['problem']}")


def side_files(
    export: Export, entries: Sequence[Mapping[str, Any]], checksums: Mapping[str, str]
) -> dict[str, bytes]:
    """Return what is written beside the images, by file name.

    entries, checksums: what the manifest says of the images.
    """
    classes = [
        {"index": index, "name": name, "folder": folder}
        for index, (name, folder) in enumerate(zip(export.classes, export.folders, strict=True))
    ]
    rows = [row for selected in export.selections for row in _patch_rows(export, selected)]
    files = {
        README: readme(export).encode(),
        "classes.json": json_bytes(classes),
        "patches.parquet": table_bytes(rows, EXPORTED),
    }
    every = {name: digest(content) for name, content in files.items()} | dict(checksums)
    # Last: a complete manifest means that all other files are written.
    return files | {MANIFEST: record_bytes(manifest(export, entries, every, complete=True))}


def _patch_rows(export: Export, selected: ClassSelection) -> Iterator[dict[str, Any]]:
    """Yield the rows of `EXPORTED` of one class."""
    places = _places(export, selected)
    for patch in selected.patches:
        yield patch_row(selected, patch) | places.get(patch.rank, NOWHERE)


def _places(export: Export, selected: ClassSelection) -> Mapping[int, dict[str, Any]]:
    """Return the first file that shows each exported patch of a class, and its tile, by rank."""
    folder = export.folders[selected.index]
    places: dict[int, dict[str, Any]] = {}
    for number, image in enumerate(selected.kept_images(export.select.ipc)):
        file = image_name(export, folder, number)
        for rank, box in zip(image, tile_boxes(export.canvas), strict=True):
            places.setdefault(rank, {"file": file, **box_columns("tile_", box)})
    return places
