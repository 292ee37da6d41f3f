"""The distilled set: all of it, where each cell comes from, the overrides, the quality."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.browsing import PHONE, Opener, until, violations

from dsel.analysis.explorer import Explorer
from dsel.config import SelectSettings
from dsel.config.url import view_of
from dsel.core.cut_boxes import cut_in_proxy
from dsel.exports.base import MANIFEST
from dsel.files import read_json
from dsel.pipeline.export import export_selections
from dsel.runs import open_run

pytestmark = pytest.mark.browser

SET = "tab=distilled"
WHOLE = "e => document.querySelectorAll('.tile img[src]').length === {}"


@pytest.fixture(scope="module")
def explorer(app_run: Path) -> Explorer:
    return Explorer(open_run(app_run))


def settings_of(page: Any) -> SelectSettings:
    """The settings that the page's link means."""
    return view_of(page.url.partition("?")[2]).select


def kept(explorer: Explorer, index: int, settings: SelectSettings) -> list[str]:
    """The images of a class's kept patches, in the order of the cells."""
    selected = explorer.select(index, settings)
    images = selected.images[: settings.ipc]
    return [selected.patches[place].image_id for image in images for place in image]


def shown(page: Any, name: str) -> list[str]:
    """The images of the cells of a class's row."""
    tiles = page.locator(f".set-row[data-name='{name}'] .tile")
    return tiles.evaluate_all("all => all.map((one) => one.dataset.id)")


def choose(page: Any, number: int) -> str:
    """Click the cell of that number, and wait for what is said of it; its image."""
    page.locator(".tile").nth(number).click()
    image_id = page.locator(".tile").nth(number).get_attribute("data-id")
    until(page, ".source .id", f"e => e.textContent === '{image_id}'")
    until(page, ".source .sentence", "e => e.textContent.length > 20")
    return str(image_id)


def test_set__every_image_at_the_chosen_ipc(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=4")
    until(page, ".set-rows", WHOLE.format(12))
    for index, name in enumerate(explorer.classes):
        assert shown(page, name) == kept(explorer, index, SelectSettings(ipc=4))
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, ".set-rows", WHOLE.format(15))
    page.get_by_role("button", name="This class").click()
    until(page, ".set-rows", WHOLE.format(5))
    assert page.locator(".set-row").count() == 1


def test_set__cells_show_the_cut(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=2&patch_px=32&cut=context&context=2")
    until(page, ".set-rows", WHOLE.format(6))
    settings = SelectSettings(ipc=2, patch_px=32, cut="context", context=2.0)
    patch = explorer.select(0, settings).patches[1]
    frame = explorer.scores(0).frames[explorer.row_of(0, patch.image_id)]
    style = page.locator(".tile img").nth(1).evaluate("e => [e.style.left, e.style.width]")
    left = -100 * cut_in_proxy(patch).x / 64
    assert float(style[0].rstrip("%")) == pytest.approx(left, abs=0.01)
    assert float(style[1].rstrip("%")) == pytest.approx(100 * frame.proxy_width / 64, abs=0.01)


def test_set__a_cut_keeps_its_scale_where_it_is_not_enlarged(visit: Opener) -> None:
    page = visit(f"{SET}&ipc=2&patch_px=64&cut=patch&tile_scale=native")
    until(page, ".set-rows", WHOLE.format(6))
    canvas = page.locator(".tile canvas").first
    canvas.wait_for()
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector(".tile canvas");
          const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
          return data[3] === 255 && data[0] === data[4] && width > 2;
        }"""
    )
    page.locator("[data-name=cut]").get_by_role("button", name="Whole picture").click()
    canvas.wait_for(state="detached")
    assert page.locator("[data-name=tile_scale] .segments button").first.is_disabled()


def test_mosaics__composed_as_they_are_exported(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=2&factor=3&image_px=100")
    until(page, ".set-rows", WHOLE.format(3 * 2 * 9))
    settings = SelectSettings(ipc=2, factor=3)
    assert shown(page, "square") == kept(explorer, 1, settings)
    columns = page.locator(".mosaic").first.evaluate("e => e.style.getPropertyValue('--columns')")
    assert columns == "34fr 33fr 33fr"
    image_id = choose(page, 4)
    assert image_id == kept(explorer, 0, settings)[4]
    assert "part 5" in page.locator(".tile").nth(4).get_attribute("aria-label")


def test_click__leads_to_the_source_image(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=3")
    until(page, ".set-rows", WHOLE.format(9))
    image_id = choose(page, 4)
    settings = SelectSettings(ipc=3)
    assert image_id == kept(explorer, 1, settings)[1]
    explanation = explorer.explanation(1, image_id, settings)
    assert page.locator(".source .sentence").inner_text() == explanation.sentence
    said = page.locator(".source .figures").inner_text()
    assert re.search(r"Class\s+square", said)
    assert re.search(r"In the set\s+image 2 of 3", said)
    assert explanation.patch is not None
    assert explanation.placement is not None
    assert re.search(
        rf"Cluster\s+{explanation.patch.cluster + 1} of {explanation.placement.clusters}", said
    )
    assert "class=square" in page.url
    until(page, ".source .frame img", "e => e.naturalWidth >= 128")
    box = page.locator(".source .box").evaluate("e => e.style.left")
    frame = explorer.scores(1).frames[explorer.row_of(1, image_id)]
    left = 100 * explanation.patch.box.x / frame.proxy_width
    assert float(box.rstrip("%")) == pytest.approx(left, abs=0.01)
    page.get_by_role("button", name="Open in Inspect").click()
    until(page, "#dsel-panel-inspect", "e => !e.hidden")
    assert f"image={image_id.replace('/', '%2F')}" in page.url


def test_pin_and_ban__followed_undone_and_redone(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=3")
    until(page, ".set-rows", WHOLE.format(9))
    image_id = choose(page, 2)
    page.get_by_role("button", name="Pin", exact=True).click()
    until(page, ".tile", f"e => e.dataset.id === '{image_id}' && e.dataset.pinned === 'true'")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned')")
    page.get_by_role("button", name="Ban", exact=True).click()
    until(page, ".source .sentence", "e => e.textContent.includes('This image is banned')")
    until(page, ".overrides-line", "e => e.textContent.includes('1 banned')")
    settings = settings_of(page)
    assert (settings.pins, settings.bans) == ((), (image_id,))
    until(page, ".tile", f"e => e.dataset.id !== '{image_id}'")
    assert image_id not in shown(page, "disc")
    page.keyboard.press("Control+z")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned')")
    page.keyboard.press("Control+z")
    until(page, ".overrides-line", "e => e.textContent.includes('No manual overrides')")
    page.keyboard.press("Control+Shift+Z")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned')")
    until(page, ".tile", f"e => e.dataset.id === '{image_id}' && e.dataset.pinned === 'true'")
    page.get_by_role("button", name="Unpin").click()
    until(page, ".overrides-line", "e => e.textContent.includes('No manual overrides')")


def test_replace__one_step_that_the_manifest_records(
    visit: Opener, explorer: Explorer, tmp_path: Path
) -> None:
    page = visit(f"{SET}&ipc=3")
    until(page, ".set-rows", WHOLE.format(9))
    gone = choose(page, 1)
    page.get_by_role("button", name="Replace…").click()
    offers = page.locator("dialog .candidate")
    offers.first.wait_for()
    taken = offers.first.get_attribute("title")
    assert f"{gone} is banned" in page.locator("dialog p").first.inner_text()
    offers.first.click()
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned, 1 banned')")
    until(page, ".tile", f"e => e.dataset.id === '{taken}'")
    settings = settings_of(page)
    assert (settings.pins, settings.bans) == ((taken,), (gone,))
    assert shown(page, "disc") == kept(explorer, 0, settings)
    selections = [explorer.select(index, settings) for index in range(3)]
    export = view_of("").export
    for _ in export_selections(explorer.run, selections, settings, tmp_path / "out", export):
        pass
    assert read_json(tmp_path / "out" / MANIFEST)["overrides"] == {
        "pins": [taken], "bans": [gone], "moves": [],
    }  # fmt: skip
    page.keyboard.press("Control+z")
    until(page, ".overrides-line", "e => e.textContent.includes('No manual overrides')")
    until(page, ".tile:not([title*='pinned'])", f"e => e.dataset.id !== '{taken}'")
    page.keyboard.press("Control+Shift+Z")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned, 1 banned')")


def test_overrides__listed_and_removed(visit: Opener) -> None:
    hand = "pins=disc/000003&bans=square/000001&bans=bar/000002&moves=disc/000005@0,0"
    page = visit(f"{SET}&ipc=3&{hand}")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned, 2 banned, 1 moved')")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Remove: square/000001 banned").click()
    until(page, ".overrides-list", "e => e.children.length === 3")
    assert settings_of(page).bans == ("bar/000002",)
    page.get_by_role("button", name="Remove all").click()
    until(page, ".overrides-list", "e => e.textContent.includes('No manual overrides')")
    page.locator("dialog").get_by_role("button", name="Close").click()
    assert not settings_of(page).overrides
    page.keyboard.press("Control+z")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned, 1 banned, 1 moved')")


def test_moved_box__that_sticks_out_can_be_dropped(visit: Opener) -> None:
    page = visit(f"{SET}&ipc=3&moves=disc/000000@80,0&patch_px=32")
    until(page, ".set-rows", WHOLE.format(9))
    page.get_by_label("Patch size", exact=True).press("End")
    until(page, ".notice.bad", "e => e.textContent.includes('disc/000000')")
    page.get_by_role("button", name="Remove 1 override that does not fit").click()
    until(page, ".set-main", "e => !e.querySelector('.notice.bad')")
    assert settings_of(page).moves == ()


def test_keys__arrows_pin_ban_and_escape(visit: Opener) -> None:
    page = visit(f"{SET}&ipc=3")
    until(page, ".set-rows", WHOLE.format(9))
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    focused = "() => [...document.querySelectorAll('.tile')].indexOf(document.activeElement)"
    assert page.evaluate(focused) == 1
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == 4
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == 1
    page.keyboard.press("p")
    until(page, ".overrides-line", "e => e.textContent.includes('1 pinned')")
    page.keyboard.press("Enter")
    until(page, ".source", "e => !e.hidden")
    page.keyboard.press("Escape")
    until(page, ".source", "e => e.hidden")
    page.keyboard.press("b")
    until(page, ".overrides-line", "e => e.textContent.includes('1 banned')")


def test_quality__the_explorers_figures(visit: Opener, explorer: Explorer) -> None:
    page = visit(f"{SET}&ipc=6&patch_px=40")
    settings = SelectSettings(ipc=6, patch_px=40)
    whole = explorer.quality_overall(settings)
    until(page, ".tiles", "e => e.textContent.includes('18 of 18')")
    until(page, ".tiles", "e => e.textContent.includes('about')")
    strip = page.locator(".tiles").inner_text()
    assert f"{whole.coverage_distance:.3f}" in strip
    assert f"{whole.clusters_covered} of {whole.clusters}" in strip
    page.get_by_text("Figures of each class").click()
    table = page.locator(".per-class tbody")
    assert [line.split()[0] for line in table.locator("tr").all_inner_texts()] == [
        "disc", "square", "bar",
    ]  # fmt: skip
    for index, name in enumerate(explorer.classes):
        line = table.locator("tr").nth(index).inner_text()
        figures = explorer.quality(index, settings)
        assert line.startswith(name)
        assert f"{figures.coverage_distance:.3f}" in line
        assert f"{figures.clusters_covered} of {figures.clusters}" in line
        assert "about" in line
    page.get_by_role("button", name="Coverage distance").click()
    found = [explorer.quality(n, settings) for n in range(3)]
    distances = {one.coverage_distance: one.name for one in found}
    assert table.locator("th").all_inner_texts() == [distances[one] for one in sorted(distances)]


def test_short__reported_and_fixed(visit: Opener) -> None:
    page = visit(f"{SET}&ipc=30")
    until(page, ".notice", "e => e.textContent.includes('3 classes fall short of IPC 30')")
    assert "disc (24)" in page.locator(".notice").inner_text()
    page.get_by_role("button", name="IPC 24").click()
    until(page, ".set-main", "e => !e.querySelector('.notice')")
    until(page, ".tiles", "e => e.textContent.includes('72 of 72')")
    assert settings_of(page).ipc == 24


def test_near_duplicates__side_by_side(visit: Opener, explorer: Explorer) -> None:
    settings = next(
        one for size in (128, 120, 112, 96) for ipc in (24, 16)
        if explorer.quality_overall(one := SelectSettings(ipc=ipc, patch_px=size)).near_duplicates
    )  # fmt: skip
    page = visit(f"{SET}&ipc={settings.ipc}&patch_px={settings.patch_px}")
    count = explorer.quality_overall(settings).near_duplicates
    until(page, ".tiles", "e => e.querySelector('button')")
    page.locator(".tiles button").click()
    page.locator("dialog .pairs li").first.wait_for()
    assert page.locator("dialog .pairs li").count() == count
    page.locator("dialog .pairs li").first.get_by_role("button", name="Ban").last.click()
    until(page, ".overrides-line", "e => e.textContent.includes('1 banned')")


def test_phone__the_source_in_a_dialog(visit: Opener) -> None:
    page = visit(f"{SET}&ipc=3", viewport=PHONE)
    page.locator(".tile img[src]").first.wait_for()
    assert page.evaluate("document.querySelector('.set').getBoundingClientRect().right") <= 390
    choose(page, 1)
    assert page.locator("dialog .source").is_visible()
    page.keyboard.press("Escape")
    until(page, ".dsel", "e => !e.querySelector('dialog')")


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = visit(f"{SET}&ipc=30&factor=2&pins=disc/000001", dark=dark)
    until(page, ".notice", "e => e.textContent.includes('short')")
    choose(page, 1)
    page.get_by_text("Figures of each class").click()
    until(page, ".tiles", "e => e.textContent.includes('about')")
    assert violations(page) == []
    page.get_by_role("button", name="Replace…").click()
    page.locator("dialog .candidate, dialog .empty").first.wait_for()
    assert violations(page) == []
