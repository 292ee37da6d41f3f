"""Stored sweeps: which columns are settings, and which are figures."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from support.synthetic import synthetic_run

from dsel.analysis.sweeps import list_sweeps
from dsel.errors import DamageError
from dsel.files import table_bytes, write_atomically
from dsel.runs.sweeps import FOLDER, NEWER, SWEEP


def write(path: Path, cells: list[dict[str, object]], age: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(table_bytes(cells, SWEEP))
    os.utime(path, (1000 - age, 1000 - age))


def test_list_sweeps__settings_that_vary_and_figures_that_are_numbers(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=3)
    cells = [
        {"patch_px": 32, "ipc": 10, "timesteps": [300], "hit_rate": 0.5, "cut": "patch"},
        {"patch_px": 64, "ipc": 10, "timesteps": [], "hit_rate": None, "cut": "patch"},
        {"patch_px": 96, "ipc": 10, "timesteps": [], "hit_rate": 0.6, "accuracy": 0.9},
    ]
    write(run.path / "sweeps" / "a.parquet", cells)
    (sweep,) = list_sweeps(run)
    assert (sweep.name, sweep.settings, sweep.figures) == (
        "a", ("cut", "patch_px", "timesteps"), ("hit_rate",),
    )  # fmt: skip
    assert sweep.cells == tuple(dict.fromkeys(SWEEP.names) | cell for cell in cells)


def test_list_sweeps__of_other_content(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=3)
    path = run.path / "sweeps" / "a.parquet"
    write(path, [{"ipc": 1, "hit_rate": 0.5}])
    for content in (b"null", path.read_bytes()[:-9], table_bytes([], SWEEP.remove(0))):
        path.write_bytes(content)
        with pytest.raises(DamageError, match=r"a\.parquet is damaged: .*; delete it"):
            list_sweeps(run)


def test_list_sweeps__the_newest_first(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=3)
    assert list_sweeps(run) == ()
    for name, age in (("old", 9), ("new", 0), ("older", 20)):
        write(run.path / "sweeps" / f"{name}.parquet", [{"ipc": 1, "hit_rate": 0.5}], age)
    assert [sweep.name for sweep in list_sweeps(run)] == ["new", "old", "older"]


def test_list_sweeps__of_an_earlier_version(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=1, per_class=3)
    (run.path / FOLDER).mkdir()
    earlier = pa.schema([field for field in SWEEP if field.name not in NEWER])
    row = {field.name: None for field in earlier} | {"cut": "whole", "images": 3}
    write_atomically(run.path / FOLDER / "0.parquet", table_bytes([row], earlier))
    (found,) = list_sweeps(run)
    assert found.cells == (row,)
