"""The Find tab: filters over the run, similar patches, the table of classes, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browsing import PHONE, WIDE, Opener, fits, opened, served, until, violations
from support.large import large_run

from dsel.analysis.explorer import Explorer
from dsel.analysis.finding import Filter, Order, Span, found_page
from dsel.analysis.image_columns import ImageColumns, image_columns
from dsel.config import SelectSettings
from dsel.config.url import view_of
from dsel.runs import open_run

pytestmark = pytest.mark.browser

FIND = "tab=find"
CELLS = "#dsel-panel-find .find-list .found-item"


@pytest.fixture(scope="module")
def columns(app_run: Path) -> ImageColumns:
    explorer = Explorer(open_run(app_run))
    return image_columns(explorer, SelectSettings(), np.zeros(0, np.int64), float("inf"))


def expected(columns: ImageColumns, wanted: Filter, order: Order) -> list[str]:
    return [columns.images.ids[row] for row in found_page(columns, wanted, order).rows]


def shown(page: Any) -> list[str]:
    cells = page.locator(f"{CELLS} .cell")
    return cells.evaluate_all("all => all.map((one) => one.dataset.id)")


def counted(page: Any, text: str) -> None:
    until(page, "#dsel-panel-find .count", f"e => e.textContent === '{text}'")
    page.wait_for_selector("#dsel-panel-find .reading", state="hidden")


def test_find__filters_narrow_the_run_and_are_in_the_link(
    visit: Opener, columns: ImageColumns
) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    assert shown(page) == expected(columns, Filter(), Order(rows=60))
    page.get_by_label("Class", exact=True).last.fill("square")
    counted(page, "24 images")
    page.get_by_label("Status").select_option("kept")
    counted(page, "10 images")
    page.get_by_label("Score from, per cent").fill("0,2")
    page.get_by_label("Score from, per cent").press("Enter")
    wanted = Filter(classes=(1,), status="kept", score=Span(0.002))
    found = expected(columns, wanted, Order())
    counted(page, f"{len(found)} images")
    assert shown(page) == found
    page.get_by_label("Order", exact=True).select_option("margin")
    page.get_by_role("button", name="Reverse the order").click()
    rising = expected(columns, wanted, Order("margin", backwards=True))
    until(page, f"{CELLS} .cell", f"e => e.dataset.id === '{rising[0]}'")
    assert "find=" in page.url
    page.reload()
    counted(page, f"{len(found)} images")
    assert shown(page) == rising
    assert page.get_by_label("Score from, per cent").input_value() == "0.2"
    page.get_by_role("button", name="Clear the filter").click()
    counted(page, "72 images")
    assert "find=" not in page.url


def test_find__a_name_that_nothing_has(visit: Opener) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    page.get_by_label("Name", exact=True).fill("disc 00000")
    counted(page, "10 images")
    page.get_by_label("Name", exact=True).fill("zebra")
    until(page, "#dsel-panel-find .empty", "e => e.textContent.includes('“zebra”')")
    score = page.get_by_label("Score from, per cent")
    score.fill("much")
    score.press("Enter")
    assert score.get_attribute("aria-invalid") == "true"


def test_find__a_click_opens_the_image(visit: Opener) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    cell = page.locator(f"{CELLS} .cell").nth(3)
    image_id = cell.get_attribute("data-id")
    cell.click()
    until(page, "#dsel-panel-inspect .sentence", "e => e.textContent.length > 20")
    assert f"image={image_id.replace('/', '%2F')}" in page.url
    page.go_back()
    counted(page, "72 images")


def test_find__possible_label_errors_say_what_they_are_based_on(
    visit: Opener, columns: ImageColumns
) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    page.get_by_role("button", name="Possible label errors").click()
    until(page, ".find-about", "e => e.textContent.includes('no gaps against other names')")
    rising = expected(columns, Filter(), Order(backwards=True, rows=60))
    until(page, f"{CELLS} .cell", f"e => e.dataset.id === '{rising[0]}'")
    assert shown(page) == rising
    assert page.locator(f"{CELLS} .looks").count() == 60
    page.get_by_role("button", name="Possible label errors").click()
    until(page, f"{CELLS} .cell", f"e => e.dataset.id !== '{rising[0]}'")


def test_find__results_are_selected_and_banned_together(visit: Opener) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    page.locator(f"{CELLS} .found-check").nth(0).check()
    page.locator(f"{CELLS} .found-check").nth(2).check()
    until(page, ".actions-bar .facts", "e => e.textContent.startsWith('2 images')")
    page.locator(f"{CELLS} .found-check").nth(0).uncheck()
    until(page, ".actions-bar .facts", "e => e.textContent.startsWith('1 image of')")
    page.get_by_label("Name", exact=True).fill("bar/00000")
    counted(page, "10 images")
    page.get_by_role("button", name="Select all 10").click()
    until(page, ".actions-bar .facts", "e => e.textContent.includes('10 images of bar')")
    page.locator(".actions-bar").get_by_role("button", name="Ban").click()
    until(page, f"{CELLS} .badge.override", "e => e.textContent === 'banned'")
    assert len(view_of(page.url.partition("?")[2]).select.bans) == 10
    page.keyboard.press("Control+z")
    until(page, f"{CELLS} .badge.override", "e => e.textContent === ''")


def test_similar__patches_of_its_class_and_of_others(visit: Opener) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    image_id = page.locator(f"{CELLS} .cell").first.get_attribute("data-id")
    page.get_by_role("button", name=f"Patches similar to {image_id}").click()
    until(page, ".similar h2", f"e => e.textContent.includes('{image_id}')")
    own = page.get_by_role("list", name="In its class").locator(".found-item")
    others = page.get_by_role("list", name="In other classes").locator(".found-item")
    assert own.count() == 18
    name = image_id.partition("/")[0]
    assert all(name not in one for one in others.locator(".class").all_inner_texts())
    assert "like=" in page.url.replace("%3D", "=")
    page.get_by_role("button", name="Back to the filter").click()
    counted(page, "72 images")


def test_classes__sorted_searched_and_opened(visit: Opener, columns: ImageColumns) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    page.get_by_role("button", name="Classes", exact=True).click()
    names = page.locator(".class-table tbody th")
    until(page, ".class-table", "e => e.querySelectorAll('tbody tr').length === 3")
    assert names.all_inner_texts() == ["disc", "square", "bar"]
    scores = [columns.score[columns.images.class_index == index].mean() for index in range(3)]
    rising = [("disc", "square", "bar")[index] for index in np.argsort(scores)]
    page.get_by_role("button", name="Mean score").click()
    assert names.all_inner_texts() == rising
    page.get_by_role("button", name="Mean score").click()
    assert names.all_inner_texts() == rising[::-1]
    assert page.locator("th[aria-sort=descending]").inner_text() == "Mean score"
    unknown = page.locator(".class-table td[title*='were not evaluated at this IPC']")
    assert unknown.all_inner_texts() == ["–"] * 3
    page.get_by_label("Search classes").fill("squ")
    assert names.all_inner_texts() == ["square"]
    page.get_by_role("button", name="List 24 images of square").click()
    counted(page, "24 images")
    page.get_by_role("button", name="Classes", exact=True).click()
    page.get_by_label("Search classes").fill("")
    page.get_by_role("button", name="bar", exact=True).click()
    until(page, "#dsel-panel-inspect", "e => !e.hidden")
    assert page.locator(".pick select").input_value() == "bar"


def test_find__by_keyboard(visit: Opener) -> None:
    page = visit(FIND)
    counted(page, "72 images")
    page.locator(f"{CELLS} .cell").first.focus()
    page.keyboard.press("ArrowRight")
    until(page, f"{CELLS}:nth-child(2) .cell", "e => e === document.activeElement")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    until(page, f"{CELLS}:nth-child(2) .found-check", "e => e.checked")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("query", [FIND, f"{FIND}&find=show%3Dclasses"])
def test_axe__no_barriers(visit: Opener, query: str, dark: bool) -> None:
    page = visit(query, dark=dark)
    page.wait_for_selector("#dsel-panel-find .reading", state="hidden")
    page.wait_for_selector(f"{CELLS} .cell, .class-table tbody tr")
    assert violations(page) == []


@pytest.mark.parametrize("viewport", [PHONE, WIDE])
@pytest.mark.parametrize("query", [FIND, f"{FIND}&find=show%3Dclasses"])
def test_page__nothing_is_wider_than_it(
    visit: Opener, query: str, viewport: dict[str, int]
) -> None:
    page = visit(query, viewport=viewport)
    page.wait_for_selector(f"{CELLS} .cell, .class-table tbody tr")
    assert fits(page)


@pytest.fixture(scope="module")
def many_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A run of 200 classes of two images."""
    path = tmp_path_factory.mktemp("many") / "run"
    large_run(path, 200, 2, objects=False)
    with served(path) as url:
        yield url


def test_classes__one_of_many_is_found_by_name(chromium: Any, many_url: str) -> None:
    with opened(chromium, many_url) as page:
        page.get_by_role("button", name="Class: class 0000").click()
        page.get_by_role("searchbox", name="Search classes").fill("19")
        until(page, ".class-search", "e => e.children.length === 12")
        assert violations(page) == []
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        until(page, ".class-chosen", "e => e.textContent === 'class 0119'")
        assert "class=class+0119" in page.url
        page.keyboard.press("c")
        page.get_by_role("searchbox", name="Search classes").fill("class 0007")
        page.keyboard.press("Enter")
        until(page, ".class-chosen", "e => e.textContent === 'class 0007'")


def test_find__classes_are_read_while_the_first_are_shown(chromium: Any, many_url: str) -> None:
    with opened(chromium, many_url, FIND) as page:
        page.wait_for_selector(f"{CELLS} .cell")
        counted(page, "400 images")
        page.get_by_role("button", name="Classes", exact=True).click()
        until(page, ".class-table", "e => e.querySelectorAll('tbody tr').length === 100")
        page.get_by_role("button", name="Next page").last.click()
        until(page, ".class-table tbody th", "e => e.textContent === 'class 0100'")
