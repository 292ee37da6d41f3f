"""Handlers of Compare and Baselines: two settings, and baselines of equal budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dsel.analysis.baselines import BASELINES, kept_score
from dsel.analysis.comparison import SAME_BOX, Together, together
from dsel.analysis.listing import ChangeRow, Changing, change_row, list_changes
from dsel.analysis.localization import LARGE_SHARE, SMALL_SHARE, Localization
from dsel.app.context import Context
from dsel.app.requests import CompareParams, Params, Seeded
from dsel.app.wire import PatchWire, page_numbers, plain
from dsel.config import SelectSettings
from dsel.config.url import view_of
from dsel.types import Box, ClassSelection, Patch

MOST_SHOWN: Final = 60
"""Distilled images of each kind in one response."""


def compare(context: Context, params: CompareParams) -> Mapping[str, Any]:
    """Return what differs between A and the view's settings on the class.

    chosen: the view's image, or the first of the list where the view names none.
    """
    explorer, index, b = context.explorer, context.class_index, context.settings
    a = _settings_a(context)
    found, frames = explorer.compare(index, a, b), context.frames()
    selections = explorer.select(index, a), explorer.select(index, b)
    page = list_changes(found, *selections, frames, Changing(**params.model_dump()))
    chosen = change_row(found, *selections, frames, context.view.image_id)
    rows = _changes(context, page.rows)
    return {
        "a": plain(a),
        "figures": _figures(together([found])),
        "moves": found.moves.tolist(),
        "rows": rows,
        **page_numbers(page),
        "chosen": _changes(context, [chosen])[0] if chosen else next(iter(rows), None),
    }


def compare_overall(context: Context, _: Params) -> Mapping[str, Any]:
    """Return what differs between A and the view's settings on all classes."""
    return _figures(context.explorer.compare_overall(_settings_a(context), context.settings))


def baselines(context: Context, params: Seeded) -> Mapping[str, Any]:
    """Return the class's distilled set as chosen and as each baseline gives it.

    ids: the images that the patches come from, the same ones of every kind.
    """
    explorer, index, settings = context.explorer, context.class_index, context.settings
    chosen = explorer.select(index, settings)
    kinds = {"chosen": chosen} | {
        kind: explorer.baseline(index, settings, kind, params.seed) for kind in BASELINES
    }
    shown = chosen.images[: min(settings.ipc, MOST_SHOWN)]
    return {
        "ids": list(dict.fromkeys(chosen.patches[rank].image_id for one in shown for rank in one)),
        "total": len(chosen.images[: settings.ipc]),
        "patch_px": chosen.patches[0].box.width if chosen.patches else None,
        "resolution_px": explorer.geometry.resolution_px,
        "kinds": [_kind(context, kind, selected) for kind, selected in kinds.items()],
    }


def localization(context: Context, _: Params) -> Mapping[str, Any]:
    """Return hit rate and coverage of the class's patches and baselines."""
    return _localization(context.explorer.localization(context.class_index, context.settings))


def localization_overall(context: Context, _: Params) -> Mapping[str, Any]:
    """Return hit rate and coverage over all classes."""
    return _localization(context.explorer.localization_overall(context.settings))


def _settings_a(context: Context) -> SelectSettings:
    """Return the settings A of the view; raises `SettingError` for a query that is not valid."""
    return view_of(context.view.a).select


def _figures(found: Together) -> Mapping[str, Any]:
    kept = found.kept
    shares = {"image_share": kept.image_share, "box_share": kept.box_share, "same_box": SAME_BOX}
    figures: Mapping[str, Any] = plain({**plain(found), **plain(kept), **shares})
    return figures


def _changes(context: Context, rows: Sequence[ChangeRow]) -> Sequence[Mapping[str, Any]]:
    """Return images under A and B."""
    side_a, side_b = _side(context, _settings_a(context)), _side(context, context.settings)
    return [
        {
            "id": row.change.image_id,
            "size": [row.width_px, row.height_px],
            "overlap": row.change.overlap,
            "a": side_a(row.change.a, row.boxes_a),
            "b": side_b(row.change.b, row.boxes_b),
        }
        for row in rows
    ]


def _side(
    context: Context, settings: SelectSettings
) -> Callable[[Patch | None, Sequence[Box]], PatchWire | None]:
    """Return the function that makes one side of a change: the image's best patch.

    boxes: of all the image's patches; kept: the distilled images that any of them is part of.
    """
    wire = context.wires(settings=settings)
    selected = context.explorer.select(context.class_index, settings)
    kept: dict[str, set[int]] = {}
    for rank, numbers in selected.kept(settings.ipc).items():
        kept.setdefault(selected.patches[rank].image_id, set()).update(numbers)

    def side(patch: Patch | None, boxes: Sequence[Box]) -> PatchWire | None:
        if patch is None:
            return None
        numbers = sorted(kept.get(patch.image_id, ()))
        return wire(patch) | {"boxes": _corners(boxes), "kept": numbers}

    return side


def _corners(boxes: Sequence[Box]) -> Sequence[Sequence[float]]:
    return [[box.x, box.y, box.width, box.height] for box in boxes]


def _kind(context: Context, kind: str, selected: ClassSelection) -> Mapping[str, Any]:
    """Return the distilled images of one kind as their patches, and their mean score."""
    wire, ipc = context.wires(), context.settings.ipc
    images: Sequence[Sequence[PatchWire]] = [
        [wire(selected.patches[rank]) for rank in image]
        for image in selected.images[: min(ipc, MOST_SHOWN)]
    ]
    return {"kind": kind, "images": images, "score": plain(kept_score(selected, ipc))}


def _localization(kinds: Sequence[Localization]) -> Mapping[str, Any]:
    return {
        "kinds": plain(kinds),
        "small_share": SMALL_SHARE,
        "large_share": LARGE_SHARE,
    }
