"""Values of responses as JSON carries them: records, packed arrays, and the one form of a patch."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from dsel.analysis.explanation import Explanation
from dsel.analysis.listing import Page
from dsel.config import SelectSettings
from dsel.types import ClassScores, ClassSelection, Patch

PatchWire: TypeAlias = dict[str, Any]
"""A patch as the page reads it everywhere, see `patch_wires`."""


def plain(value: Any) -> Any:
    """Return records, tuples and numbers as JSON values; a number that is not finite is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list | set | frozenset | range):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def packed(values: NDArray[Any]) -> Mapping[str, Any]:
    """Return an array as its type, its shape and its little-endian bytes in base64."""
    array = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {
        "type": array.dtype.str[1:],
        "shape": list(array.shape),
        "data": base64.b64encode(array.tobytes()).decode(),
    }


def page_numbers(page: Page[Any]) -> Mapping[str, int]:
    """Return which page of how many it is, and how many rows there are in all."""
    return {"page": page.page, "pages": page.pages, "total": page.total}


def patch_wires(
    selected: ClassSelection, scores: ClassScores, settings: SelectSettings
) -> Callable[[Patch], PatchWire]:
    """Return the function that turns the patches of a selection into their wire form.

    It also takes a patch of a baseline in place of the chosen one: the box, score and margin are
    its own, the rest belongs to the chosen patch of the same rank.
    """
    frames = dict(zip(scores.ids, scores.frames, strict=True))
    nths, kept = _nths(selected), selected.kept(settings.ipc)
    pins, corners = set(settings.pins), settings.overrides.corners

    def wire(patch: Patch) -> PatchWire:
        box, chosen = patch.box, selected.patches[patch.rank].box
        frame, nth = frames[patch.image_id], nths[patch.rank]
        corner = corners.get(patch.image_id)
        return {
            "id": patch.image_id,
            "box": [box.x, box.y, box.width, box.height],
            "size": [frame.proxy_width, frame.proxy_height],
            "score": plain(patch.score),
            "margin": plain(patch.margin),
            "cluster": patch.cluster,
            "rank": patch.rank,
            "nth": nth,
            "kept": list(kept.get(patch.rank, ())),
            "pinned": nth == 0 and patch.image_id in pins,
            "moved": corner is not None and (chosen.x, chosen.y) == (corner.x, corner.y),
        }

    return wire


def explanation_wire(
    explanation: Explanation, wire: Callable[[Patch], PatchWire]
) -> dict[str, Any]:
    """Return an explanation; its patch has the wire form, with its box in the source besides."""
    patch = explanation.patch
    shown = wire(patch) | {"source_box": plain(patch.source_box)} if patch else None
    return {**plain(explanation), "patch": shown}


def _nths(selected: ClassSelection) -> list[int]:
    """For each patch, count the patches of its image that rank before it."""
    before: Counter[str] = Counter()
    nths = []
    for patch in selected.patches:
        nths.append(before[patch.image_id])
        before[patch.image_id] += 1
    return nths
