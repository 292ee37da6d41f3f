"""A dataset for the Hugging Face Hub: Parquet files of images and of patches, and a card.

README.md                        the card: YAML that describes the data, preview, method, figures
data/train-00000.parquet         the config `default`: image, label, and soft_label with a teacher
patches/train-00000.parquet      the config `patches`: one row per ranked patch, exported or not
preview.webp                     the first images of some classes
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dsel.checksums import digest, digest_of
from dsel.data.images import encode, thumbnail
from dsel.errors import storage_errors
from dsel.exports.base import Export
from dsel.exports.card import PREVIEW, card
from dsel.exports.formats import (
    CLASSES,
    SUFFIXES,
    Format,
    Record,
    Sink,
    Soft,
    classes_file,
)
from dsel.exports.patch_table import AT, TILE_COLUMNS, joined, patch_tables
from dsel.exports.readme import README
from dsel.files import place_written, temporary_beside, write_atomically
from dsel.runs.schema import PATCHES
from dsel.types import Distilled, Pixels

DATA: Final = "data/train-{:05d}.parquet"
PATCH_DATA: Final = "patches/train-00000.parquet"
FILE_BYTES: Final = 400 << 20
"""Bytes of images after which the next file begins."""

ROWS: Final = 100
"""Rows of a row group, which readers hold as a whole."""

ROW_BYTES: Final = 40
"""Bytes of a row beside the content of its image and its name, about."""

PREVIEWS: Final = 24
PREVIEW_PX: Final = 96
PREVIEW_COLUMNS: Final = 8
PREVIEW_RATE: Final = 0.32
"""Bytes of a pixel of the preview, about."""

IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""An image as the datasets library stores it."""

PATCH_SCHEMA: Final = pa.schema(
    [*PATCHES, ("image", pa.int64()), *((name, kind) for name, kind in TILE_COLUMNS)]
)
"""One ranked patch. image: the row of `default` of the first image that shows it, or null."""


def image_schema(export: Export, soft: bool) -> pa.Schema:
    """Return the schema of the images, with the features of the datasets library."""
    fields = [("image", IMAGE), ("label", pa.int64())]
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(export.classes), "_type": "ClassLabel"},
    }
    if soft:
        fields.append(("soft_label", pa.list_(pa.float32())))
        features["soft_label"] = {
            "feature": {"dtype": "float32", "_type": "Value"},
            "length": len(export.classes),
            "_type": "Sequence",
        }
    info = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema(fields, {"huggingface": info})


class ParquetImages(Sink):
    """Images in Parquet files of bounded size, `name` with the number of each filled in."""

    def __init__(
        self, kind: Format, export: Export, out: Path, soft: Soft | None, name: str,
        file_bytes: int = FILE_BYTES,
    ) -> None:  # fmt: skip
        self._kind, self._export, self._out, self._soft = kind, export, out, soft
        self._name, self._file_bytes = name, file_bytes
        self._schema = image_schema(export, soft is not None)
        self._writer: pq.ParquetWriter | None = None
        self._temporary = out
        self._rows: list[dict[str, Any]] = []
        self._at = self._in_file = self._bytes = self._files = 0
        self._checksums: dict[str, str] = {}

    def prepare(self, image: Distilled, content: bytes) -> bytes:
        """Return the image's file."""
        return content

    def append(self, image: Distilled, prepared: bytes) -> str:
        """Add a row."""
        suffix = SUFFIXES[self._export.settings.file_format]
        folder = self._export.folders[image.class_index]
        row: dict[str, Any] = {
            "image": {"bytes": prepared, "path": f"{folder}_id{image.number:05d}{suffix}"},
            "label": image.class_index,
        }
        if self._soft is not None:
            row["soft_label"] = self._soft[self._at].astype(np.float32)
        place = f"{self._name.format(self._files)}#{self._in_file}"
        self._rows.append(row)
        self._at, self._in_file = self._at + 1, self._in_file + 1
        self._bytes += len(prepared)
        if len(self._rows) == ROWS:
            self._flush()
        if self._bytes >= self._file_bytes:
            self._complete()
        return place

    def close(self) -> Mapping[str, str]:
        """Complete the last file; a set without images has one without rows."""
        if self._in_file or not self._files:
            self._complete()
        return self._checksums

    def discard(self) -> None:
        """Close and remove the file that is being written."""
        if self._writer is not None:
            with suppress(OSError):  # of a full disk, which has been reported
                self._writer.close()
            self._writer = None
            self._temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        path = self._out / self._name.format(self._files)
        with storage_errors(path):
            if self._writer is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._temporary = temporary_beside(path)
                # Images are compressed already, and their bytes have no useful extremes.
                self._writer = pq.ParquetWriter(
                    self._temporary,
                    self._schema,
                    compression="none",
                    use_dictionary=False,
                    write_statistics=["label"],
                )
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows = []

    def _complete(self) -> None:
        self._flush()
        writer, self._writer = self._writer, None
        name = self._name.format(self._files)
        path = self._out / name
        with storage_errors(path):
            if writer is not None:
                writer.close()
            self._checksums[name] = digest_of(self._temporary)
            self.size += self._temporary.stat().st_size
            place_written(self._temporary, path)
        self._files, self._in_file, self._bytes = self._files + 1, 0, 0


class _WithPreview(ParquetImages):
    """The images, and a picture of the first ones of some classes."""

    def __init__(self, kind: Format, export: Export, out: Path, soft: Soft | None) -> None:
        super().__init__(kind, export, out, soft, DATA)
        self._first: list[Pixels] = []

    def append(self, image: Distilled, prepared: bytes) -> str:
        """Add a row, and the first image of a class to the preview."""
        if image.number == 0 and len(self._first) < PREVIEWS:
            self._first.append(thumbnail(image.pixels, PREVIEW_PX))
        return super().append(image, prepared)

    def close(self) -> Mapping[str, str]:
        """Complete the files, and write the preview."""
        content = encode(_grid(self._first), "webp")
        write_atomically(self._out / PREVIEW, content)
        return {**super().close(), PREVIEW: digest(content)}


class HubDataset(Format):
    """Parquet files with a card, for the Hugging Face Hub and its datasets library."""

    name = "parquet"
    purpose = "the Hugging Face Hub and datasets.load_dataset"
    folders = ("data", "patches")
    holds_soft = True

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Open the folder."""
        return _WithPreview(self, export, out, soft)

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return the row of an image, as if there were one file."""
        return f"{DATA.format(0)}#{at}"

    def side_files(self, export: Export, entries: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
        """Return the card, the classes and the patches."""
        tables = (one.append_column("image", one[AT]) for one in patch_tables(export))
        table, buffer = joined(tables, PATCH_SCHEMA), BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        return {
            README: card(export, len(entries), len(table)).encode(),
            CLASSES: classes_file(export),
            PATCH_DATA: buffer.getvalue(),
        }

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return the sizes of the images in Parquet and of the preview, about."""
        side = min(PREVIEW_PX, export.canvas.image_px)
        preview = round(PREVIEW_RATE * min(PREVIEWS, len(export.classes)) * side**2)
        return parquet_bytes(export, images_bytes, DATA) | {PREVIEW: preview}

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the rows of the images."""
        for path in sorted((out / "data").glob("*.parquet")):
            yield from parquet_records(out, path)


def parquet_bytes(export: Export, images_bytes: int, name: str) -> dict[str, int]:
    """Return the sizes of Parquet files of so many bytes of images, about."""
    folder = max((len(one.encode()) for one in export.folders), default=0)
    soft = 4 * len(export.classes) if export.settings.teacher else 0
    footer = 450 + 2 * sum(len(json.dumps(one)) + 2 for one in export.classes)
    return {name.format(0): images_bytes + export.images * (ROW_BYTES + folder + soft) + footer}


def parquet_records(out: Path, path: Path) -> Iterator[Record]:
    """Yield the rows of one file of images."""
    with pq.ParquetFile(path) as file:
        labels = file.read(["label"]).column("label").to_pylist()
    name = path.relative_to(out).as_posix()
    yield from (Record(f"{name}#{row}", label) for row, label in enumerate(labels))


def _grid(pictures: Sequence[Pixels]) -> Pixels:
    """Join small pictures row by row on white."""
    columns = max(1, min(PREVIEW_COLUMNS, len(pictures)))
    side = max((max(one.shape[:2]) for one in pictures), default=1)
    rows = max(1, -(-len(pictures) // columns))
    sheet = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        y, x = number // columns * side, number % columns * side
        sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return sheet
