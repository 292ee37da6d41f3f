"""The Map tab and the bar of actions on many images, used as a person would."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest
from support.browsing import LONG_MS, PHONE, Opener, fits, until, violations

pytestmark = pytest.mark.browser

FIELD = ".map-field"
BAR = ".actions-bar"
NARROW = {"width": 800, "height": 700}


@pytest.fixture
def shown(visit: Opener) -> Any:
    return opened(visit, "tab=map")


def opened(visit: Opener, query: str, **how: Any) -> Any:
    page = visit(query, **how)
    page.wait_for_selector(".map-cover[hidden]", state="attached", timeout=LONG_MS)
    until(page, ".map-figures", "e => e.textContent === ''")
    until(page, FIELD, "e => e.dataset.seen === '72'")
    return page


def at(page: Any, across: float, down: float) -> tuple[float, float]:
    box = page.locator(FIELD).bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def lasso(page: Any, *corners: tuple[float, float], key: str = "") -> None:
    """Drag through corners, which are shares of the plot; with Shift in any mode."""
    if key:
        page.keyboard.down(key)
    page.mouse.move(*at(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*at(page, *corner), steps=5)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


EVERYTHING = ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99))
LEFT = ((0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99))
RIGHT = ((0.99, 0.01), (0.5, 0.01), (0.5, 0.99), (0.99, 0.99))


def selected(page: Any) -> int:
    return int(page.locator(f"{BAR} .facts").inner_text().split()[0])


def ids_of(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#dsel-panel-inspect .cell')].map((one) => one.dataset.id)"
    )
    return found


def point(page: Any) -> tuple[float, float]:
    """Find a point by moving over the plot until its card is shown."""
    for across in range(5, 96, 3):
        for down in range(5, 96, 6):
            place = at(page, across / 100, down / 100)
            page.mouse.move(*place)
            if page.locator("#dsel-panel-map .hover-card").is_visible():
                return place
    raise AssertionError("no point was found")


def test_map__all_images_in_the_colours_of_their_classes(shown: Any) -> None:
    entries = shown.locator(".map-legend li").all_inner_texts()
    assert [entry.split("\n") for entry in entries] == [
        ["disc", "24"], ["square", "24"], ["bar", "24"],
    ]  # fmt: skip
    assert shown.locator(".map-facts").inner_text() == (
        "UMAP of the default patches of 72 images of 3 classes"
    )
    names = shown.locator(".map-name").all_inner_texts()
    assert set(names) <= {"disc", "square", "bar"}
    assert names


def test_colours__scales_and_names(shown: Any) -> None:
    colours = shown.get_by_label("Colour by", exact=True)
    colours.select_option("score")
    until(shown, ".map-scale figcaption", "e => e.textContent.includes('% of the mean loss')")
    assert not shown.locator(".map-legend").is_visible()
    colours.select_option("cluster")
    until(shown, ".map-legend", "e => e.textContent.includes('cluster 10')")
    colours.select_option("margin")
    until(shown, ".map-scale figcaption", "e => e.textContent.includes('margin to the runner-up')")
    colours.select_option("kept")
    until(shown, ".map-legend", "e => e.textContent.includes('not kept42')")
    shown.get_by_label("Names", exact=True).select_option("clusters")
    until(shown, ".map-names", "e => /(disc|square|bar) \\d/.test(e.textContent)")
    shown.get_by_label("Names", exact=True).select_option("none")
    until(shown, ".map-names", "e => !e.children.length")
    shown.get_by_label("Draw", exact=True).select_option("density")
    until(shown, FIELD, "e => e.dataset.drawn === 'density'")


def test_hover_and_click__a_card_and_then_inspect(shown: Any) -> None:
    place = point(shown)
    shown.wait_for_selector("#dsel-panel-map .hover-card .crop img[src]")
    name = shown.locator("#dsel-panel-map .hover-card .name").inner_text()
    said = shown.locator("#dsel-panel-map .hover-card").inner_text()
    assert "cluster" in said
    assert "rank" in said
    shown.mouse.click(*place)
    until(shown, "#dsel-tab-inspect", "e => e.ariaSelected === 'true'")
    until(shown, "#dsel-panel-inspect .detail h2, #dsel-panel-inspect .detail", "e => e")
    until(shown, "#dsel-panel-inspect .cell[aria-current=true]", f"e => e.dataset.id === {name!r}")
    shown.go_back()
    until(shown, "#dsel-tab-map", "e => e.ariaSelected === 'true'")


def test_zoom__the_wheel_and_keys_until_images_are_shown(shown: Any) -> None:
    shown.mouse.move(*at(shown, 0.5, 0.5))
    shown.mouse.wheel(0, -900)
    until(shown, FIELD, "e => Number(e.dataset.seen) < 72")
    shown.get_by_role("button", name="Show all points").click()
    until(shown, FIELD, "e => e.dataset.seen === '72'")
    until(shown, ".map-images", "e => e.querySelectorAll('img[src]').length > 0")
    shown.locator(FIELD).focus()
    for _ in range(6):
        shown.keyboard.press("+")
    until(shown, FIELD, "e => Number(e.dataset.seen) < 72")
    shown.keyboard.press("0")
    until(shown, FIELD, "e => e.dataset.seen === '72'")
    shown.keyboard.press("ArrowRight")
    shown.mouse.move(*at(shown, 0.5, 0.5))
    shown.mouse.down()
    shown.mouse.move(*at(shown, 3.0, 0.5), steps=4)
    shown.mouse.up()
    until(shown, FIELD, "e => Number(e.dataset.seen) < 72")


def test_zoom__an_empty_view_says_so(shown: Any) -> None:
    """Between the images there is nothing to see; all of them come back."""
    shown.mouse.move(*at(shown, 0.01, 0.01))
    shown.mouse.wheel(0, -3000)
    until(shown, ".map-facts", "e => e.textContent.startsWith('No image is in view')")
    shown.get_by_role("button", name="Show all points").click()
    until(shown, ".map-facts", "e => e.textContent.includes('72 images of 3 classes')")


def test_lasso__selects_more_with_shift_and_ends_with_clear(shown: Any) -> None:
    shown.get_by_role("button", name="Lasso", exact=True).click()
    lasso(shown, *LEFT)
    shown.wait_for_selector(BAR)
    left = selected(shown)
    assert 0 < left < 72
    lasso(shown, *RIGHT, key="Shift")
    until(shown, f"{BAR} .facts", "e => e.textContent.startsWith('72 images of 3 classes')")
    shown.get_by_role("button", name="Clear the selection").click()
    until(shown, BAR, "e => e.hidden")


def test_ban__many_in_one_step_and_back(shown: Any) -> None:
    shown.locator(".map-legend button").first.click()
    until(shown, f"{BAR} .facts", "e => e.textContent === '24 images of disc · disc'")
    shown.get_by_role("button", name="Ban", exact=True).click()
    shown.wait_for_function("new URLSearchParams(location.search).getAll('bans').length === 24")
    shown.locator(".toasts").get_by_role("button", name="Undo").click()
    shown.wait_for_function("new URLSearchParams(location.search).getAll('bans').length === 0")
    shown.get_by_role("button", name="Pin", exact=True).click()
    shown.wait_for_function("new URLSearchParams(location.search).getAll('pins').length === 24")
    shown.get_by_role("button", name="Release", exact=True).click()
    shown.wait_for_function("new URLSearchParams(location.search).getAll('pins').length === 0")
    shown.keyboard.press("Control+z")
    shown.wait_for_function("new URLSearchParams(location.search).getAll('pins').length === 24")


def test_ban__the_map_follows(shown: Any) -> None:
    shown.get_by_label("Colour by", exact=True).select_option("kept")
    until(shown, ".map-legend", "e => e.textContent.includes('not kept42kept30')")
    shown.get_by_label("Search the map").fill("disc")
    until(shown, ".map-search", "e => e.textContent.includes('24 matches')")
    shown.keyboard.press("Enter")
    until(shown, f"{BAR} .facts", "e => e.textContent.startsWith('24 images of disc')")
    shown.get_by_role("button", name="Ban", exact=True).click()
    until(shown, ".map-legend", "e => e.textContent.includes('not kept52kept20')")


def test_gallery__lists_the_selected_images_alone(shown: Any) -> None:
    shown.get_by_label("Search the map").fill("square 00000")
    until(shown, ".map-search", "e => e.textContent.includes('10 matches')")
    shown.get_by_role("button", name="Select", exact=True).click()
    shown.get_by_role("button", name="Gallery", exact=True).click()
    until(shown, "#dsel-panel-inspect .gallery h2", "e => e.textContent === 'Selected patches'")
    until(shown, "#dsel-panel-inspect .cells", "e => e.children.length === 10")
    assert sorted(ids_of(shown)) == [f"square/{n:06d}" for n in range(10)]
    shown.get_by_role("button", name="Gallery", exact=True).click()
    until(shown, "#dsel-panel-inspect .cells", "e => e.children.length === 24")
    shown.get_by_role("button", name="Gallery", exact=True).click()
    until(shown, "#dsel-panel-inspect .cells", "e => e.children.length === 10")
    shown.get_by_role("button", name="Clear the selection").click()
    until(shown, "#dsel-panel-inspect .cells", "e => e.children.length === 24")


def test_link__a_short_selection_by_ids(visit: Opener) -> None:
    page = opened(visit, "tab=map&ids=disc/000001&ids=bar/000002")
    until(page, f"{BAR} .facts", "e => e.textContent === '2 images of 2 classes · from the link'")
    page.get_by_role("button", name="Clear the selection").click()
    page.wait_for_function("!location.search.includes('ids')")


def test_slice__saved_opened_by_its_link_and_deleted(visit: Opener) -> None:
    page = opened(visit, "tab=map")
    page.locator(".map-legend button").nth(1).click()
    page.get_by_role("button", name="Slice", exact=True).click()
    page.get_by_label("Name of the slice").fill("all squares")
    page.get_by_role("button", name="Save", exact=True).click()
    until(page, "dialog .slices", "e => e.textContent.includes('all squares24 images')")
    page.locator("dialog").get_by_role("button", name="Close").click()
    until(page, f"{BAR} .facts", "e => e.textContent === '24 images of square · all squares'")
    page.wait_for_function("location.search.includes('slice=all+squares')")
    # It is stored in the run, so that another browser has it too.
    other = opened(visit, "tab=map&slice=all+squares")
    until(other, f"{BAR} .facts", "e => e.textContent === '24 images of square · all squares'")
    other.get_by_role("button", name="Clear the selection").click()
    other.get_by_role("button", name="Named slices").click()
    other.get_by_role("button", name="Select all squares").click()
    until(other, f"{BAR} .facts", "e => e.textContent.startsWith('24 images')")
    other.get_by_role("button", name="Slice", exact=True).click()
    assert violations(other) == []
    other.get_by_role("button", name="Delete all squares").click()
    until(other, "dialog .empty", "e => !e.hidden")


def test_table__a_csv_of_the_selected_images(visit: Opener) -> None:
    page = opened(visit, "tab=map&ids=disc/000001&ids=bar/000002")
    page.wait_for_selector(BAR)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Table", exact=True).click()
    assert waiting.value.suggested_filename == "selected.csv"
    lines = waiting.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "disc/000001", "bar/000002"]


def test_export__selected_images_as_a_zip_with_one_click(visit: Opener) -> None:
    """The ids of the manifest are those that were selected, whatever the set would keep."""
    page = opened(visit, "tab=map&ipc=1&bans=bar/000002&ids=disc/000001&ids=bar/000002")
    page.wait_for_selector(BAR)
    with page.expect_download(timeout=LONG_MS) as waiting:
        page.get_by_role("button", name="Export", exact=True).click()
    assert waiting.value.suggested_filename == "dsel_export.zip"
    with zipfile.ZipFile(waiting.value.path()) as archive:
        record = json.loads(archive.read("manifest.json"))
    assert record["chosen"] == ["disc/000001", "bar/000002"]
    assert [one["patches"][0]["image_id"] for one in record["images"]] == record["chosen"]
    page.get_by_role("tab", name="Export").click()
    job = page.locator("#dsel-panel-export .latest .job")
    job.get_by_role("heading", name="2 selected images").wait_for()
    assert job.locator("a[download]").count() == 1


def test_clusters__a_cluster_is_acted_on(visit: Opener) -> None:
    page = visit("tab=clusters")
    entry = page.locator(".cluster-legend button").first
    size = entry.inner_text().split()[-1]
    entry.click()
    page.get_by_role("button", name="Act on these").click()
    words = f"{size} image"
    until(page, f"{BAR} .facts", f"e => e.textContent.startsWith({words!r})")
    until(page, f"{BAR} .facts", "e => e.textContent.endsWith('· cluster 1 of disc')")
    page.get_by_role("button", name="Ban", exact=True).click()
    until(page, ".gallery .foot", f"e => e.textContent.includes('{size} banned')")


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = opened(visit, "tab=map&ids=disc/000001&ids=bar/000002", dark=dark)
    page.wait_for_selector(BAR)
    assert violations(page) == []
    page.get_by_label("Colour by", exact=True).select_option("margin")
    until(page, ".map-scale", "e => !e.hidden")
    assert violations(page) == []


@pytest.mark.parametrize("viewport", [PHONE, NARROW])
def test_narrow__nothing_is_cut_off(visit: Opener, viewport: dict[str, int]) -> None:
    page = opened(visit, "tab=map&ids=disc/000001&ids=bar/000002", viewport=viewport)
    page.wait_for_selector(BAR)
    assert fits(page)
