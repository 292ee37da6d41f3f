"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.browsing import app_run, app_url, chromium, page, visit
from support.toyset import TINY, TINY_CLASSES, dataset_of, write_pictures

__all__ = ["app_run", "app_url", "chromium", "page", "visit"]

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data (see DSEL_TEST_DATA); tests that need it are skipped without it."""
    folder = Path(os.environ.get("DSEL_TEST_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}: set DSEL_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature Stable Diffusion that was trained for four steps; leave it as it is."""
    from dsel.priors.training import train

    source = write_pictures(tmp_path_factory.mktemp("pictures"), TINY_CLASSES)
    out = tmp_path_factory.mktemp("priors") / "tiny"
    for _ in train(dataset_of(source), TINY, out):
        pass
    return out


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the small pipeline of a family of models, once; leave its folder as it is."""
    root = tmp_path_factory.mktemp("families")

    def folder_of(name: str) -> Path:
        from support.families import FAMILIES

        folder = root / name
        return folder if folder.exists() else FAMILIES[name](folder)

    return folder_of
