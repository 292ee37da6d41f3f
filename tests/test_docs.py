"""The documentation names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATHS = re.compile(r"`((?:dsel|tests|assets|docs)/[\w./-]+)`")
LINKS = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages__name_files_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = [name for name in PATHS.findall(text) if not (ROOT / name).exists()]
    missing += [name for name in LINKS.findall(text) if not (page.parent / name).exists()]
    assert missing == []


def test_readme__is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_contributing__names_twelve_places() -> None:
    """The paths hold what the table says, by a word of each."""
    table = (ROOT / "docs" / "contributing.md").read_text("utf-8").partition("Twelve places")[2]
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+)` \|$", table, re.MULTILINE)
    words = (
        "largest", "cuts_around", "refuse", "patch_px", "def ", "sentence", "whole_shards",
        "seed", "contested", "ZipFile", "umap", "hit_rate",
    )  # fmt: skip
    assert len(rows) == len(words)
    for (_, path), word in zip(rows, words, strict=True):
        found = ROOT / path
        files = sorted(found.glob("*.py")) if found.is_dir() else [found]
        assert any(word in file.read_text("utf-8") for file in files), f"{word} is not in {path}"
