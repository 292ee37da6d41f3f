"""The image folder: OUT/train/<folder>/<folder>_id00000.png, and tables of how it was made.

Folders have the names that they have in the source, so that they sort as those of held-out images.

README.md         what the set is, and lines that train from it
classes.json      index, name and folder of each class, in the order of the classes
patches.parquet   one row per ranked patch, exported or not (`EXPORTED`)

Where a teacher labels the images, labels.safetensors is beside them; it is written by a function
that the caller gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsel.exports.base import Export
from dsel.exports.formats import (
    CLASSES,
    SUFFIXES,
    FileSink,
    Format,
    Record,
    Sink,
    Soft,
    classes_file,
)
from dsel.exports.patch_table import NUMBER, TILE_COLUMNS, joined, patch_tables
from dsel.exports.readme import README, readme
from dsel.files import read_json, table_bytes
from dsel.runs.schema import PATCHES

SPLIT = "train"
EXPORTED = pa.schema([*PATCHES, ("file", pa.string()), *TILE_COLUMNS])
"""One ranked patch (`dsel.runs.schema.PATCHES`), and where it is in the export.

file: the first image that shows it, and tile_x to tile_height its tile there in pixels of that
image; null where it is not exported.
"""


class ImageFolder(Format):
    """Class folders of image files below train/."""

    name = "folder"
    purpose = "PyTorch, Keras, and dsel itself"
    folders = (SPLIT,)
    holds_soft = True

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder; a teacher's labels are a file of their own."""
        return FileSink(self, export, out)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the path of an image."""
        folder = export.folders[class_index]
        return f"{SPLIT}/{folder}/{folder}_id{number:05d}{SUFFIXES[export.settings.file_format]}"

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the README, the classes and the table of patches."""
        return {
            README: readme(export).encode(),
            CLASSES: classes_file(export),
            "patches.parquet": table_bytes(joined(self._tables(export), EXPORTED), EXPORTED),
        }

    def _tables(self, export: Export) -> Iterator[pa.Table]:
        for selected, table in zip(export.selections, patch_tables(export), strict=True):
            files = [
                None if number is None else self.place(export, selected.index, number, 0)
                for number in table[NUMBER].to_pylist()
            ]
            yield table.append_column("file", pa.array(files, pa.string()))

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the images of the class folders."""
        for line in read_json(out / CLASSES):
            yield from folder_records(out, f"{SPLIT}/{line['folder']}", int(line["index"]))


def folder_records(out: Path, folder: str, label: int) -> Iterator[Record]:
    """Yield the images of a class folder in the order of their numbers."""
    files = [path.name for path in (out / folder).glob("*") if not path.name.startswith(".")]
    for name in sorted(files, key=lambda name: (len(name), name)):
        yield Record(f"{folder}/{name}", label)
