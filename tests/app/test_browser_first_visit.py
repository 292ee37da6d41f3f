"""What somebody meets who opens the page for the first time: one test per surprise of a visit."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import Opener, gallery, painted, until

pytestmark = pytest.mark.browser

SENTENCE = "#dsel-panel-inspect .sentence"


def ready(page: Any) -> Any:
    page.wait_for_selector("#dsel-panel-inspect .boxes tbody tr")
    return gallery(page)


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.dataset.id ?? ''"))


def chosen(page: Any) -> str:
    return str(page.locator(".detail h2").inner_text())


# The selection follows the focus


def test_gallery__the_selection_follows_the_focus(page: Any) -> None:
    ready(page)
    page.locator(".gallery .cell").first.click()
    first = focused(page)
    page.keyboard.press("ArrowRight")
    second = focused(page)
    assert second != first
    until(page, ".detail h2", f"e => e.textContent === {second!r}")
    page.keyboard.press("p")
    until(page, SENTENCE, "e => e.textContent.includes('pinned, kept')")
    assert (focused(page), chosen(page)) == (second, second)
    assert f"pins={second.replace('/', '%2F')}" in page.url


def test_gallery__ban_chooses_the_next_one(page: Any) -> None:
    ready(page)
    page.locator(".gallery .cell").nth(3).click()
    banned = focused(page)
    page.keyboard.press("b")
    until(page, ".gallery .cells", f"e => !e.querySelector('[data-id=\"{banned}\"]')")
    next_one = focused(page)
    assert next_one not in ("", banned)
    until(page, ".detail h2", f"e => e.textContent === {next_one!r}")
    page.keyboard.press("b")
    until(page, ".gallery .cells", f"e => !e.querySelector('[data-id=\"{next_one}\"]')")
    assert page.url.count("bans=") == 2


def test_gallery__a_key_in_quick_succession_acts_on_the_ring(page: Any) -> None:
    ready(page)
    page.locator(".gallery .cell").first.click()
    ids = page.evaluate("[...document.querySelectorAll('.gallery .cell')].map(e => e.dataset.id)")
    for key in ("ArrowRight", "ArrowRight", "p"):
        page.keyboard.press(key)
    until(page, SENTENCE, "e => e.textContent.includes('pinned, kept')")
    assert chosen(page) == focused(page) == ids[2]


def test_gallery__the_focus_follows_the_selection(page: Any) -> None:
    ready(page)
    page.locator(".gallery .cell").nth(1).click()
    page.keyboard.press("j")
    page.wait_for_function("""() => {
        const [ring, head] = [document.activeElement, document.querySelector('.detail h2')];
        return ring.dataset.id === head.textContent && ring.ariaCurrent === 'true';
    }""")


def test_clusters__keys_act_on_the_ring_of_its_gallery(visit: Opener) -> None:
    page = visit("tab=clusters")
    gallery(page)
    painted(page)
    page.locator("#dsel-panel-clusters .cell").nth(2).click()
    image = focused(page)
    page.keyboard.press("p")
    until(
        page,
        "#dsel-panel-clusters .cell",
        f"e => e.dataset.id === {image!r} && e.textContent.includes('pinned')",
    )
    page.wait_for_function(f"document.activeElement.dataset.id === {image!r}")


# Back, links, and what stays in place


def test_back__leads_to_the_previous_view(page: Any) -> None:
    ready(page)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, "[data-name=ipc] output", "e => e.textContent === '12'")
    page.locator(".pick select").select_option("square")
    page.go_back()
    until(page, ".pick select", "e => e.value === 'disc'")
    assert page.locator("#dsel-tab-compare").get_attribute("aria-selected") == "true"
    page.go_back()
    until(page, "#dsel-tab-inspect", "e => e.ariaSelected === 'true'")
    assert page.locator("[data-name=ipc] output").inner_text() == "12"
    assert "ipc=12" in page.url
    page.go_forward()
    until(page, "#dsel-tab-compare", "e => e.ariaSelected === 'true'")


def test_back__images_one_by_one_but_not_the_first_choice_of_the_page(page: Any) -> None:
    ready(page)
    first = chosen(page)
    page.locator(".gallery .cell").nth(4).click()
    until(page, ".detail h2", f"e => e.textContent !== {first!r}")
    page.go_back()
    until(page, ".detail h2", f"e => e.textContent === {first!r}")


def test_link__what_it_cannot_show_is_noted_and_the_rest_opens(visit: Opener) -> None:
    page = visit("class=square&image=square/9999&tab=plots&pins=cat/1&pins=square/000003&ipc=4")
    ready(page)
    notes = page.locator(".toasts").inner_text()
    assert "Pins are left out whose image is not in this run: cat/1" in notes
    assert "There is no tab plots: Inspect is shown" in notes
    assert "Class 'square' has no scored image 'square/9999'" in notes
    assert page.locator(".pick select").input_value() == "square"
    assert page.locator("[data-name=ipc] output").inner_text() == "4"
    assert chosen(page) == "square/000003"
    assert page.locator(SENTENCE).inner_text().endswith("pinned, kept at IPC 4 as image 1.")


def test_clusters__the_legend_stays_under_the_mouse(visit: Opener) -> None:
    page = visit("tab=clusters&clusters=12")
    gallery(page)
    painted(page)
    at = """() => [...document.querySelectorAll('.cluster-legend button')].map((e) => {
        const { x, y, width } = e.getBoundingClientRect();
        return [x, y, width].map(Math.round).join();
    })"""
    page.wait_for_selector(".cluster-legend button")
    before = page.evaluate(at)
    page.locator(".cluster-legend button").nth(5).click()
    until(page, ".selected", "e => e.textContent.includes('of cluster 6')")
    assert page.evaluate(at) == before


def test_clusters__the_plot_shows_that_it_loads(page: Any) -> None:
    ready(page)
    page.route("**/*plotly*", lambda route: (page.wait_for_timeout(300), route.continue_()))
    page.get_by_role("tab", name="Clusters").click()
    loading = page.locator(".plot-loading")
    loading.wait_for()
    assert loading.inner_text() == "Loading the plot …"
    loading.wait_for(state="hidden")
    page.wait_for_selector(".plot-canvas .main-svg")
