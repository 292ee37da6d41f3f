"""Images that are left out as copies of others, as a person meets them in the app."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.browsing import opened, served, until
from support.toyset import scored_run, write_pictures

pytestmark = pytest.mark.browser

POINTS = ".plot-canvas .points path"


def test_hover__a_copy_says_why_it_has_no_patch(chromium: Any, tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures", {"cat": 3, "dog": 3})
    shutil.copy(root / "cat/02.png", root / "cat/copy.png")
    run = scored_run(root, tmp_path / "run")
    with served(run.path) as url, opened(chromium, url, "tab=clusters") as page:
        page.wait_for_function(f"document.querySelectorAll('{POINTS}').length === 4")
        page.locator(POINTS).nth(3).hover(force=True)
        until(page, ".hover-card .name", "e => e.textContent === 'cat/copy.png'")
        said = page.locator(".hover-card .soft").inner_text()
        assert said == "no patch: another image has the same pixels"
        page.screenshot(path=str(tmp_path / "copy.png"))
        page.locator(POINTS).nth(3).click(force=True)
        page.wait_for_function("location.search.includes('copy.png')")
        page.get_by_role("tab", name="Inspect").click()
        sentence = "This image has the same pixels as cat/02.png, which is used instead."
        until(page, ".sentence", f"e => e.textContent === {sentence!r}")
