"""Values of responses as JSON carries them: records, packed arrays, and the one form of a patch."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from dsel.analysis.explained import Explanation
from dsel.analysis.listing import Page
from dsel.analysis.patch_view import PatchView

LONGEST_LINE: Final = 600

PatchWire: TypeAlias = dict[str, Any]
"""A patch as the page reads it everywhere, see `patch_wire`."""


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


def one_line(text: str) -> str:
    """Return a message as one line of at most `LONGEST_LINE` characters, without its middle."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
    if len(line) <= LONGEST_LINE:
        return line
    half = LONGEST_LINE // 2
    return f"{line[: half - 1]} … {line[2 - half :]}"


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


def patch_wire(view: PatchView) -> PatchWire:
    """Return a patch as the page reads it everywhere; box and cut are in proxy pixels."""
    box, cut = view.box, view.cut
    return {
        "id": view.image_id,
        "box": [box.x, box.y, box.width, box.height],
        "cut": [cut.x, cut.y, cut.width, cut.height],
        "size": [view.width_px, view.height_px],
        "score": plain(view.score),
        "standard_error": plain(view.standard_error),
        "picture_score": plain(view.picture_score),
        "picture_standard_error": plain(view.picture_standard_error),
        "margin": plain(view.margin),
        "cluster": view.cluster,
        "rank": view.rank,
        "nth": view.nth,
        "kept": list(view.kept),
        "dropped": view.dropped,
        "pinned": view.pinned,
        "moved": view.moved,
    }


def explanation_wire(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation; its patch has the wire form, with its box in the source besides."""
    patch, source_box = explanation.patch, plain(explanation.source_box)
    shown = patch_wire(patch) | {"source_box": source_box} if patch else None
    return {**plain(explanation), "is_tie": explanation.is_tie, "patch": shown}
