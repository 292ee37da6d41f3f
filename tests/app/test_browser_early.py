"""The page before Gradio is there, and how it moves into Gradio's element."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.browsing import SEEN, SETTLED, TOKEN, WAIT_MS, WIDE, until

pytestmark = pytest.mark.browser

PICTURE = ".dsel-early .dsel[data-painted] .detail .heat-map img[src]"

COMPLETE = """() => [...document.querySelectorAll('.dsel img[src]')].every(one => one.complete)
    && [...document.querySelectorAll('link[rel=stylesheet]')].every(one => one.sheet)
    && !document.querySelector('.dsel [aria-busy=true]')"""

Early = Callable[..., tuple[Any, Callable[[], None]]]


@pytest.fixture
def early(chromium: Any, app_url: str) -> Iterator[Early]:
    """Opens the page while one of Gradio's modules does not come, until the function is called."""
    contexts, complaints = [], []

    def visit(older: bool = False, **how: Any) -> tuple[Any, Callable[[], None]]:
        context = chromium.new_context(viewport=WIDE, **how)
        contexts.append(context)
        context.add_init_script(SEEN)
        if older:
            context.add_init_script("delete Element.prototype.moveBefore")
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        held: list[Any] = []
        page.route("**/assets/Blocks-*.js", lambda route: held.append(route))
        page.goto(f"{app_url}/#token={TOKEN}", wait_until="commit")
        page.wait_for_selector(PICTURE)
        page.wait_for_selector("gradio-app [data-testid=status-tracker]", state="attached")

        def release() -> None:
            for route in held:
                route.continue_()

        return page, release

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def choose(page: Any, nth: int) -> str:
    """Click on a cell of the gallery, wait until its image is shown, and return its id."""
    cell = page.locator(".gallery .cell").nth(nth)
    cell.click()
    chosen = str(cell.get_attribute("data-id"))
    until(page, ".detail h2", f"e => e.textContent === {chosen!r}")
    return chosen


def test_early_page__works_before_gradio_is_there_and_after(early: Early) -> None:
    page, release = early()
    assert page.locator("gradio-app .dsel").count() == 0
    chosen = choose(page, 2)
    release()
    page.wait_for_selector(SETTLED)
    assert page.locator(".dsel").count() == 1
    assert page.locator(".dsel-early").count() == 0
    assert page.evaluate("document.activeElement.dataset.id") == chosen
    assert page.inner_text(".detail h2") == chosen
    page.keyboard.press("p")
    page.wait_for_function("() => location.search.includes('pins=')")


def test_early_page__looks_the_same_afterwards(early: Early) -> None:
    places = """() => [...document.querySelectorAll('.top *, .side *, .detail *')].map(one => {
        const { x, y, width, height } = one.getBoundingClientRect();
        const { color, fontSize, fontFamily, lineHeight } = getComputedStyle(one);
        const box = [x, y, width, height].map(Math.round);
        return JSON.stringify([one.tagName, ...box, color, fontSize, fontFamily, lineHeight]);
    })"""
    for scheme in ("light", "dark"):
        page, release = early(color_scheme=scheme)
        page.wait_for_function(COMPLETE)
        before = page.evaluate(places)
        release()
        page.wait_for_selector(SETTLED)
        page.wait_for_function(COMPLETE)
        assert page.evaluate(places) == before


def test_early_page__moves_with_an_open_dialog(early: Early) -> None:
    page, release = early()
    page.keyboard.press("?")
    page.wait_for_selector(".dsel-early dialog")
    release()
    page.wait_for_selector(SETTLED)
    assert page.evaluate("document.querySelector('.dsel dialog').matches(':modal')")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_early_page__moves_a_dialog_of_an_older_browser_once_it_is_closed(early: Early) -> None:
    page, release = early(older=True)
    page.keyboard.press("?")
    page.wait_for_selector(".dsel-early dialog")
    release()
    page.wait_for_selector("gradio-app .dsel", state="attached")
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.dsel-early dialog').matches(':modal')")
    page.keyboard.press("Escape")
    page.wait_for_selector(SETTLED)
    assert page.locator(".dsel").count() == 1


def test_early_page__keeps_the_focus_in_an_older_browser(early: Early) -> None:
    page, release = early(older=True)
    chosen = choose(page, 1)
    release()
    page.wait_for_selector(SETTLED)
    page.wait_for_function("id => document.activeElement.dataset.id === id", arg=chosen)


def test_early_page__keeps_the_theme_that_was_chosen(early: Early) -> None:
    page, release = early(color_scheme="dark")
    page.get_by_role("button", name="Dark or light").click()
    release()
    page.wait_for_selector(SETTLED)
    assert page.evaluate("document.body.classList.contains('dark')") is False
