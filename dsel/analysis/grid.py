"""The grid of a sweep: every combination of the values of some select settings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, Final

from dsel.config import SelectSettings, SweepSettings
from dsel.config.base import quoted, settings_of
from dsel.config.sweep import MOST_CELLS
from dsel.errors import SettingError

ALL: Final = "all"
"""The value of `timesteps` that stands for all scored ones."""


def grid(select: SelectSettings, sweep: SweepSettings) -> tuple[SelectSettings, ...]:
    """Return the settings of each cell, each once; what a sweep leaves out is as in `select`.

    Raises `SettingError` for a wrong value, and for more than `MOST_CELLS` cells.
    """
    axes = {name: _values(name, getattr(sweep, name)) for name in settings_of(SweepSettings)}
    axes = {name: values for name, values in axes.items() if values}
    count = prod(map(len, axes.values()))
    if count > MOST_CELLS:
        sizes = " x ".join(f"{len(values)} {name}" for name, values in axes.items())
        raise SettingError(
            f"a sweep has at most {MOST_CELLS} cells, got {count} ({sizes}): give fewer values"
        )
    cells = (
        select.replace(**dict(zip(axes, values, strict=True))) for values in product(*axes.values())
    )
    return tuple(dict.fromkeys(cells))


def _values(name: str, given: Sequence[Any]) -> list[Any]:
    return [_timesteps(value) if name == "timesteps" else value for value in given]


def _timesteps(text: str) -> tuple[int, ...]:
    if text == ALL:
        return ()
    parts = text.split("+")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise SettingError(
            f"timesteps must be numbers joined by +, such as 300+500, or {ALL}, got {quoted(text)}"
        )
    return tuple(map(int, parts))
