"""Handlers of Distilled set: its images, its figures, and the manual overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.analysis.kept import candidates_for, decisions
from dsel.app.context import Context
from dsel.app.requests import ClassesParams, Params
from dsel.app.wire import PatchWire, plain
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
            {"name": explorer.classes[index], "images": _images(context, index)}
            for index in context.indices(params.classes)
        ],
    }


def replacements(context: Context, _: Params) -> Mapping[str, Sequence[PatchWire]]:
    """Return patches that could replace the one of the view's image, which is not among them."""
    explorer, index, settings = context.explorer, context.class_index, context.settings
    selected, scores = explorer.select(index, settings), explorer.scores(index)
    found = candidates_for(selected, scores, settings, context.view.image_id)
    wire = context.wires()
    return {
        "cluster": [wire(one.patch) for one in found.cluster],
        "others": [wire(one.patch) for one in found.others],
    }


def quality(context: Context, params: ClassesParams) -> Sequence[Mapping[str, Any]]:
    """Return figures of the distilled sets of classes; pairs are the first near-duplicates."""
    found = []
    for index in context.indices(params.classes):
        figures = context.explorer.quality(index, context.settings)
        pairs = figures.near_duplicates
        counted = plain(figures) | {"near_duplicates": len(pairs)}
        found.append(counted | {"pairs": _pairs(context, index, pairs[:MOST_PAIRS])})
    return found


def quality_overall(context: Context, _: Params) -> Any:
    """Return figures of the distilled sets of all classes together."""
    return plain(context.explorer.quality_overall(context.settings))


def overrides(context: Context, _: Params) -> Sequence[Mapping[str, Any]]:
    """Return all manual overrides, with the class of each image and what does not fit."""
    explorer = context.explorer
    found = decisions(context.settings, explorer.geometry, explorer.run.images)
    return [
        plain(one)
        | {"class_name": explorer.classes[one.class_index] if one.class_index >= 0 else ""}
        for one in found
    ]


def _images(context: Context, index: int) -> Sequence[Sequence[PatchWire]]:
    """Return the patches of each of a class's distilled images, row by row."""
    selected = context.explorer.select(index, context.settings)
    wire = context.wires(index)
    wires = {rank: wire(selected.patches[rank]) for rank in selected.kept(context.settings.ipc)}
    return [[wires[rank] for rank in image] for image in selected.images[: context.settings.ipc]]


def _pairs(
    context: Context, index: int, pairs: Sequence[tuple[int, int]]
) -> Sequence[Sequence[PatchWire]]:
    wire, patches = context.wires(index), context.explorer.select(index, context.settings).patches
    return [[wire(patches[rank]) for rank in pair] for pair in pairs]
