"""What an answer is made from: the request, checked, and values that JSON can carry."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explanation import Explanation
from dsel.analysis.explorer import Explorer
from dsel.analysis.patch_view import PatchView
from dsel.app.state import AppState
from dsel.config import SelectSettings
from dsel.config.url import View
from dsel.errors import SettingError

LARGEST = 1e12
"""The largest number that a request may say, of either sign."""

MOST_TEXTS = 1000
"""Texts that a request may list, at most."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a page asks: about which run, under which view, and what else it said.

    here: whether a page of the app itself asks, opened on the app's own machine.
    """

    state: AppState
    explorer: Explorer
    view: View
    more: Mapping[str, Any]
    here: bool = False

    @property
    def settings(self) -> SelectSettings:
        """The settings that the view selects by."""
        return self.view.select

    @property
    def class_index(self) -> int:
        """The class looked at: the first one unless the view names another."""
        name = self.view.class_name
        return self.explorer.class_index(name) if name else 0

    def text(self, name: str, default: str | None = None) -> str:
        """A text; these readers raise `SettingError` for a value of another kind."""
        return str(self._read(name, str, "a text", default))

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        return int(self._read(name, int, "a whole number", default))

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._read(name, (int, float), "a number", default)
        if not -LARGEST <= value <= LARGEST:  # nor is what is no number
            raise SettingError(f"{name} must be a finite number, got {value!r:.60}")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.more.get(name, default)
        if not isinstance(value, bool):
            raise SettingError(f"{name} must be true or false, got {value!r:.60}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.more.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise SettingError(f"{name} must be a list of texts, got {value!r:.60}")
        if len(value) > MOST_TEXTS:
            raise SettingError(f"{name} must be at most {MOST_TEXTS} texts, got {len(value)}")
        return tuple(value)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Values by name."""
        value = self.more.get(name, {})
        if not isinstance(value, dict):
            raise SettingError(f"{name} must be values by name, got {value!r:.60}")
        return value

    def polygon(self, name: str) -> NDArray[np.float64] | None:
        """Corners (V, 2), from a flat list of x and y; None where there is no list."""
        value = self.more.get(name)
        if value is None:
            return None
        even = isinstance(value, list) and len(value) % 2 == 0 and len(value) <= 2 * MOST_TEXTS
        if not even or not all(
            isinstance(one, int | float) and -LARGEST <= one <= LARGEST for one in value
        ):
            raise SettingError(f"{name} must be a list of x and y, got {value!r:.60}")
        return np.array(value, np.float64).reshape(-1, 2)

    def _read(self, name: str, kind: Any, words: str, default: Any) -> Any:
        value = self.more.get(name, default)
        # True is a whole number to Python, and to nobody else.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SettingError(f"{name} must be {words}, got {value!r:.60}")
        return value


def plain(value: Any) -> Any:
    """Records, tuples and numbers as what JSON holds; what is no finite number is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list | set | frozenset | range):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def patch_plain(view: PatchView) -> dict[str, Any]:
    """Turn a patch into the one form in which the page reads patches."""
    box = view.box
    return {
        "id": view.image_id,
        "box": [box.x, box.y, box.width, box.height],
        "size": [view.width_px, view.height_px],
        "score": plain(view.score),
        "margin": plain(view.margin),
        "cluster": view.cluster,
        "rank": view.rank,
        "nth": view.nth,
        "kept": list(view.kept),
        "pinned": view.pinned,
        "moved": view.moved,
    }


def explanation_plain(explanation: Explanation) -> dict[str, Any]:
    """Turn an explanation into values that JSON can carry."""
    patch = explanation.patch
    return {**plain(explanation), "patch": None if patch is None else patch_plain(patch)}


def packed(values: NDArray[Any]) -> Mapping[str, Any]:
    """An array as the page unpacks it: its type, its shape and its bytes, the lowest first."""
    array = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {
        "type": array.dtype.str[1:],
        "shape": list(array.shape),
        "data": base64.b64encode(array.tobytes()).decode(),
    }
