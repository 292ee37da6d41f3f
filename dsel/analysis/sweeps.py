"""Sweeps of a run: the tables of figures by settings that `dsel sweep` has stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dsel.config import SelectSettings
from dsel.config.base import settings_of
from dsel.files import read_table
from dsel.runs import Run, remedies
from dsel.runs.sweeps import FOLDER, NEWER, SWEEP


@dataclass(frozen=True, slots=True)
class Sweep:
    """The figures of one sweep; each cell has a value of every setting and figure.

    settings and figures: names of the select settings and of the figures of which the sweep has
    several values. A figure that was not computed for a cell is None there.
    """

    name: str
    settings: tuple[str, ...]
    figures: tuple[str, ...]
    cells: tuple[Mapping[str, Any], ...]


def list_sweeps(run: Run) -> tuple[Sweep, ...]:
    """Read all sweeps of a run, the newest first; raises `DamageError` for a damaged one."""
    files = sorted(
        (run.path / FOLDER).glob("*.parquet"), key=lambda file: (-file.stat().st_mtime_ns, file)
    )
    tables = {
        file.stem: read_table(file, SWEEP, remedy=remedies.SWEEP, newer=NEWER) for file in files
    }
    return tuple(_sweep(name, table.to_pylist()) for name, table in tables.items())


def _sweep(name: str, cells: Sequence[Mapping[str, Any]]) -> Sweep:
    declared = settings_of(SelectSettings)
    columns = list(cells[0]) if cells else []
    settings = [one for one in columns if one in declared and _varies(cells, one)]
    figures = [one for one in columns if one not in declared and _is_figure(cells, one)]
    return Sweep(name, tuple(settings), tuple(figures), tuple(cells))


def _varies(cells: Sequence[Mapping[str, Any]], column: str) -> bool:
    return any(cell[column] != cells[0][column] for cell in cells)


def _is_figure(cells: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether the values of a column are numbers that are not all the same."""
    values = [cell[column] for cell in cells if cell[column] is not None]
    return len(set(values)) > 1 and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
