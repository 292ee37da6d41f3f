"""The page's frame: help, tour, keys, themes, narrow screens."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import LARGE, PHONE, WIDE, Opener, fits, gallery, painted, until, violations

pytestmark = pytest.mark.browser

CUT_OFF = """() =>
    [...document.querySelectorAll('.dsel button, .dsel h2, .dsel label, .dsel output')]
    .filter(e => e.offsetParent && !e.title && e.scrollWidth > e.clientWidth + 1
        && getComputedStyle(e).overflow !== 'visible')
    .map(e => e.outerHTML.slice(0, 120))"""


def test_tour__leads_through_and_is_dismissed_for_good(visit: Opener) -> None:
    page = visit(tour=True)
    card = page.locator(".tour-card")
    card.get_by_role("button", name="Next").click()
    assert card.locator("h2").inner_text() == "Why this patch"
    page.keyboard.press("ArrowLeft")
    assert card.locator("h2").inner_text() == "Every image and its patch"
    page.keyboard.press("Escape")
    assert page.locator(".tour").count() == 0
    page.reload()
    gallery(page)
    assert page.evaluate("localStorage.getItem('dsel-tour')") == "seen"
    assert page.locator(".tour").count() == 0


def test_help__opens_by_key_and_by_button(page: Any) -> None:
    gallery(page)
    page.keyboard.press("?")
    help_box = page.locator("dialog.help")
    assert "Undo" in help_box.inner_text()
    assert violations(page) == []
    page.keyboard.press("Escape")
    help_box.wait_for(state="detached")
    page.locator("#dsel-help").click()
    help_box.get_by_role("button", name="Show the tour again").click()
    page.wait_for_selector(".tour-card")


def test_tour__does_not_lead_away_from_another_tab(visit: Opener) -> None:
    page = visit("tab=compare", tour=True)
    page.get_by_role("button", name="Pin the current settings as A").click()
    page.wait_for_selector(".changes .cell")
    page.wait_for_timeout(500)  # the tour would begin with the first image
    assert page.locator(".tour").count() == 0
    assert page.locator("#dsel-panel-compare").is_visible()


def test_tour__its_ring_goes_where_its_part_is(visit: Opener) -> None:
    page = visit("tab=export")
    page.locator("#dsel-help").click()
    page.get_by_role("button", name="Show the tour again").click()
    page.wait_for_function("""() => {
        const at = (s) => document.querySelector(s)?.getBoundingClientRect() ?? {};
        const [ring, part] = ['.tour-ring', '#dsel-panel-inspect .gallery'].map(at);
        return part.width > 0 && Math.abs(ring.left - part.left) < 10
            && Math.abs(ring.width - part.width) < 20;
    }""")


def test_theme__is_toggled_and_remembered(page: Any) -> None:
    gallery(page)
    page.get_by_role("button", name="Dark or light").click()
    until(page, "body", "e => e.classList.contains('dark')")
    page.reload()
    gallery(page)
    until(page, "body", "e => e.classList.contains('dark')")


def test_focus__is_visible_on_the_first_tab_stop(page: Any) -> None:
    gallery(page)
    page.keyboard.press("Tab")
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "2px"


@pytest.mark.parametrize(
    "tab", ["inspect", "clusters", "distilled", "compare", "baselines", "score", "export"]
)
@pytest.mark.parametrize("viewport", [PHONE, WIDE, LARGE])
def test_tabs__nothing_is_cut_off(visit: Opener, tab: str, viewport: dict[str, int]) -> None:
    page = visit(f"tab={tab}", viewport=viewport)
    page.wait_for_selector(f"#dsel-panel-{tab} *")
    painted(page)
    assert fits(page)
    assert page.evaluate(CUT_OFF) == []


def test_phone__settings_are_behind_a_button(visit: Opener) -> None:
    page = visit(viewport=PHONE)
    gallery(page)
    assert not page.locator(".side").is_visible()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, "[data-name=ipc] output", "e => e.textContent === '11'")
    page.keyboard.press("Escape")
    assert not page.locator(".side").is_visible()


def test_phone__the_tab_of_a_link_is_seen(visit: Opener) -> None:
    page = visit("tab=export", viewport=PHONE)
    until(
        page,
        "#dsel-tab-export",
        "e => e.getBoundingClientRect().right <= innerWidth",
    )


def test_keys__work_from_a_tab_and_from_a_slider(page: Any) -> None:
    gallery(page)
    page.get_by_role("tab", name="Baselines").click()
    page.keyboard.press("]")
    until(page, ".pick select", "e => e.selectedIndex === 1")
    page.get_by_label("IPC", exact=True).focus()
    page.keyboard.press("1")
    until(page, "#dsel-tab-inspect", "e => e.ariaSelected === 'true'")


def test_error__is_shown_as_long_as_it_lasts(visit: Opener) -> None:
    page = visit("class=disc&image=disc/000000&tab=clusters&patch_px=64&moves=disc/000000@96,96")
    page.wait_for_selector(".toast.error")
    assert page.locator(".toast.error").count() == 1
    page.get_by_label("Patch size", exact=True).fill("32")
    page.wait_for_selector(".cluster-card")
    assert page.locator(".toast.error").count() == 0
