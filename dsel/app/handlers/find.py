"""Handlers of Find: images that a filter lets through, similar patches, figures of all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.class_figures import figures_of_classes
from dsel.analysis.evaluations import class_accuracies
from dsel.analysis.finding import ANY_OTHER, OFF, Filter, Order, Span, find, found_page, ordered
from dsel.analysis.image_columns import ImageColumns, image_columns
from dsel.app.context import Context
from dsel.app.handlers.evaluate import stored_evaluations
from dsel.app.requests import FilterParams, FindParams, Params, TokensParams
from dsel.app.wire import packed, page_numbers, plain
from dsel.core.class_likeness import nearest

MOST_FOUND: Final = 5000
"""Images that are selected together, at most; as many can be pinned or banned."""

MOST_SIMILAR: Final = 18
EVERY: Final = "*"


def find_images(context: Context, params: FindParams) -> Mapping[str, Any]:
    """Return a page of the images of the run that a filter lets through.

    ready: classes that have been read; while they are fewer than all, the same request again reads
    more of them, and finds more. counts: of what is found, by class.
    """
    wanted = _filter(context, params)
    columns = _columns(context, wanted.classes)
    found = found_page(columns, wanted, _order(params))
    of_class = columns.images.class_index[find(columns, wanted)]
    return {
        "rows": _wires(context, columns, found.rows),
        **page_numbers(found),
        **_progress(columns),
        "counts": packed(np.bincount(of_class, minlength=len(columns.ready)).astype(np.int32)),
        "ranges": _ranges(columns),
    }


def find_all(context: Context, params: FindParams) -> Mapping[str, Any]:
    """Return the ids of the first `MOST_FOUND` scored images that are found, by class."""
    wanted = _filter(context, params)
    columns = _columns(context, wanted.classes)
    rows = ordered(columns, find(columns, wanted), _order(params))
    rows = rows[columns.images.is_scored[rows]]
    groups: dict[str, list[str]] = {}
    of_class, ids = columns.images.class_index, columns.images.ids
    for row in rows[:MOST_FOUND].tolist():
        groups.setdefault(context.explorer.classes[of_class[row]], []).append(ids[row])
    return {"groups": groups, "total": len(rows), "most": MOST_FOUND, **_progress(columns)}


def similar(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the patches most similar to that of the view's image, in its class and in others."""
    index, explorer = context.class_index, context.explorer
    explorer.row_of(index, context.view.image_id)
    columns = _columns(context, (index,))
    images = columns.images
    row = images.row_of[context.view.image_id]
    known = np.flatnonzero(columns.has_features)
    mine = images.class_index[known] == index
    found = {}
    for name, chosen in (("own", known[mine & (known != row)]), ("others", known[~mine])):
        rows, cosines = nearest(
            columns.features, known, columns.features[row], chosen, MOST_SIMILAR
        )
        wires = _wires(context, columns, rows.tolist())
        found[name] = [
            {**wire, "cosine": round(cosine, 4)}
            for wire, cosine in zip(wires, cosines.tolist(), strict=True)
        ]
    return {**found, "image": _wires(context, columns, [row])[0], **_progress(columns)}


def class_figures(context: Context, params: TokensParams) -> Mapping[str, Any]:
    """Return figures of all classes, in their order; NaN where a figure is unknown.

    tokens: of the visitor's evaluations. no_accuracy: why the accuracies are unknown, as a code.
    """
    columns, stored = _columns(context, ()), stored_evaluations(context, params.tokens)
    found = class_accuracies(stored, context.settings)
    accuracy = [found.of_class.get(name) for name in context.explorer.classes]
    figures = {**figures_of_classes(columns), "accuracy": np.array(accuracy, np.float32)}
    return {
        "figures": {name: packed(one) for name, one in figures.items()},
        "no_accuracy": found.reason,
        **_progress(columns),
    }


def _columns(context: Context, first: Sequence[int]) -> ImageColumns:
    return image_columns(context.explorer, context.settings, np.array(first, np.int64))


def _progress(columns: ImageColumns) -> Mapping[str, int]:
    return {"ready": int(columns.ready.sum()), "classes": len(columns.ready)}


def _filter(context: Context, params: FilterParams) -> Filter:
    index_of = context.explorer.class_index
    looks = {"": OFF, EVERY: ANY_OTHER}
    return Filter(
        text=params.text,
        classes=tuple(index_of(name) for name in params.classes),
        status=params.status,
        score=Span(params.score_min, params.score_max),
        margin=Span(params.margin_min, params.margin_max),
        error=Span(params.error_min, params.error_max),
        hit=params.hit,
        near_duplicates=params.near_duplicates,
        looks=looks[params.looks] if params.looks in looks else index_of(params.looks),
    )


def _order(params: FindParams) -> Order:
    return Order(params.sort, params.backwards, params.page, params.rows)


def _ranges(columns: ImageColumns) -> Mapping[str, Sequence[float | None]]:
    """Return the lowest and the highest known value of what can be filtered by."""
    return {name: _ends(getattr(columns, name)) for name in ("score", "margin", "error")}


def _ends(values: NDArray[np.float32]) -> Sequence[float | None]:
    known = values[np.isfinite(values)]
    return [float(known.min()), float(known.max())] if len(known) else [None, None]


def _wires(context: Context, columns: ImageColumns, rows: Sequence[int]) -> list[dict[str, Any]]:
    return [_wire(context, columns, row) for row in rows]


def _wire(context: Context, columns: ImageColumns, row: int) -> dict[str, Any]:
    """Return an image as the page shows it; its box is in pixels of its proxy."""
    images, classes = columns.images, context.explorer.classes
    scored, placed = bool(images.is_scored[row]), bool(columns.rank[row] >= 0)
    twin = int(columns.twin[row])
    return {
        "id": images.ids[row],
        "class_name": classes[images.class_index[row]],
        "reason": "" if scored else images[row].reason,
        "size": images.frames.proxy[row].tolist(),
        "box": columns.box[row].tolist() if placed else None,
        **{name: plain(getattr(columns, name)[row]) for name in ("score", "error", "margin")},
        **{name: int(getattr(columns, name)[row]) for name in ("rank", "cluster", "hit")},
        **{name: bool(getattr(columns, name)[row]) for name in _FLAGS},
        "twin": images.ids[twin] if twin >= 0 else "",
        **_looks(columns, classes, row),
    }


def _looks(columns: ImageColumns, classes: Sequence[str], row: int) -> Mapping[str, Any]:
    """Return which other class an image looks most like, and whether more than like its own."""
    likeness = columns.likeness if columns.complete else None
    if likeness is None or likeness.other[row] < 0:
        return {"looks": "", "nearer": False}
    return {"looks": classes[likeness.other[row]], "nearer": bool(likeness.lead[row] > 0)}


_FLAGS: Final = ("kept", "pinned", "banned", "moved", "copy")
