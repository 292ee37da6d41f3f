"""Many images at once, wherever they are selected: pinned, banned, back in one step, a slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.browsing import LONG_MS, Opener, lasso_left, until, violations

pytestmark = pytest.mark.browser

BAR = ".actions-bar"


def by_lasso_on_the_map(page: Any) -> None:
    page.get_by_role("tab", name="Map").click()
    page.wait_for_selector(".map-cover[hidden]", state="attached", timeout=LONG_MS)
    until(page, ".map-field", "e => e.dataset.seen === '72'")
    page.get_by_role("button", name="Lasso", exact=True).click()
    lasso_left(page, ".map-field")


def by_search_of_the_map(page: Any) -> None:
    page.get_by_role("tab", name="Map").click()
    page.wait_for_selector(".map-cover[hidden]", state="attached", timeout=LONG_MS)
    page.get_by_label("Search the map").fill("square 00000")
    until(page, ".map-search", "e => e.textContent.includes('10 matches')")
    page.keyboard.press("Enter")


def by_lasso_in_clusters(page: Any) -> None:
    open_clusters(page)
    lasso_left(page, ".plot")
    until(page, ".projection .selected", "e => e.textContent.includes('in the lasso')")
    page.get_by_role("button", name="Act on these").click()


def by_cluster(page: Any) -> None:
    open_clusters(page)
    page.locator(".card-head").nth(1).click()
    page.get_by_role("button", name="Act on these").click()


def open_clusters(page: Any) -> None:
    page.get_by_role("tab", name="Clusters").click()
    page.wait_for_function("document.querySelectorAll('.plot-canvas .points path').length === 24")
    page.wait_for_selector(".cluster-card .crop img")


def by_search_in_find(page: Any) -> None:
    open_find(page)
    page.get_by_label("Name", exact=True).fill("bar/00000")
    page.get_by_role("button", name="Select all 10", exact=True).click()


def by_filter_in_find(page: Any) -> None:
    open_find(page)
    page.get_by_label("Status").select_option("kept")
    page.get_by_role("button", name="Select all 30", exact=True).click()


def open_find(page: Any) -> None:
    page.get_by_role("tab", name="Find").click()
    page.wait_for_selector("#dsel-panel-find .found-item .cell")


SOURCES = (
    by_lasso_on_the_map, by_search_of_the_map, by_lasso_in_clusters, by_cluster,
    by_search_in_find, by_filter_in_find,
)  # fmt: skip


def in_link(page: Any, name: str, count: int) -> None:
    """Wait until the link has so many pins, bans or ids."""
    page.wait_for_function(
        "([name, count]) => new URLSearchParams(location.search).getAll(name).length === count",
        arg=[name, count],
    )


def press(page: Any, name: str) -> None:
    page.locator(BAR).get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("select", SOURCES, ids=lambda one: one.__name__)
def test_selected__pinned_banned_back_in_one_step_and_a_slice_of_the_link(
    visit: Opener, select: Callable[[Any], None]
) -> None:
    page = visit()
    select(page)
    page.wait_for_selector(f"{BAR}:not([hidden])")
    count = int(page.locator(f"{BAR} .facts").inner_text().split()[0])
    assert 0 < count < 72
    press(page, "Copy ids")
    until(page, ".toasts", f"e => e.textContent.includes('Copied {count} id')")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(set(copied)) == count
    press(page, "Ban")
    in_link(page, "bans", count)
    page.locator(".toasts").get_by_role("button", name="Undo").click()
    in_link(page, "bans", 0)
    press(page, "Pin")
    in_link(page, "pins", count)
    page.keyboard.press("Control+z")
    in_link(page, "pins", 0)
    page.keyboard.press("Control+Shift+z")
    in_link(page, "pins", count)
    press(page, "Ban")  # the pins become bans, in one step too
    in_link(page, "bans", count)
    in_link(page, "pins", 0)
    page.keyboard.press("Control+z")
    in_link(page, "bans", 0)
    in_link(page, "pins", count)
    press(page, "Release")
    in_link(page, "pins", 0)
    keep_as_slice(page, f"the {select.__name__}", count)


def keep_as_slice(page: Any, name: str, count: int) -> None:
    """Save the selection under a name, open its link again, and delete the slice."""
    press(page, "Slice")
    page.get_by_label("Name of the slice").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("dialog").get_by_role("button", name="Close").click()
    page.wait_for_function(
        "(name) => new URLSearchParams(location.search).get('slice') === name", arg=name
    )
    in_link(page, "ids", 0)
    page.reload()
    until(
        page, f"{BAR} .facts",
        f"e => e.textContent.startsWith('{count} image') && e.textContent.endsWith('· {name}')",
    )  # fmt: skip
    press(page, "Slice")
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("button", name=f"Delete {name}").wait_for(state="detached")


def test_undo__of_the_message_takes_back_its_own_step_alone(visit: Opener) -> None:
    page = visit("tab=find")
    by_search_in_find(page)
    page.wait_for_selector(f"{BAR}:not([hidden])")
    press(page, "Ban")
    in_link(page, "bans", 10)
    press(page, "Ban")
    said = "one.textContent.includes('Banned already: 10 images') && !one.querySelector('.link')"
    until(page, ".toasts", f"e => [...e.children].some((one) => {said})")
    page.get_by_label("IPC", exact=True).press("ArrowLeft")
    page.locator(".toasts").get_by_role("button", name="Undo").wait_for(state="detached")
    page.wait_for_function("location.search.includes('ipc=9')")
    assert violations(page) == []
    page.keyboard.press("Control+z")
    page.wait_for_function("!location.search.includes('ipc=')")
    in_link(page, "bans", 10)
    page.keyboard.press("Control+z")
    in_link(page, "bans", 0)
