"""Answers about the distilled set: its images, its figures, and what was decided by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dsel.app.requests import Request, explanation_plain, patch_plain, plain
from dsel.core.composing import tile_sides
from dsel.errors import SettingError

MOST_CLASSES: Final = 25
"""Classes of one answer."""

MOST_PAIRS: Final = 100
"""Near-duplicates of a class that are listed; all of them are counted."""


def distilled(request: Request) -> Mapping[str, Any]:
    """The distilled images of classes as their patches, without pixels; more: classes.

    sides: what parts of an image's side its mosaic's columns and rows take.
    """
    explorer, settings = request.explorer, request.settings
    side = request.view.export.image_px or explorer.geometry.resolution_px
    return {
        "sides": tile_sides(side, settings.factor),
        "classes": [
            {
                "name": explorer.classes[index],
                "images": [
                    [patch_plain(one) for one in image]
                    for image in explorer.distilled(index, settings)
                ],
            }
            for index in _indices(request)
        ],
    }


def why(request: Request) -> Mapping[str, Any]:
    """The explanation of the view's image, without its maps; more: nth, of its patches by rank."""
    explorer, index, settings = request.explorer, request.class_index, request.settings
    image_id, nth = request.view.image_id, request.whole("nth", 0)
    frame = explorer.scores(index).frames[explorer.row_of(index, image_id)]
    return {
        "frame": plain(frame),
        "explanation": explanation_plain(explorer.explanation(index, image_id, settings, nth)),
    }


def swap(request: Request) -> Mapping[str, Any]:
    """What could stand in the place of the view's image, which stays out of the answer."""
    explorer, index, settings = request.explorer, request.class_index, request.settings
    found = explorer.replacements(index, settings, request.view.image_id)
    return {
        "cluster": [patch_plain(one) for one in found.cluster],
        "others": [patch_plain(one) for one in found.others],
    }


def quality(request: Request) -> Sequence[Mapping[str, Any]]:
    """Figures of the kept sets of classes; more: classes. pairs: the first near-duplicates."""
    found = []
    for index in _indices(request):
        figures = request.explorer.quality(index, request.settings)
        pairs = request.explorer.near_duplicates(index, request.settings, MOST_PAIRS)
        found.append(
            plain(figures)
            | {"near_duplicates": len(figures.near_duplicates)}
            | {"pairs": [[patch_plain(one) for one in pair] for pair in pairs]}
        )
    return found


def overall(request: Request) -> Mapping[str, Any]:
    """Figures of all kept sets together."""
    answer: Mapping[str, Any] = plain(request.explorer.quality_overall(request.settings))
    return answer


def by_hand(request: Request) -> Sequence[Mapping[str, Any]]:
    """All that was decided by hand, with the class of each image and what does not fit."""
    explorer = request.explorer
    found = explorer.override_statuses(request.settings)
    return [
        plain(one)
        | {"class_name": explorer.classes[one.class_index] if one.class_index >= 0 else ""}
        for one in found
    ]


HANDLERS = {
    "distilled": distilled,
    "why": why,
    "swap": swap,
    "quality": quality,
    "overall": overall,
    "by_hand": by_hand,
}


def _indices(request: Request) -> Sequence[int]:
    """The classes asked about: the view's one if none is named."""
    names = request.texts("classes")
    if len(names) > MOST_CLASSES:
        raise SettingError(f"classes must be at most {MOST_CLASSES} at once, got {len(names)}")
    return [request.explorer.class_index(name) for name in names] or [request.class_index]
