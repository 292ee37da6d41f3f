"""Handlers of many selected images: their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsel.app.context import Context
from dsel.app.requests import SelectedParams


def classes_of(context: Context, params: SelectedParams) -> Mapping[str, Any]:
    """Return the selected images by class, without those that the run has not scored."""
    explorer, groups = context.explorer, dict[str, list[str]]()
    images = explorer.run.images
    for image_id in dict.fromkeys(map(explorer.known_id, params.ids)):
        row = images.row_of.get(image_id, -1)
        if row >= 0 and images.is_scored[row]:
            name = explorer.classes[images.class_index[row]]
            groups.setdefault(name, []).append(image_id)
    return {"groups": groups}
