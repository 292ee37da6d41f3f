"""The whole story of each ranked patch, exported or not, and where it is in the set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from dsel.core.composing import tile_boxes
from dsel.exports.base import Export
from dsel.runs.schema import box_columns, patch_row

TILE_COLUMNS: Final = (
    ("tile_x", pa.float64()),
    ("tile_y", pa.float64()),
    ("tile_width", pa.float64()),
    ("tile_height", pa.float64()),
)
NO_TILE: Final = dict.fromkeys(name for name, _ in TILE_COLUMNS)


@dataclass(frozen=True, slots=True)
class PatchStory:
    """One ranked patch: its row of `dsel.runs.schema.PATCHES`, and its tile.

    number and at: of the first image that shows it, in its class and in the whole set; None where
    no image does.
    """

    row: dict[str, Any]
    tile: dict[str, Any]
    class_index: int
    number: int | None
    at: int | None


def patch_stories(export: Export) -> Iterator[PatchStory]:
    """Yield the ranked patches of every class."""
    first = 0
    boxes = [box_columns("tile_", box) for box in tile_boxes(export.canvas)]
    for selected in export.selections:
        images = selected.kept_images(export.select.ipc)
        places: dict[int, tuple[int, dict[str, Any]]] = {}
        for number, image in enumerate(images):
            for rank, box in zip(image, boxes, strict=True):
                places.setdefault(rank, (number, box))
        for patch in selected.patches:
            row = patch_row(selected, patch)
            if patch.rank in places:
                number, box = places[patch.rank]
                yield PatchStory(row, box, selected.index, number, first + number)
            else:
                yield PatchStory(row, NO_TILE, selected.index, None, None)
        first += len(images)
