"""Handlers of Distilled set: its images, its figures, and the manual overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.analysis.patch_view import PatchView
from dsel.app.context import Context
from dsel.app.requests import ClassesParams, IdsParams, Params
from dsel.app.wire import PatchWire, patch_wire, plain
from dsel.core.composing import tile_sides

MOST_PAIRS: Final = 100
"""Near-duplicates of a class that are listed; all of them are counted."""


def distilled(context: Context, params: ClassesParams) -> Mapping[str, Any]:
    """Return the distilled images of classes as their patches, without pixels.

    sides: the sides in pixels of a mosaic's columns and rows.
    """
    explorer = context.explorer
    side = context.view.export.image_px or explorer.geometry.resolution_px
    return {
        "sides": tile_sides(side, context.settings.factor),
        "classes": [
            {
                "name": explorer.classes[index],
                "images": _wires(explorer.distilled(index, context.settings)),
            }
            for index in context.indices(params.classes)
        ],
    }


def replacements(context: Context, _: Params) -> Mapping[str, Sequence[PatchWire]]:
    """Return patches that could replace the one of the view's image, which is not among them."""
    found = context.explorer.replacements(
        context.class_index, context.settings, context.view.image_id
    )
    return {
        "cluster": [patch_wire(view) for view in found.cluster],
        "others": [patch_wire(view) for view in found.others],
    }


def swap_effects(context: Context, params: IdsParams) -> Any:
    """Return what replacing the view's image by each of these images changes besides."""
    explorer, index = context.explorer, context.class_index
    removed = context.view.image_id
    for image_id in (removed, *params.ids):
        explorer.row_of(index, image_id)
    return plain(explorer.swap_effects(index, context.settings, removed, params.ids))


def repeat_free_clusters(context: Context, _: Params) -> Mapping[str, int]:
    """Return a number of clusters whose mosaics repeat no tile; 0 if no smaller one is found."""
    return {"clusters": context.explorer.clusters_without_repeats(context.settings)}


def quality(context: Context, params: ClassesParams) -> Sequence[Mapping[str, Any]]:
    """Return figures of the distilled sets of classes; pairs are the first near-duplicates."""
    explorer, settings, found = context.explorer, context.settings, []
    for index in context.indices(params.classes):
        figures = explorer.quality(index, settings)
        pairs = _wires(explorer.near_duplicates(index, settings, MOST_PAIRS))
        counted = plain(figures) | {"near_duplicates": len(figures.near_duplicates)}
        found.append(counted | {"pairs": pairs})
    return found


def quality_overall(context: Context, _: Params) -> Any:
    """Return figures of the distilled sets of all classes together."""
    return plain(context.explorer.quality_overall(context.settings))


def overrides(context: Context, _: Params) -> Sequence[Mapping[str, Any]]:
    """Return all manual overrides, with the class of each image and what does not fit."""
    explorer = context.explorer
    found = explorer.override_statuses(context.settings)
    return [
        plain(one)
        | {"class_name": explorer.classes[one.class_index] if one.class_index >= 0 else ""}
        for one in found
    ]


def _wires(groups: Sequence[Sequence[PatchView]]) -> Sequence[Sequence[PatchWire]]:
    return [[patch_wire(view) for view in group] for group in groups]
