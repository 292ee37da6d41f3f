"""Pictures that the tests of the stages score."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stages import CLASSES
from support.toyset import (
    write_pictures,
)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_pictures(tmp_path_factory.mktemp("pictures"), CLASSES)
    (root / "dog" / "01.png").write_text("no picture")
    return root
