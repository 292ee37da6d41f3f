"""The schemas of a run's Parquet tables, and the conversion between records and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from dsel.patches import Patches
from dsel.types import Box, ClassSelection, Frame, ImageRef, Patch, Score

FRAME_COLUMNS = (
    "width", "height", "view_x", "view_y", "view_width", "view_height",
    "proxy_width", "proxy_height",
)  # fmt: skip

IMAGES = pa.schema(
    [
        ("id", pa.string()),
        ("class_index", pa.int32()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("checksum", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("view_x", pa.float64()),
        ("view_y", pa.float64()),
        ("view_width", pa.float64()),
        ("view_height", pa.float64()),
        ("proxy_width", pa.int32()),
        ("proxy_height", pa.int32()),
        ("shard", pa.int32()),
        ("row", pa.int32()),
        ("map_row", pa.int32()),
        ("orientation", pa.int32()),
    ]
)
"""One image of a run.

status is "scored" or "skipped"; reason is empty where scored. checksum names the content of the
source's pixels (see `dsel.data.images.checksum`), and is empty where skipped. width and height are
those of the upright source in pixels; view_x to view_height is the region of it that the proxy
shows. row and map_row lead to the scores in the shard's file: row counts the shard's scored images
from 0, map_row those of them whose maps have the same shape. Both are -1 where the image was
skipped. orientation is the EXIF orientation in which the source is stored, 1 to 8; 1 is upright.
"""

PROXIES = pa.schema([*IMAGES, ("proxy", pa.binary()), ("thumbnail", pa.binary())])
"""One image of a shard, with its proxy and thumbnail as WebP bytes."""

PATCHES = pa.schema(
    [
        ("image_id", pa.string()),
        ("class_name", pa.string()),
        ("class_index", pa.int32()),
        ("rank", pa.int32()),
        ("cluster", pa.int32()),
        ("score", pa.float64()),
        ("standard_error", pa.float64()),
        ("picture_score", pa.float64()),
        ("picture_standard_error", pa.float64()),
        ("margin", pa.float64()),
        ("distance", pa.float64()),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("source_x", pa.float64()),
        ("source_y", pa.float64()),
        ("source_width", pa.float64()),
        ("source_height", pa.float64()),
        ("cut_x", pa.float64()),
        ("cut_y", pa.float64()),
        ("cut_width", pa.float64()),
        ("cut_height", pa.float64()),
    ]
)
"""One patch and how it was ranked.

x to height is its box in proxy pixels, source_x to source_height in pixels of the upright source,
and cut_x to cut_height what is exported of it. The other columns are those of `dsel.types.Patch`.
"""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One image of a shard: scored, with its proxy and thumbnail as WebP bytes, or skipped.

    note: what decoding has to say; it is not stored in the shard.
    """

    ref: ImageRef
    reason: str = ""
    frame: Frame | None = None
    proxy: bytes = b""
    thumbnail: bytes = b""
    score: Score | None = None
    checksum: str = ""
    orientation: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a run; `row` and `map_row` (see `IMAGES`) lead to its scores in its shard.

    orientation: the EXIF orientation of the stored source; `frame` is of the upright one.
    """

    id: str
    class_index: int
    shard: int
    row: int
    map_row: int
    frame: Frame | None
    reason: str
    checksum: str = ""
    orientation: int = 1


def proxy_row(item: ShardRow, shard: int, row: int, map_row: int) -> dict[str, Any]:
    """Return a row of `PROXIES`."""
    return {
        "id": item.ref.id,
        "class_index": item.ref.class_index,
        "status": "skipped" if item.reason else "scored",
        "reason": item.reason,
        "checksum": item.checksum,
        **_frame_columns(item.frame),
        "shard": shard,
        "row": row,
        "map_row": map_row,
        "orientation": item.orientation,
        "proxy": item.proxy,
        "thumbnail": item.thumbnail,
    }


def patch_row(selected: ClassSelection, patch: Patch) -> dict[str, Any]:
    """Return a row of `PATCHES`."""
    return {
        "image_id": patch.image_id,
        "class_name": selected.name,
        "class_index": patch.class_index,
        "rank": patch.rank,
        "cluster": patch.cluster,
        "score": patch.score,
        "standard_error": patch.standard_error,
        "picture_score": patch.picture_score,
        "picture_standard_error": patch.picture_standard_error,
        "margin": patch.margin,
        "distance": patch.distance,
        **box_columns("", patch.box),
        **box_columns("source_", patch.source_box),
        **box_columns("cut_", patch.cut_box),
    }


def patches_table(classes: Sequence[ClassSelection]) -> pa.Table:
    """Return a table of `PATCHES` with all ranked patches, class by class."""
    return pa.concat_tables([_patches_table(one) for one in classes]).combine_chunks()


def read_patches(table: pa.Table, class_index: int) -> Patches:
    """Return the patches of one class from a table of `PATCHES` with theirs alone."""
    ids = table["image_id"].combine_chunks().dictionary_encode()
    numbers = {name: table[name].to_numpy() for name in _PATCH_NUMBERS}
    boxes = {
        f"{prefix}box": np.column_stack([table[f"{prefix}{side}"].to_numpy() for side in SIDES])
        for prefix in _PATCH_BOXES
    }
    return Patches(
        ids=tuple(ids.dictionary.to_pylist()),
        class_index=class_index,
        image=ids.indices.to_numpy().astype(np.int64),
        **boxes,
        **numbers,
    )


def _patches_table(selected: ClassSelection) -> pa.Table:
    patches = selected.patches
    columns: dict[str, Any] = {
        "image_id": patches.image_ids,
        "class_name": pa.repeat(selected.name, len(patches)),
        "class_index": np.full(len(patches), patches.class_index),
        **{name: getattr(patches, name) for name in _PATCH_NUMBERS},
    }
    for prefix in _PATCH_BOXES:
        table = getattr(patches, f"{prefix}box")
        columns |= {f"{prefix}{side}": table[:, n] for n, side in enumerate(SIDES)}
    arrays = [pa.array(columns[one.name], from_pandas=False).cast(one.type) for one in PATCHES]
    return pa.Table.from_arrays(arrays, schema=PATCHES)


SIDES: Final = ("x", "y", "width", "height")
_PATCH_BOXES: Final = ("", "source_", "cut_")
_PATCH_NUMBERS: Final = (
    "rank", "cluster", "score", "standard_error", "picture_score", "picture_standard_error",
    "margin", "distance",
)  # fmt: skip


def box_columns(prefix: str, box: Box) -> dict[str, float]:
    """Return a box as columns whose names have a prefix."""
    return {
        f"{prefix}x": box.x,
        f"{prefix}y": box.y,
        f"{prefix}width": box.width,
        f"{prefix}height": box.height,
    }


def _box(prefix: str, line: Mapping[str, Any]) -> Box:
    return Box(*(line[f"{prefix}{name}"] for name in ("x", "y", "width", "height")))


def _frame_columns(frame: Frame | None) -> dict[str, float | None]:
    if frame is None:
        return dict.fromkeys(FRAME_COLUMNS)
    return {
        "width": frame.source_width,
        "height": frame.source_height,
        **box_columns("view_", frame.view),
        "proxy_width": frame.proxy_width,
        "proxy_height": frame.proxy_height,
    }
