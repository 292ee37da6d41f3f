"""The Clusters tab, used as a person would: the projection, its lasso, its legend, its cards."""

from __future__ import annotations

from typing import Any

import pytest
from support.browsing import LONG_MS, PHONE, Opener, fits, lasso_left, until, violations

pytestmark = pytest.mark.browser

PLOT = ".plot-canvas"


@pytest.fixture
def clusters(visit: Opener) -> Any:
    return opened(visit, "tab=clusters")


def opened(visit: Opener, query: str, **how: Any) -> Any:
    page = visit(query, **how)
    drawn(page)
    return page


def drawn(page: Any, points: int = 24) -> None:
    page.wait_for_function(
        f"document.querySelectorAll('{PLOT} .points path').length === {points} "
        "&& document.querySelectorAll('.cluster-card .crop img').length > 0"
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
        "[...document.querySelectorAll('.clusters-tab .cell')].map((cell) => cell.dataset.id)"
    )
    return found


def words(page: Any, text: str) -> None:
    until(page, ".projection .selected", f"e => e.textContent.includes({text!r})")


def in_left_half(page: Any) -> int:
    box = page.locator(".plot").bounding_box()
    return sum(x < box["x"] + box["width"] / 2 for x, _ in places(page))


def test_plot__a_point_for_each_image_in_the_colour_of_its_cluster(clusters: Any) -> None:
    assert clusters.locator(".cluster-legend li").count() == 10
    assert len(set(colours(clusters))) == 10
    words(clusters, "all 24 patches")
    assert len(ids(clusters)) == 24
    until(clusters, ".layout-line", "e => e.textContent === 'Layout of the default patches'")


def test_k__reclusters_and_moves_no_point(clusters: Any) -> None:
    before = places(clusters)
    clusters.get_by_label("Clusters (k)", exact=True).press("ArrowLeft")
    until(clusters, ".cluster-legend", "e => e.children.length === 9")
    until(clusters, ".cluster-cards", "e => e.children.length === 9")
    clusters.wait_for_function(
        f"new Set([...document.querySelectorAll('{PLOT} .points path')]"
        ".map((point) => point.style.fill)).size === 9"
    )
    assert sorted(places(clusters)) == sorted(before)


def test_click__on_a_point_selects_its_image(clusters: Any) -> None:
    x, y = places(clusters)[3]
    clusters.mouse.move(x, y)
    clusters.wait_for_selector(".hover-card")
    name = clusters.locator(".hover-card .name").inner_text()
    clusters.mouse.click(x, y)
    until(clusters, ".cell[aria-current=true]", f"e => e.dataset.id === {name!r}")
    assert clusters.locator(".ring.chosen").is_visible()


def test_hover__shows_the_patch_and_points_at_the_gallery(clusters: Any) -> None:
    clusters.mouse.move(*places(clusters)[0])
    clusters.wait_for_selector(".hover-card .crop img[src]")
    said = clusters.locator(".hover-card").inner_text()
    assert "rank" in said
    assert "cluster" in said
    name = clusters.locator(".hover-card .name").inner_text()
    assert clusters.locator(".cell.pointed").get_attribute("data-id") == name
    clusters.locator(".cell").nth(5).hover()
    clusters.wait_for_selector(".ring.pointed")
    until(clusters, ".hover-card", "e => e.hidden")


def test_lasso__gallery_and_legend_follow_and_the_rest_is_greyed(clusters: Any) -> None:
    count = in_left_half(clusters)
    assert 0 < count < 24
    lasso_left(clusters, ".plot")
    words(clusters, f"{count} patch")
    until(clusters, ".clusters-tab .cells", f"e => e.children.length === {count}")
    assert len(places(clusters)) == 24
    counts = clusters.locator(".cluster-legend li").all_inner_texts()
    assert all(" of " in text for text in counts)
    assert sum(int(text.split("\n")[-1].split(" of ")[0].split()[-1]) for text in counts) == count
    grey = max(colours(clusters), key=colours(clusters).count)
    assert colours(clusters).count(grey) == 24 - count
    clusters.get_by_label("Clusters (k)", exact=True).press("ArrowLeft")
    until(clusters, ".cluster-legend", "e => e.children.length === 9")
    words(clusters, f"{count} patch")
    clusters.keyboard.press("Escape")
    words(clusters, "all 24 patches")
    until(clusters, ".clusters-tab .cells", "e => e.children.length === 24")


def test_lasso__ends_with_the_class(clusters: Any) -> None:
    lasso_left(clusters, ".plot")
    until(clusters, ".projection .selected", "e => e.textContent.includes('in the lasso')")
    clusters.keyboard.press("]")
    until(clusters, ".pick select", "e => e.value === 'square'")
    words(clusters, "all 24 patches")
    until(clusters, ".clusters-tab .cell", "e => e.dataset.id.startsWith('square')")


def test_cluster__selected_in_the_legend_on_its_card_and_in_the_gallery(clusters: Any) -> None:
    entry = clusters.locator(".cluster-legend button").nth(1)
    size = int(entry.inner_text().split()[-1])
    entry.press("Enter")
    until(clusters, ".clusters-tab .cells", f"e => e.children.length === {size}")
    assert clusters.locator(".gallery h2").inner_text() == "Cluster 2"
    assert entry.get_attribute("aria-pressed") == "true"
    clusters.locator(".card-head").nth(2).click()
    until(clusters, ".gallery h2", "e => e.textContent === 'Cluster 3'")
    clusters.get_by_label("Cluster", exact=True).select_option("3")
    until(clusters, ".gallery h2", "e => e.textContent === 'Cluster 4'")
    assert clusters.locator(".card-head").nth(3).get_attribute("aria-pressed") == "true"
    clusters.get_by_role("button", name="Clear").click()
    words(clusters, "all 24 patches")


def test_card__its_patches_select_their_image(clusters: Any) -> None:
    assert "median" in clusters.locator(".card-head").first.inner_text()
    patch = clusters.locator(".cluster-card .patch").first
    patch.click()
    name = patch.get_attribute("data-id")
    until(clusters, ".cell[aria-current=true]", f"e => e.dataset.id === {name!r}")
    assert patch.get_attribute("aria-current") == "true"


def test_patch_size__keeps_the_layout_until_a_new_one_is_ready(clusters: Any) -> None:
    before = places(clusters)
    clusters.evaluate(
        "() => { const line = document.querySelector('.layout-line'); window.texts = [];"
        " new MutationObserver(() => window.texts.push(line.textContent))"
        ".observe(line, { childList: true, characterData: true, subtree: true }); }"
    )
    clusters.get_by_label("Patch size", exact=True).press("ArrowLeft")
    until(clusters, ".layout-line.pending", "e => e.textContent.includes('is being computed')")
    assert places(clusters) == before
    clusters.wait_for_function(
        "document.querySelector('.layout-line').textContent === 'Layout of patches of 56 px'",
        timeout=LONG_MS,
    )
    clusters.wait_for_function(
        f"(before) => {{ const r = document.querySelector('{PLOT} .points path')"
        ".getBoundingClientRect(); return Math.abs(r.x + r.width / 2 - before[0]) > 0.5; }",
        arg=before[0],
    )
    clusters.get_by_label("Patch size", exact=True).press("ArrowRight")
    until(clusters, ".layout-line", "e => e.textContent === 'Layout of the default patches'")
    clusters.wait_for_function(
        f"(before) => {{ const r = document.querySelector('{PLOT} .points path')"
        ".getBoundingClientRect(); return Math.abs(r.x + r.width / 2 - before[0]) < 0.5; }",
        arg=before[0],
    )


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = opened(visit, "tab=clusters", dark=dark)
    page.locator(".cluster-legend button").first.click()
    until(page, ".gallery h2", "e => e.textContent === 'Cluster 1'")
    assert violations(page) == []


def test_phone__nothing_is_cut_off(visit: Opener) -> None:
    page = opened(visit, "tab=clusters", viewport=PHONE)
    assert fits(page)
