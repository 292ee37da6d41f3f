"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data (see DSEL_TEST_DATA); tests that need it are skipped without it."""
    folder = Path(os.environ.get("DSEL_TEST_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}: set DSEL_TEST_DATA to their folder")
    return folder
