"""The documentation names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATHS = re.compile(r"`((?:dsel|tests|assets|docs)/[\w./-]+)`")
LINKS = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
ANCHORS = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")
HEADINGS = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages__name_files_that_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = [name for name in PATHS.findall(text) if not (ROOT / name).exists()]
    missing += [name for name in LINKS.findall(text) if not (page.parent / name).exists()]
    assert missing == []


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = HEADINGS.findall(FENCED.sub("", page.read_text("utf-8")))
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages__link_to_headings_that_exist(page: Path) -> None:
    links = ANCHORS.findall(page.read_text("utf-8"))
    missing = [
        f"{name}#{anchor}"
        for name, anchor in links
        if anchor not in anchors_of(page.parent / name if name else page)
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages__have_a_blank_line_around_headings(page: Path) -> None:
    text = FENCED.sub("", page.read_text("utf-8"))
    crowded = re.findall(r"^[^\n]+\n(#+ .+)$|^(#+ .+)\n[^\n]+$", text, re.MULTILINE)
    assert crowded == []


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
