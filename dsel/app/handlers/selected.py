"""Handlers of many selected images: their classes, a table of them, and named slices."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dsel.app.context import Context
from dsel.app.requests import Params, SavedSliceParams, SelectedParams, SliceParams
from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.runs.slices import Slice, delete_slice, list_slices, read_slice, write_slice

NUMBERS: Final = ("score", "standard_error", "margin")
SIDES: Final = ("x", "y", "width", "height")
COLUMNS: Final = ("id", "class", "cluster", "rank", *NUMBERS, "kept", *SIDES)
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What formulas begin with in spreadsheets."""

ONLY_LOCAL: Final = (
    "only a visitor on the app's own machine may change the slices of a run: the page keeps those "
    "of others in their browsers"
)

Groups = dict[str, list[str]]


def classes_of(context: Context, params: SelectedParams) -> Mapping[str, Any]:
    """Return the selected images by class, without those that the run has not scored."""
    return {"groups": _groups(context, params.ids)}


def selected_csv(context: Context, params: SelectedParams) -> Mapping[str, str]:
    """Return a CSV of the selected images, with the best patch of each; unknown is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, ids in _groups(context, params.ids).items():
        writer.writerows(_rows(context, name, ids, context.settings))
    return {"csv": stream.getvalue()}


def slices(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the slices that the run stores, and whether the visitor may store others in it."""
    path = context.explorer.run.path
    stored = [{"name": one.name, "count": len(one.ids)} for one in list_slices(path)]
    return {"slices": stored, "writable": context.trusted and os.access(path, os.W_OK)}


def slice_of(context: Context, params: SliceParams) -> Mapping[str, Any]:
    """Return the images of a slice by class."""
    found = read_slice(context.explorer.run.path, params.name)
    return {"groups": _groups(context, found.ids)}


def slice_save(context: Context, params: SavedSliceParams) -> Mapping[str, Any]:
    """Store a slice in the run, in place of one of the same name."""
    _check_local(context)
    groups = _groups(context, params.ids)
    ids = tuple(image_id for ids in groups.values() for image_id in ids)
    if not ids:
        raise SettingError("a slice must have at least one scored image of the run, got none")
    write_slice(context.explorer.run.path, Slice(params.name, ids))
    return {"count": len(ids)}


def slice_delete(context: Context, params: SliceParams) -> Mapping[str, Any]:
    """Delete a slice of the run."""
    _check_local(context)
    delete_slice(context.explorer.run.path, params.name)
    return {}


def _check_local(context: Context) -> None:
    if not context.trusted:
        raise SettingError(ONLY_LOCAL)


def _groups(context: Context, image_ids: Sequence[str]) -> Groups:
    """Group images by class, without those that the run has not scored."""
    explorer, groups = context.explorer, Groups()
    images = explorer.run.images
    for image_id in dict.fromkeys(map(explorer.known_id, image_ids)):
        row = images.row_of.get(image_id, -1)
        if row >= 0 and images.is_scored[row]:
            name = explorer.classes[images.class_index[row]]
            groups.setdefault(name, []).append(image_id)
    return groups


def _rows(
    context: Context, name: str, ids: Sequence[str], settings: SelectSettings
) -> Iterator[Sequence[Any]]:
    """Yield a row of each image of a class; clusters and ranks count from 1, as on the page."""
    explorer = context.explorer
    index = explorer.class_index(name)
    best, row_of = explorer.best_patches(index, settings), explorer.images(index).row_of
    for image_id in ids:
        row = row_of[image_id]
        placed = bool(best.rank[row] >= 0)
        places = [int(best.cluster[row]) + 1, int(best.rank[row]) + 1] if placed else ["", ""]
        numbers = [_known(float(getattr(best, column)[row])) for column in NUMBERS]
        box = [int(side) for side in best.box[row]] if placed else [""] * len(SIDES)
        yield [_cell(image_id), _cell(name), *places, *numbers, int(best.kept[row]), *box]


def _cell(text: str) -> str:
    """Return a name that no spreadsheet computes: file names come from strangers."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def _known(value: float) -> float | str:
    return value if math.isfinite(value) else ""
