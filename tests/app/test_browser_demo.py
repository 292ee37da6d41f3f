"""The run that ships with dsel, as a first visitor opens it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.browsing import LONG_MS, Opener, gallery, opener, served, until, violations

from dsel.assets import DEMO_RUN, asset

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo_url() -> Iterator[str]:
    with served(asset(DEMO_RUN)) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, demo_url: str) -> Iterator[Opener]:
    yield from opener(chromium, demo_url, lambda page: page.wait_for_selector(".tabs"), "")


def test_examples__lead_into_the_demo(visit: Opener) -> None:
    page = gallery(visit(dark=True))
    page.get_by_role("button", name="Things to try").click()
    assert violations(page) == []
    page.locator("dialog .one-to-try", has_text="What another setting changes").click()
    until(page, ".pick select", "e => e.value === 'cactus'")
    until(page, "#dsel-panel-compare .wipe canvas", "e => !e.hidden")
    assert "a=patch_px" in page.url


def test_demo__its_map_its_boxes_and_its_evaluation(visit: Opener) -> None:
    page = gallery(visit())
    page.get_by_role("tab", name="Map").click()
    page.wait_for_selector(".map-cover[hidden]", state="attached", timeout=LONG_MS)
    until(page, ".map-field", "e => e.dataset.seen === '1000'")
    entries = page.locator(".map-legend li").all_inner_texts()
    assert [entry.split("\n")[1] for entry in entries] == ["100"] * 10
    page.get_by_label("Colour by", exact=True).select_option("auc")
    until(page, ".map-scale figcaption", "e => e.textContent.includes('label AUC of the class')")
    page.get_by_role("tab", name="Baselines").click()
    until(page, ".boxes-fit", "e => e.textContent.includes('1,000 of the run\\'s 1,000 images')")
    until(page, ".meter-value", "e => e.textContent.endsWith('%')")
    page.get_by_role("tab", name="Evaluate").click()
    page.wait_for_selector("#dsel-panel-evaluate .accuracy-plot .main-svg")
    until(page, "#dsel-panel-evaluate .verdict", "e => e.textContent.includes('points')")
