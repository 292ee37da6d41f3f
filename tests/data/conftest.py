"""Fixtures of the tests of datasets."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sources import put


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for name in ("dog/2.png", "dog/1.png", "cat/b.png", "cat/a.png", "cat/deep/er/c.png"):
        put(root / name)
    return root
