"""The image folder: OUT/train/<class>/<class>_id00000.png, and tables of how it was made.

README.md         what the set is, and lines that train from it
classes.json      index, name and folder of each class
patches.parquet   one row per ranked patch (`dsel.runs.schema.PATCHES`), exported or not
manifest.json     settings, run, prior, versions; per image, its patches and their boxes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsel.data.images import encode
from dsel.exports.base import (
    MANIFEST,
    Export,
    claim_folder,
    class_folders,
    image_entry,
    manifest,
)
from dsel.exports.readme import README, readme
from dsel.files import json_bytes, table_bytes, write_atomically
from dsel.runs.schema import PATCHES, patch_row
from dsel.types import Distilled, Done, Event, Progress, Started

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
SPLIT = "train"
SIDE_FILES = 4
"""Number of files beside the images: README.md, classes.json, patches.parquet, the manifest."""


def write_image_folder(
    export: Export, images: Iterable[Distilled], out: Path, also_ours: Sequence[str] = ()
) -> Iterator[Event]:
    """Write the images as they come; the same call again resumes an interrupted one.

    `also_ours` names other files of dsel that `out` may hold.
    """
    claim_folder(out, export, also_ours)
    folders = class_folders(export.classes)
    total = sum(len(s.kept_images(export.select.ipc)) for s in export.selections)
    yield Started("export", total, "images")
    entries: list[dict[str, Any]] = []
    size = 0
    for distilled in images:
        name = image_name(export, folders[distilled.class_index], distilled.number)
        content = encode(distilled.pixels, export.settings.file_format)
        write_atomically(out / name, content)
        entries.append(image_entry(name, distilled, export.classes))
        size += len(content)
        yield Progress()
    for name, content in side_files(export, entries).items():
        write_atomically(out / name, content)
    yield Done("export", {"images": len(entries), "bytes": size, "folder": str(out)})


def image_name(export: Export, folder: str, number: int) -> str:
    """Return the path of an image inside the export, from the folder name of its class."""
    return f"{SPLIT}/{folder}/{folder}_id{number:05d}{SUFFIXES[export.settings.file_format]}"


def side_files(export: Export, entries: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return what is written beside the images, by file name, for the manifest's image entries."""
    classes = [
        {"index": index, "name": name, "folder": folder}
        for index, (name, folder) in enumerate(
            zip(export.classes, class_folders(export.classes), strict=True)
        )
    ]
    rows = [
        patch_row(selected, patch) for selected in export.selections for patch in selected.patches
    ]
    return {
        README: readme(export).encode(),
        "classes.json": json_bytes(classes),
        "patches.parquet": table_bytes(rows, PATCHES),
        # Last: a complete manifest means that all other files are written.
        MANIFEST: json_bytes(manifest(export, entries, complete=True)),
    }
