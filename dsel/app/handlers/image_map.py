"""Handlers of Map: the positions of all images, their ids, and what is known of each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explorer import Explorer
from dsel.analysis.image_map import NO_IMAGES, image_map, in_unit_square, map_marks, map_status
from dsel.app.context import Context
from dsel.app.requests import Params, SomeClassesParams
from dsel.app.wire import packed, plain
from dsel.errors import RunError
from dsel.runs.image_map import class_starts, rows_by_class

COLUMNS: Final[Mapping[str, type[np.generic]]] = {
    "cluster": np.int16, "rank": np.int32, "score": np.float32, "standard_error": np.float32,
    "margin": np.float32, "box": np.int16, "kept": np.uint8,
}  # fmt: skip
"""The columns of patches, and the type in which they are sent."""


def map_points(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the positions of all scored images, class by class, once they are fitted.

    counts: images of each class. sizes: of the proxies, one row if all are the same.
    """
    explorer = context.explorer
    status = map_status(explorer)
    if not status.ready:
        return {"status": plain(status)}
    found = image_map(explorer)
    if found is None:
        raise RunError(NO_IMAGES)
    return {
        "status": plain(status),
        "positions": packed(in_unit_square(found.positions)),
        "counts": packed(np.diff(class_starts(explorer.run)).astype(np.int32)),
        "sizes": packed(_sizes(explorer)),
        "fitted": found.fitted,
        "problem": found.problem,
    }


def map_ids(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the ids of all images of the map, as compressed JSON."""
    run = context.explorer.run
    known = run.images.ids
    ids = [known[row] for row in rows_by_class(run).tolist()]
    text = json.dumps(ids, separators=(",", ":"), ensure_ascii=False)
    return {"ids": packed(np.frombuffer(zlib.compress(text.encode()), np.uint8))}


def map_marks_of(context: Context, params: SomeClassesParams) -> Mapping[str, Any]:
    """Return what the map shows of the images of classes, of as many as there is time for.

    classes: those that are answered, the first of the request. Numbers that are unknown are NaN,
    and -1 where they are whole.
    """
    explorer = context.explorer
    indices = [explorer.class_index(name) for name in params.classes]
    if not indices:
        return {"classes": []}
    marks = map_marks(explorer, context.settings, indices)
    columns = {
        name: packed(_whole(np.concatenate([getattr(one, name) for one in marks.best]), kind))
        for name, kind in COLUMNS.items()
    }
    return {"classes": params.classes[: len(marks.classes)], **columns}


def _whole(values: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    if np.issubdtype(kind, np.integer) and np.issubdtype(values.dtype, np.floating):
        values = np.nan_to_num(values, nan=-1)
    return values.astype(kind)


def _sizes(explorer: Explorer) -> NDArray[np.int32]:
    """Return the widths and heights of the proxies, (N, 2), or (1, 2) where they are all equal."""
    run = explorer.run
    sizes = run.images.frames.proxy[rows_by_class(run)].astype(np.int32)
    return sizes[:1] if (sizes == sizes[:1]).all() else sizes
