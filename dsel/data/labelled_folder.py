"""Image folders whose classes are in metadata.jsonl, metadata.csv or metadata.parquet.

This is the convention of Hugging Face's ImageFolder: a column `file_name` with paths below the
folder of the metadata, and a column of labels. The metadata is in the root, or in each split.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from dsel.config import SourceSettings
from dsel.data.class_folders import NO_SPLIT
from dsel.data.class_names import CLASSES_FILE
from dsel.data.columns import Columns, column_labels, features_of, usual_label
from dsel.data.file_names import is_image_name
from dsel.data.images import MAX_FILE_BYTES
from dsel.data.indexed import NO_COLUMN, IndexedImages, Labels, Listing, index_images, labels_of
from dsel.data.other_layouts import is_container
from dsel.data.places import Place, beside
from dsel.data.split_files import chosen_split
from dsel.data.split_names import kind_of
from dsel.data.tree import join
from dsel.errors import SourceError, UnreadableImage, first_line, shown, unknown

METADATA: Final = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
FILE_NAME: Final = "file_name"
_CHECKED: Final = 1000  # rows that are compared with their folders


@dataclass(frozen=True, slots=True)
class _Metadata:
    """The columns of a metadata file by name, and its path in the source.

    class_names: of labels that are numbers, by column.
    """

    path: str
    columns: Mapping[str, Sequence[Any]]
    class_names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Files:
    """The files of the rows, below a folder."""

    base: Place
    names: Sequence[str]

    def fetch(self, row: int) -> bytes | Path:
        """Return the file of one image; raises `UnreadableImage`."""
        name = self.names[row]
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not name:
            raise UnreadableImage("is outside of the dataset")
        if self.base.is_local:
            return Path(self.base.path, name)
        return (self.base / name).part(0, MAX_FILE_BYTES)


def has_metadata(place: Place, settings: SourceSettings) -> bool:
    """Return whether a folder's metadata says the classes, and not its folders.

    Raises `SourceError` where it is not clear which of both do.
    """
    if settings.label_column == NO_COLUMN or not (found := _metadata_of(place)):
        return False
    if settings.label_column:
        return True
    metadata = _read(place, next(iter(found.values())))
    names = [str(name) for name in metadata.columns.get(FILE_NAME, ())[:_CHECKED]]
    folders = [PurePosixPath(name).parent.name for name in names]
    classes = {one for one in folders if one and not is_container(one) and not kind_of(one)}
    usual = usual_label([name for name in metadata.columns if name != FILE_NAME])
    if not usual:
        return not classes
    if not all(folders) or len(classes) < 2:
        return True
    if any(_agrees(metadata, column, folders) for column in usual):
        return False
    raise SourceError(
        f"{place} has class folders, and other labels in {metadata.path}: give --label-column "
        f"{usual[0]}, or --label-column {NO_COLUMN} if the folders are the classes"
    )


def open_labelled(place: Place, settings: SourceSettings) -> IndexedImages:
    """Index the images that the metadata of a folder, or of one of its splits, lists."""
    found = _metadata_of(place)
    if not found:
        raise SourceError(
            f"{place} has no {', '.join(METADATA)}: omit --label-column, got "
            f"{settings.label_column!r}"
        )
    wanted = "" if settings.split == NO_SPLIT else settings.split
    folder = chosen_split(str(place), list(found), wanted)
    metadata = _read(place, found[folder])
    names = [name or "" for name in _file_names(place, metadata, settings)]
    labels = _labels(place, metadata, settings.label_column)
    base = place / folder if folder else place
    sizes = base.files
    notes = _notes(metadata.path, names, sizes)
    listing = Listing(
        labels, names, [sizes.get(name, 0) for name in names], split=folder, notes=notes
    )
    tree = beside(place, (join(folder, CLASSES_FILE), CLASSES_FILE))
    fetch = _Files(base, names).fetch
    return index_images("labelled folder", str(place), tree, listing, fetch, settings)


def _metadata_of(place: Place) -> dict[str, str]:
    """Return the metadata file of each split, by its folder; that of the root alone if there is."""
    found: dict[str, str] = {}
    for folder in ("", *_folders(place)):
        here = [name for name in METADATA if (place / join(folder, name)).is_file()]
        if len(here) > 1:
            raise SourceError(f"{place / folder} has {' and '.join(here)}: keep one of them")
        if here:
            found[folder] = join(folder, here[0])
            if not folder:
                break
    return found


def _folders(place: Place) -> list[str]:
    """Return the folders that are splits by their names."""
    if place.is_local:
        names = []
        with suppress(OSError):  # the reader of image folders gives the reason
            names = [path.name for path in Path(place.path).iterdir() if path.is_dir()]
    else:
        names = [path.partition("/")[0] for path in place.files if "/" in path]
    return sorted({name for name in names if kind_of(name)})


def _read(place: Place, path: str) -> _Metadata:
    file = place / path
    content = file.content() or b""
    try:
        if path.endswith(".parquet"):
            return _read_parquet(path, content)
        text = content.decode("utf-8-sig")
        rows = _read_csv(text) if path.endswith(".csv") else _read_lines(text)
    except ValueError as error:  # text that is no UTF-8, JSON or Parquet
        raise SourceError(f"{file} cannot be read: {first_line(error)}") from error
    names = dict.fromkeys(name for row in rows for name in row)
    return _Metadata(path, {name: [row.get(name) for row in rows] for name in names}, {})


def _read_csv(text: str) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return [{str(name): value for name, value in row.items()} for row in rows]


def _read_lines(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("each line must be an object of JSON")
    return rows


def _read_parquet(path: str, content: bytes) -> _Metadata:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    names = {
        name: tuple(feature.get("names", ())) for name, feature in features_of(table.schema).items()
    }
    columns: dict[str, Sequence[Any]] = {}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_dictionary(kind) or (pa.types.is_integer(kind) and names.get(name)):
            column = Columns("", name, "", in_struct=False, class_names=names.get(name, ()))
            labels = column_labels(path, table, column)
            columns[name] = [labels.keys[c] if c >= 0 else None for c in labels.codes]
        else:
            columns[name] = table.column(name).to_pylist()
    return _Metadata(path, columns, {name: found for name, found in names.items() if found})


def _file_names(place: Place, metadata: _Metadata, settings: SourceSettings) -> Sequence[str]:
    column = settings.image_column or FILE_NAME
    if column not in metadata.columns:
        raise SourceError(
            f"{place / metadata.path} has no column {column}; its columns are "
            f"{', '.join(shown(list(metadata.columns)))}: name that of the files with "
            "--image-column"
        )
    return metadata.columns[column]


def _labels(place: Place, metadata: _Metadata, wanted: str) -> Labels:
    others = [name for name in metadata.columns if name != FILE_NAME]
    if wanted and wanted not in others:
        raise unknown("label column", wanted, shown(others) or ["none"])
    found = [wanted] if wanted else usual_label(others)
    if len(found) != 1:
        what = "several columns of labels" if found else "no column that is known to be the label"
        raise SourceError(
            f"{place / metadata.path} has {what}: choose one with --label-column "
            f"({', '.join(shown(found or others)) or 'none'})"
        )
    values = [None if value == "" else value for value in metadata.columns[found[0]]]
    if metadata.path.endswith(".csv") and all(v is None or v.isdecimal() for v in values):
        values = [None if value is None else int(value) for value in values]
    labels = labels_of(values, f"{place / metadata.path}: {found[0]}")
    named = metadata.class_names.get(found[0], ())
    return _in_order(labels, named) if named else labels


def _in_order(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Return labels in the order that the metadata has for their names."""
    import numpy as np

    place = np.array([names.index(key) for key in labels.keys] + [-1], np.int64)
    return Labels(names, place[labels.codes], is_order=True)


def _agrees(metadata: _Metadata, column: str, folders: Sequence[str]) -> bool:
    return [str(v) for v in metadata.columns[column][: len(folders)]] == list(folders)


def _notes(path: str, names: Sequence[str], sizes: Mapping[str, int]) -> tuple[str, ...]:
    listed = set(names)
    unlisted = [name for name in sizes if is_image_name(name) and name not in listed]
    if not unlisted:
        return ()
    return (f"{path} does not list {len(unlisted)} images, such as {unlisted[0]}",)
