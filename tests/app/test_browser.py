"""The page as a whole: it opens, follows its widgets, keys and links, and is accessible."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import Opener, gallery, until, violations

pytestmark = pytest.mark.browser


def test_open__the_gallery_of_the_first_class(page: Any) -> None:
    gallery(page)
    assert page.locator(".gallery .cell").count() == 24
    assert page.locator(".pick select").input_value() == "disc"
    assert "24 patches" in page.locator(".gallery .count").inner_text()


def test_patch_size__every_box_follows(page: Any) -> None:
    gallery(page)
    page.get_by_label("Patch size", exact=True).press("ArrowLeft")
    until(page, "[data-name=patch_px] output", "e => e.textContent === '56 px'")
    until(page, ".gallery .cell .box", "e => e.style.width === '43.75%'")
    assert "patch_px=56" in page.url


def test_link__opens_the_same_view(visit: Opener) -> None:
    page = visit("class=bar&patch_px=32&ipc=4&timesteps=300&timesteps=400&tab=inspect")
    gallery(page)
    assert page.locator(".pick select").input_value() == "bar"
    assert page.locator("[data-name=patch_px] output").inner_text() == "32 px"
    assert page.locator("[data-name=timesteps] output").inner_text() == "300 to 400"


def test_link__an_invalid_one_is_reported(visit: Opener) -> None:
    page = visit("patch_px=wide")
    gallery(page)
    assert "patch_px in the link must be a whole number" in page.locator(".toasts").inner_text()


def test_keys__class_undo_and_redo(page: Any) -> None:
    gallery(page)
    page.keyboard.press("]")
    until(page, ".pick select", "e => e.value === 'square'")
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, "[data-name=ipc] output", "e => e.textContent === '11'")
    page.keyboard.press("Control+z")
    until(page, "[data-name=ipc] output", "e => e.textContent === '10'")
    page.keyboard.press("Control+Shift+Z")
    until(page, "[data-name=ipc] output", "e => e.textContent === '11'")


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = visit(dark=dark)
    gallery(page)
    assert violations(page) == []


def test_undo__a_change_to_the_same_value_is_no_step(page: Any) -> None:
    gallery(page)
    locate = page.locator("[data-name=locate]")
    locate.get_by_role("button", name="Signed").click()
    until(page, ".tools button", "e => !e.disabled")
    page.keyboard.press("Control+z")
    until(page, ".tools button", "e => e.disabled")
    locate.get_by_role("button", name="Positive").click()
    page.keyboard.press("Control+Shift+Z")
    until(page, "[data-name=locate] [aria-pressed=true]", "e => e.textContent === 'Signed'")


def test_tab__a_failed_request_is_repeated(visit: Opener) -> None:
    page = visit(allow=("Failed to load resource", "ERR_INTERNET"))
    gallery(page)
    page.context.set_offline(True)
    page.keyboard.press("]")
    until(page, ".toasts", "e => e.textContent.includes('cannot be reached')")
    page.context.set_offline(False)
    page.get_by_role("tab", name="Inspect").click()
    until(page, ".gallery .cell", "e => e.dataset.id.startsWith('square/')")
