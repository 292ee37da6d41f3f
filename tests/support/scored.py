"""Finished runs to evaluate, with held-out pictures of the same classes beside them."""

from __future__ import annotations

from pathlib import Path

from dsel.pipeline.select import select
from support.synthetic import synthetic_run
from support.toyset import SMALL, finish, write_pictures


def evaluated_run(root: Path, per_class: int = 6) -> Path:
    """Write ROOT/run with a selection of IPC 2, ROOT/test and ROOT/validation; returns ROOT."""
    finish(select(synthetic_run(root / "run", classes=2, per_class=per_class), SMALL))
    write_pictures(root / "test", {"disc": 3, "square": 2}, seed=1)
    write_pictures(root / "validation", {"disc": 2, "square": 2}, seed=2)
    return root
