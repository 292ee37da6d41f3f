"""Parquet files with a column of images and one of labels: one file, several, or a folder.

The images are bytes, or structs of bytes and path as Hugging Face datasets writes them. Opening
reads the footers, and the columns of labels and names. An image is read with its row group, and a
few of these are kept; nothing else is in memory.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dsel.config import SourceSettings
from dsel.data.columns import Columns, column_labels, find_columns
from dsel.data.indexed import IndexedImages, Labels, Listing, index_images
from dsel.data.places import Place, beside, clear_errors
from dsel.data.split_files import chosen_places
from dsel.errors import SourceError, UnreadableImage, first_line

GROUPS_BYTES: Final = 256 << 20
"""Bytes of row groups that are kept; one that is in use may take more."""

MAX_GROUP_BYTES: Final = 2 << 30
"""The largest row group: it must fit into memory, and a small file may unpack to any size."""

_ARROW_ERRORS: Final = (pa.ArrowException, ValueError, KeyError)
_LIMIT: Final = f"{MAX_GROUP_BYTES >> 30} GiB"
_BATCH: Final = 64  # images that are unpacked before their size is counted


@dataclass(frozen=True, slots=True)
class _File:
    """One file, its footer, and the row that each of its row groups begins with."""

    place: Place
    metadata: Any
    starts: tuple[int, ...]


class _Groups:
    """The row groups of files; those that were used last are kept. Safe to use from threads."""

    def __init__(self, files: Sequence[_File], columns: Columns) -> None:
        self.files, self.columns = files, columns
        self._starts = np.array([start for file in files for start in file.starts], np.int64)
        self._places = [(file, g) for file in files for g in range(len(file.starts))]
        self._kept: OrderedDict[int, Future[pa.ChunkedArray]] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Groups, (self.files, self.columns)

    def fetch(self, row: int) -> bytes:
        """Return the bytes of one image; raises `UnreadableImage`."""
        # Row groups without rows begin where the next one does.
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        value = self._group(number)[row - int(self._starts[number])].as_py()
        if value is None:
            raise UnreadableImage("has no bytes in the table; dsel follows no paths")
        return bytes(value)

    def _group(self, number: int) -> pa.ChunkedArray:
        with self._lock:
            known = self._kept.get(number)
            future: Future[pa.ChunkedArray] = known or Future()
            self._kept[number] = future
            self._kept.move_to_end(number)
        if known is not None:
            return known.result()
        try:
            future.set_result(self._read(number))
        except BaseException as error:
            with self._lock:
                self._kept.pop(number, None)
            future.set_exception(error)
            raise
        self._forget()
        return future.result()

    def _forget(self) -> None:
        with self._lock:
            sizes = {n: f.result().nbytes for n, f in self._kept.items() if f.done()}
            total = sum(sizes.values())
            for number in list(sizes)[:-1]:
                if total <= GROUPS_BYTES:
                    break
                total -= sizes[number]
                del self._kept[number]

    def _read(self, number: int) -> pa.ChunkedArray:
        """Read the images of a row group, a few at a time, so that their size is limited."""
        file, group = self._places[number]
        batches, size = [], 0
        with _unreadable_if_damaged(file.place), file.place.open() as stream:
            table = pq.ParquetFile(stream, metadata=file.metadata)
            column = [self.columns.bytes]
            for batch in table.iter_batches(_BATCH, row_groups=[group], columns=column):
                images = batch.column(0)
                images = images.field("bytes") if self.columns.in_struct else images
                batches.append(images)
                size += images.nbytes
                if size > MAX_GROUP_BYTES:
                    break
        if size > MAX_GROUP_BYTES:
            raise UnreadableImage(f"is in a row group of more than {_LIMIT} of images")
        return pa.chunked_array(batches)


def open_parquet(places: Sequence[Place], settings: SourceSettings, source: str) -> IndexedImages:
    """Index Parquet files, or the files of one split in a folder.

    source: what the manifest calls them.
    """
    files, chosen = chosen_places(places, ".parquet", source, settings)
    opened = _opened(files)
    columns = find_columns(source, opened[0].metadata.schema.to_arrow_schema(), settings)
    _check_groups(opened, columns)
    labels, names = _rows(opened, columns)
    content = _digest(opened)
    listing = Listing(labels, names, content=content, split=chosen.split, notes=chosen.notes)
    tree = beside(places[0] if places[0].is_dir() else places[0].parent)
    return index_images("parquet", source, tree, listing, _Groups(opened, columns).fetch, settings)


def _opened(places: Sequence[Place]) -> list[_File]:
    files, row = [], 0
    for place in places:
        with _damaged_unless_read(place), place.open() as stream:
            metadata = pq.ParquetFile(stream).metadata
        counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = row + np.cumsum([0, *counts])
        files.append(_File(place, metadata, tuple(starts[:-1].tolist())))
        row = int(starts[-1])
    return files


def _check_groups(files: Sequence[_File], columns: Columns) -> None:
    """Raise `SourceError` for a row group that does not fit into memory."""
    for file in files:
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            chunks = (group.column(index) for index in range(group.num_columns))
            size = sum(
                c.total_uncompressed_size for c in chunks if c.path_in_schema == columns.bytes
            )
            if size > MAX_GROUP_BYTES:
                raise SourceError(
                    f"{file.place} has a row group with {size / 2**30:.1f} GiB of images; dsel "
                    f"reads at most {_LIMIT} at once: write it with smaller row groups, such as "
                    "100 rows"
                )


def _rows(files: Sequence[_File], columns: Columns) -> tuple[Labels, list[str]]:
    """Read the columns of labels and names of all files."""
    wanted = [column for column in (columns.label, columns.name) if column]
    tables = []
    for file in files:
        with _damaged_unless_read(file.place), file.place.open() as stream:
            read = pq.ParquetFile(stream, metadata=file.metadata).read(columns=wanted)
        missing = {columns.label, columns.image} - {*read.column_names, columns.image}
        if missing:
            raise SourceError(f"{file.place} has no column {missing.pop()}, which others have")
        tables.append(_flat(read, columns))
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SourceError(
            f"{files[0].place} and the files beside it have columns of other types: "
            f"{first_line(error)}"
        ) from error
    names = table.column("name").to_pylist() if columns.name else [""] * table.num_rows
    labels = column_labels(str(files[0].place), table, columns)
    return labels, [name or "" for name in names]


def _flat(table: pa.Table, columns: Columns) -> pa.Table:
    """Return the labels, and the names as a column of their own."""
    parts = {columns.label: table.column(columns.label)}
    if columns.name:
        parts["name"] = _name_values(table, columns)
    return pa.table(parts)


def _name_values(table: pa.Table, columns: Columns) -> pa.ChunkedArray:
    outer, _, inner = columns.name.rpartition(".")
    if outer != columns.image:
        return table.column(columns.name)
    chunks = [chunk.field(inner) for chunk in table.column(outer).chunks]
    return pa.chunked_array(chunks, pa.string()) if chunks else pa.chunked_array([], pa.string())


def _digest(files: Sequence[_File]) -> str:
    """Return a name of the content: footers have the sizes and the statistics of all columns."""
    digest = hashlib.sha256()
    for file in files:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            for column in range(metadata.num_columns):
                digest.update(_mark(metadata.row_group(group).column(column)))
    return digest.hexdigest()[:32]


def _mark(chunk: Any) -> bytes:
    sizes = chunk.num_values, chunk.total_compressed_size, chunk.total_uncompressed_size
    return f"{chunk.path_in_schema}\0{sizes}\n".encode()


@contextmanager
def _unreadable_if_damaged(place: Place) -> Iterator[None]:
    """Tell damaged images from a file that cannot be reached."""
    try:
        with _damaged_unless_read(place):
            yield
    except SourceError as error:
        if not place.is_local and not isinstance(error.__cause__, _ARROW_ERRORS):
            raise
        raise UnreadableImage(f"is in a damaged row group of {place.name}") from error


@contextmanager
def _damaged_unless_read(place: Place) -> Iterator[None]:
    try:
        with clear_errors(str(place)):
            yield
    except _ARROW_ERRORS as error:
        raise SourceError(
            f"{place} is not a readable Parquet file, or only a part of one: {first_line(error)}"
        ) from error
