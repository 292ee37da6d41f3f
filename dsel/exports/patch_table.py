"""The whole story of each ranked patch, exported or not, and where it is in the set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dsel.core.composing import tile_boxes
from dsel.exports.base import Export
from dsel.patches import ImageRanks
from dsel.runs.schema import SIDES, patches_table
from dsel.types import ClassSelection

NUMBER: Final = "number"
AT: Final = "at"
TILE_COLUMNS: Final = tuple((f"tile_{side}", pa.float64()) for side in SIDES)


def patch_tables(export: Export) -> Iterator[pa.Table]:
    """Yield a table of each class's ranked patches, so that all of a run need not be in memory.

    It has the columns of `dsel.runs.schema.PATCHES`; `NUMBER` and `AT`, the number of the first
    image that shows the patch, in its class and in the whole set; and the patch's tile there. These
    are null where no image shows it.
    """
    first = 0
    boxes = np.array([[b.x, b.y, b.width, b.height] for b in tile_boxes(export.canvas)])
    for selected in export.selections:
        table, (number, tile) = patches_table([selected]), _places(export, selected)
        missing = number < 0
        columns = {NUMBER: number, AT: first + number}
        columns |= {name: boxes[tile, n] for n, (name, _) in enumerate(TILE_COLUMNS)}
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values, mask=missing))
        yield table
        first += len(selected.kept_images(export.select.ipc))


def shown(table: pa.Table) -> pa.Table:
    """Return the rows of a table of `patch_tables` whose patches an image shows."""
    return table.filter(pc.is_valid(table[NUMBER]))


def _places(
    export: Export, selected: ClassSelection
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first image and the tile there of each ranked patch, (P,); -1 without one."""
    ranks = ImageRanks.of(selected.images).table[: export.select.ipc]
    images, tiles = ranks.shape
    rank = selected.patches.rank
    size = 1 + max(ranks.max(initial=-1), rank.max(initial=-1))  # a part of them may be here
    number, tile = (np.full(size, -1, np.int64) for _ in range(2))
    # Backwards, because the last of several numbers that are assigned to a place stays there.
    backwards = ranks.ravel()[::-1]
    number[backwards] = np.repeat(np.arange(images), tiles)[::-1]
    tile[backwards] = np.tile(np.arange(tiles), images)[::-1]
    return number[rank], tile[rank]


def joined(tables: Iterator[pa.Table], schema: pa.Schema) -> pa.Table:
    """Join tables, of which the columns of a schema stay."""
    parts = [table.select(schema.names) for table in tables]
    whole = pa.concat_tables(parts).combine_chunks() if parts else schema.empty_table()
    return whole.cast(schema)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
