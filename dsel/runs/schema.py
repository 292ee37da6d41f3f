"""The rows of dsel's Parquet tables, and how records become rows and rows become records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

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
        ("place", pa.int32()),
    ]
)
"""One image of a run. status: scored or skipped. Both counted in its shard from 0, and -1 where
skipped: `row` among the scored images, `place` among those of them whose proxies have its shape.
"""

PROXIES = pa.schema([*IMAGES, ("proxy", pa.binary()), ("thumbnail", pa.binary())])
"""One image of a shard, with its pictures as WebP bytes."""

PATCHES = pa.schema(
    [
        ("image_id", pa.string()),
        ("class_name", pa.string()),
        ("class_index", pa.int32()),
        ("rank", pa.int32()),
        ("cluster", pa.int32()),
        ("score", pa.float64()),
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
    ]
)
"""One patch and how it was ranked; boxes in proxy pixels and in upright source pixels."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One image of a shard: scored, with pictures as WebP bytes, or skipped with a reason."""

    ref: ImageRef
    reason: str = ""
    frame: Frame | None = None
    proxy: bytes = b""
    thumbnail: bytes = b""
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of a run; `row` and `place` (see `IMAGES`) lead to its scores in its shard."""

    id: str
    class_index: int
    shard: int
    row: int
    place: int
    frame: Frame | None
    reason: str


def proxy_row(item: ShardRow, shard: int, row: int, place: int) -> dict[str, Any]:
    """A row of `PROXIES`."""
    return {
        "id": item.ref.id,
        "class_index": item.ref.class_index,
        "status": "skipped" if item.reason else "scored",
        "reason": item.reason,
        **_frame_columns(item.frame),
        "shard": shard,
        "row": row,
        "place": place,
        "proxy": item.proxy,
        "thumbnail": item.thumbnail,
    }


def image_row(line: Mapping[str, Any]) -> ImageRow:
    """A record from a row of `IMAGES`."""
    frame = None
    if line["proxy_width"] is not None:
        shape = line["proxy_width"], line["proxy_height"]
        frame = Frame(line["width"], line["height"], _box("view_", line), *shape)
    return ImageRow(
        id=line["id"],
        class_index=line["class_index"],
        shard=line["shard"],
        row=line["row"],
        place=line["place"],
        frame=frame,
        reason=line["reason"],
    )


def patch_row(selected: ClassSelection, patch: Patch) -> dict[str, Any]:
    """A row of `PATCHES`."""
    return {
        "image_id": patch.image_id,
        "class_name": selected.name,
        "class_index": patch.class_index,
        "rank": patch.rank,
        "cluster": patch.cluster,
        "score": patch.score,
        "margin": patch.margin,
        "distance": patch.distance,
        **box_columns("", patch.box),
        **box_columns("source_", patch.source_box),
    }


def patch(line: Mapping[str, Any]) -> Patch:
    """A record from a row of `PATCHES`."""
    return Patch(
        image_id=line["image_id"],
        class_index=line["class_index"],
        box=_box("", line),
        source_box=_box("source_", line),
        score=line["score"],
        margin=line["margin"],
        cluster=line["cluster"],
        distance=line["distance"],
        rank=line["rank"],
    )


def box_columns(prefix: str, box: Box) -> dict[str, float]:
    """A box as columns of that prefix."""
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
