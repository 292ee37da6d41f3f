"""Compare in a browser: pin, move, read, wipe, follow clusters, swap and forget."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import PHONE, Opener, fits, until, violations

pytestmark = pytest.mark.browser

PAIR = "tab=compare&patch_px=48&a=ipc%3D10"
LARGE = ".compare-image"


def overlaps(page: Any) -> list[float]:
    shown = page.locator(".changes .cell .rank").all_inner_texts()
    return [float(text.split()[0]) for text in shown]


def test_pin_and_move__b_follows_the_slider_and_a_stays(visit: Opener) -> None:
    page = visit("tab=compare")
    page.get_by_role("button", name="Pin the current settings as A").click()
    until(page, ".between", "e => e.textContent.startsWith('A and B are the same')")
    until(page, ".tile .big", "e => e.textContent === '100 %'")
    page.get_by_label("Patch size", exact=True).press("ArrowLeft")
    until(
        page,
        ".between tbody",
        "e => e.textContent.includes('64 px') && e.textContent.includes('56 px')",
    )
    until(page, ".tile:nth-child(3) .big", "e => e.textContent !== '100 %'")
    assert "every setting at its default" in page.locator(".pin-card.of-a").inner_text()
    assert "56 px" in page.locator(".pin-card.of-b").inner_text()
    until(page, ".tile:nth-child(3) .all", "e => /^all classes [0-9]/.test(e.textContent)")
    assert "a=ipc" in page.url


def test_list__least_overlap_first_with_both_boxes(visit: Opener) -> None:
    page = visit(PAIR)
    page.wait_for_selector(".changes .cell .box-b")
    found = overlaps(page)
    assert len(found) == 24
    assert found == sorted(found)
    first = page.locator(".changes .cell").first
    assert first.locator(".box-a").count() == first.locator(".box-b").count() == 1
    page.get_by_label("Order", exact=True).last.select_option("most")
    until(page, ".changes .cell .rank", f"e => parseFloat(e.textContent) === {found[-1]:g}")
    assert overlaps(page) == found[::-1]


def test_list__kept_in_b_alone(visit: Opener) -> None:
    page = visit(PAIR)
    page.wait_for_selector(".changes .cell")
    page.get_by_label("Which images").select_option("b")
    page.wait_for_function(
        "[...document.querySelectorAll('.changes .cell .badge')]"
        ".every((e) => e.textContent === 'kept in B')"
    )


def test_image__maps_and_boxes_under_both_and_a_slider_that_wipes(visit: Opener) -> None:
    page = visit(PAIR)
    page.locator(".changes .cell").nth(2).click()
    wanted = page.locator(".changes .cell").nth(2).get_attribute("data-id")
    until(page, f"{LARGE} h2", f"e => e.textContent === {wanted!r}")
    page.wait_for_selector(f"{LARGE} .layer-a canvas:not([hidden])")
    page.wait_for_selector(f"{LARGE} .layer-b canvas:not([hidden])")
    until(page, f"{LARGE} .sentence", "e => e.textContent.length > 20")
    assert page.locator(f"{LARGE} .layer-a .box-a").count() == 1
    assert page.locator(f"{LARGE} .layer-b .box-b").count() == 1
    wipe = page.get_by_label("Wipe between A and B")
    wipe.press("Home")
    until(page, ".wipe-view", "e => e.style.getPropertyValue('--at') === '0%'")
    wipe.press("PageUp")
    until(page, ".wipe-view", "e => parseFloat(e.style.getPropertyValue('--at')) >= 10")
    spot = wipe.bounding_box()
    page.mouse.move(spot["x"] + spot["width"] / 4, spot["y"] + spot["height"] / 2)
    page.mouse.down()
    page.mouse.move(spot["x"] + spot["width"] * 0.75, spot["y"] + spot["height"] / 2, steps=3)
    page.mouse.up()
    until(
        page, ".wipe-view", "e => Math.abs(parseFloat(e.style.getPropertyValue('--at')) - 75) < 3"
    )
    assert f"image={wanted.replace('/', '%2F')}" in page.url


def test_image__stays_in_sight_and_its_map_fades(visit: Opener) -> None:
    """The list scrolls beside the chosen image, and the slider of its map can be dragged."""
    page = visit(PAIR)
    page.wait_for_selector(".changes .cell")
    slider = page.get_by_label("Opacity of the map")
    assert slider.bounding_box()["width"] >= 60
    slider.press("End")
    until(page, ".wipe-view", "e => e.style.getPropertyValue('--heat') === '1'")
    page.locator(".changes .cell").last.click()
    until(page, LARGE, "e => e.getBoundingClientRect().bottom > 100")


def test_clusters__a_number_lists_its_images(visit: Opener) -> None:
    page = visit(f"{PAIR}&clusters=4")
    button = page.locator("table.moves button").first
    button.wait_for()
    counts = page.locator("table.moves button").all_inner_texts()
    assert sum(int(one) for one in counts) == 24
    button.focus()
    button.press("Enter")
    until(page, ".changes", f"e => e.querySelectorAll('.cell').length === {counts[0]}")
    assert button.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="show all").click()
    until(page, ".changes", "e => e.querySelectorAll('.cell').length === 24")


def test_clusters__arrows_lead_from_number_to_number(visit: Opener) -> None:
    page = visit(f"{PAIR}&clusters=4")
    page.locator("table.moves button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.locator("table.moves button:focus").count() == 1
    assert page.locator("table.moves button[tabindex='0']").count() == 1


def test_swap_and_forget(visit: Opener) -> None:
    page = visit(PAIR)
    until(page, ".pin-card.of-a", "e => e.textContent.includes('default')")
    page.get_by_role("button", name="Swap A and B").click()
    until(page, "[data-name=patch_px] output", "e => e.textContent === '64 px'")
    until(page, ".pin-card.of-a", "e => e.textContent.includes('48 px')")
    page.get_by_role("button", name="Forget A").click()
    page.wait_for_selector(".compare-start")
    assert "a=" not in page.url.replace("tab=", "")


def test_link__an_invalid_a_is_noted_and_left_out(visit: Opener) -> None:
    page = visit("tab=compare&ipc=4&a=patch_px%3Dwide")
    until(page, ".toasts", "e => e.textContent.includes('settings A: patch_px in the link must')")
    page.wait_for_selector(".compare-start")
    assert "ipc=4" in page.url


def test_class__is_compared_anew(visit: Opener) -> None:
    page = visit(PAIR)
    page.wait_for_selector(".changes .cell")
    page.keyboard.press("]")
    until(page, ".changes .cell", "e => e.dataset.id.startsWith('square/')")
    until(page, f"{LARGE} h2", "e => e.textContent.startsWith('square/')")


def test_phone__nothing_is_wider_than_the_page(visit: Opener) -> None:
    page = visit(PAIR, viewport=PHONE)
    page.wait_for_selector("table.moves button")
    assert fits(page)


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = visit(PAIR, dark=dark)
    page.wait_for_selector(f"{LARGE} .layer-b canvas:not([hidden])")
    until(page, ".tile .all", "e => /[0-9]/.test(e.textContent)")
    assert violations(page) == []


def test_axe__no_barriers_before_a_is_pinned(visit: Opener) -> None:
    page = visit("tab=compare")
    page.wait_for_selector(".compare-start")
    assert violations(page) == []
