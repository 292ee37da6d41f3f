"""A CSV of the selection: selection.csv, one row per ranked patch, exported or not.

Its columns are those of patches.parquet in the image folder, with `image` in place of `file`: the
number of the first image of its class that shows the patch, from 0. Unknown values are empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from dsel.exports.base import Export
from dsel.exports.coco import chosen
from dsel.exports.formats import Format, NoImages, Record, Sink, Soft
from dsel.exports.patch_table import NUMBER, TILE_COLUMNS, patch_tables
from dsel.exports.readme import README, other_readme
from dsel.runs.schema import PATCHES

FILE: Final = "selection.csv"
COLUMNS: Final = (*PATCHES.names, "image", *(name for name, _ in TILE_COLUMNS))
STORED: Final = {"image": NUMBER}
LINES: Final = """\
```python
import pandas

patches = pandas.read_csv("OUT/selection.csv")
```

`image` is the number of the first image of the class that shows the patch; it is empty for a patch that is not exported.
"""  # noqa: E501


class SelectionCsv(Format):
    """A table without images."""

    name = "csv"
    purpose = "the ranked patches as a table, for spreadsheets"
    stores = ""
    needs_pixels = False

    def sink(self, export: Export, out: Path, soft: Soft | None) -> Sink:
        """Store no image."""
        return NoImages()

    def place(self, export: Export, class_index: int, number: int, at: int) -> str:
        """Return an empty place."""
        return ""

    def side_files(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
    ) -> dict[str, bytes]:
        """Return the table and the README."""
        content = io.BytesIO()
        stream = io.TextIOWrapper(content, "utf-8", newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for table in patch_tables(export):
            columns = (_values(table[STORED.get(name, name)]) for name in COLUMNS)
            writer.writerows(zip(*columns, strict=True))
        stream.detach()  # flushes it, and leaves the content open
        return {
            README: other_readme(export, self.purpose, LINES).encode(),
            FILE: content.getvalue(),
        }

    def stored_bytes(
        self,
        export: Export,
        entries: Sequence[Mapping[str, Any]],
        images_bytes: int,
    ) -> dict[str, int]:
        """Return nothing."""
        return {}

    def records(self, out: Path, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Read the rows of exported patches."""
        with (out / FILE).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["image"]:
                    yield Record(f"{row['image_id']}#{row['rank']}", int(row["class_index"]))

    def expected(self, manifest: Mapping[str, Any]) -> Iterator[Record]:
        """Return the patches of the images, each once."""
        yield from chosen(manifest)


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column; None for a number that is not known."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    values: list[Any] = column.to_pylist()
    return values
