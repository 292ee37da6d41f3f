"""The Groups tab, used as a person would: the plane, its lasso, its legend, its cards."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import Opener, until, violations

pytestmark = pytest.mark.browser

PLOT = ".plot-canvas"
FITTED_MS = 300_000
"""A first layout is compiled in the app, which takes long on a busy machine."""


@pytest.fixture
def groups(visit: Opener) -> Any:
    return opened(visit, "tab=groups")


def opened(visit: Opener, query: str, **how: Any) -> Any:
    page = visit(query, **how)
    drawn(page)
    return page


def drawn(page: Any, points: int = 24) -> None:
    page.wait_for_function(
        f"document.querySelectorAll('{PLOT} .points path').length === {points} "
        "&& document.querySelectorAll('.group-card .crop img').length > 0"
    )


def places(page: Any) -> list[list[float]]:
    """Where the points are drawn, in the order of the images."""
    found: list[list[float]] = page.evaluate(
        f"[...document.querySelectorAll('{PLOT} .points path')].map((point) => "
        "{ const r = point.getBoundingClientRect();"
        " return [r.x + r.width / 2, r.y + r.height / 2].map((v) => Math.round(4 * v) / 4); })"
    )
    return found


def colours(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        f"[...document.querySelectorAll('{PLOT} .points path')].map((point) => point.style.fill)"
    )
    return found


def ids(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.groups-tab .cell')].map((cell) => cell.dataset.id)"
    )
    return found


def words(page: Any, text: str) -> None:
    until(page, ".plane .selected", f"e => e.textContent.includes({text!r})")


def lasso_left(page: Any) -> None:
    """Drag around the left half of the plane."""
    box = page.locator(".plot").bounding_box()
    left, top = box["x"] + 4, box["y"] + 4
    right, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"] - 4
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 6)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def in_left_half(page: Any) -> int:
    box = page.locator(".plot").bounding_box()
    return sum(x < box["x"] + box["width"] / 2 for x, _ in places(page))


def test_plane__a_point_for_each_image_in_the_colour_of_its_group(groups: Any) -> None:
    assert groups.locator(".group-legend li").count() == 10
    assert len(set(colours(groups))) == 10
    words(groups, "all 24 patches")
    assert len(ids(groups)) == 24
    until(groups, ".layout-line", "e => e.textContent === 'Layout of the default patches'")


def test_k__regroups_and_moves_no_point(groups: Any) -> None:
    before = places(groups)
    groups.get_by_label("Groups (k)", exact=True).press("ArrowLeft")
    until(groups, ".group-legend", "e => e.children.length === 9")
    until(groups, ".group-cards", "e => e.children.length === 9")
    groups.wait_for_function(
        f"new Set([...document.querySelectorAll('{PLOT} .points path')]"
        ".map((point) => point.style.fill)).size === 9"
    )
    assert sorted(places(groups)) == sorted(before)


def test_click__on_a_point_selects_its_image(groups: Any) -> None:
    x, y = places(groups)[3]
    groups.mouse.move(x, y)
    groups.wait_for_selector(".hover-card")
    name = groups.locator(".hover-card .name").inner_text()
    groups.mouse.click(x, y)
    until(groups, ".cell[aria-current=true]", f"e => e.dataset.id === {name!r}")
    assert groups.locator(".ring.chosen").is_visible()


def test_hover__shows_the_patch_and_points_at_the_gallery(groups: Any) -> None:
    groups.mouse.move(*places(groups)[0])
    groups.wait_for_selector(".hover-card .crop img[src]")
    said = groups.locator(".hover-card").inner_text()
    assert "rank" in said
    assert "group" in said
    name = groups.locator(".hover-card .name").inner_text()
    assert groups.locator(".cell.pointed").get_attribute("data-id") == name
    groups.locator(".cell").nth(5).hover()
    groups.wait_for_selector(".ring.pointed")
    until(groups, ".hover-card", "e => e.hidden")


def test_lasso__gallery_and_legend_follow_and_the_rest_is_greyed(groups: Any) -> None:
    count = in_left_half(groups)
    assert 0 < count < 24
    lasso_left(groups)
    words(groups, f"{count} patch")
    until(groups, ".groups-tab .cells", f"e => e.children.length === {count}")
    assert len(places(groups)) == 24
    counts = groups.locator(".group-legend li").all_inner_texts()
    assert all(" of " in text for text in counts)
    assert sum(int(text.split("\n")[-1].split(" of ")[0].split()[-1]) for text in counts) == count
    grey = max(colours(groups), key=colours(groups).count)
    assert colours(groups).count(grey) == 24 - count
    groups.get_by_label("Groups (k)", exact=True).press("ArrowLeft")
    until(groups, ".group-legend", "e => e.children.length === 9")
    words(groups, f"{count} patch")
    groups.keyboard.press("Escape")
    words(groups, "all 24 patches")
    until(groups, ".groups-tab .cells", "e => e.children.length === 24")


def test_lasso__ends_with_the_class(groups: Any) -> None:
    lasso_left(groups)
    until(groups, ".plane .selected", "e => e.textContent.includes('in the lasso')")
    groups.keyboard.press("]")
    until(groups, ".pick select", "e => e.value === 'square'")
    words(groups, "all 24 patches")
    until(groups, ".groups-tab .cell", "e => e.dataset.id.startsWith('square')")


def test_group__selected_in_the_legend_on_its_card_and_in_the_gallery(groups: Any) -> None:
    entry = groups.locator(".group-legend button").nth(1)
    size = int(entry.inner_text().split()[-1])
    entry.press("Enter")
    until(groups, ".groups-tab .cells", f"e => e.children.length === {size}")
    assert groups.locator(".gallery h2").inner_text() == "Group 2"
    assert entry.get_attribute("aria-pressed") == "true"
    groups.locator(".card-head").nth(2).click()
    until(groups, ".gallery h2", "e => e.textContent === 'Group 3'")
    groups.get_by_label("Group", exact=True).select_option("3")
    until(groups, ".gallery h2", "e => e.textContent === 'Group 4'")
    assert groups.locator(".card-head").nth(3).get_attribute("aria-pressed") == "true"
    groups.get_by_role("button", name="Clear").click()
    words(groups, "all 24 patches")


def test_card__its_patches_select_their_image(groups: Any) -> None:
    assert "median" in groups.locator(".card-head").first.inner_text()
    patch = groups.locator(".group-card .patch").first
    patch.click()
    name = patch.get_attribute("data-id")
    until(groups, ".cell[aria-current=true]", f"e => e.dataset.id === {name!r}")
    assert patch.get_attribute("aria-current") == "true"


def test_patch_size__keeps_the_layout_until_a_new_one_is_ready(groups: Any) -> None:
    before = places(groups)
    groups.evaluate(
        "() => { const line = document.querySelector('.layout-line'); window.said = [];"
        " new MutationObserver(() => window.said.push(line.textContent))"
        ".observe(line, { childList: true, characterData: true, subtree: true }); }"
    )
    groups.get_by_label("Patch size", exact=True).press("ArrowLeft")
    until(groups, ".layout-line.pending", "e => e.textContent.includes('is being computed')")
    assert places(groups) == before
    groups.wait_for_function(
        "document.querySelector('.layout-line').textContent === 'Layout of patches of 56 px'",
        timeout=FITTED_MS,
    )
    groups.wait_for_function(
        f"(before) => {{ const r = document.querySelector('{PLOT} .points path')"
        ".getBoundingClientRect(); return Math.abs(r.x + r.width / 2 - before[0]) > 0.5; }",
        arg=before[0],
    )
    groups.get_by_label("Patch size", exact=True).press("ArrowRight")
    until(groups, ".layout-line", "e => e.textContent === 'Layout of the default patches'")
    groups.wait_for_function(
        f"(before) => {{ const r = document.querySelector('{PLOT} .points path')"
        ".getBoundingClientRect(); return Math.abs(r.x + r.width / 2 - before[0]) < 0.5; }",
        arg=before[0],
    )


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = opened(visit, "tab=groups", dark=dark)
    page.locator(".group-legend button").first.click()
    until(page, ".gallery h2", "e => e.textContent === 'Group 1'")
    assert violations(page) == []


def test_phone__nothing_is_cut_off(visit: Opener) -> None:
    page = opened(visit, "tab=groups", viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
