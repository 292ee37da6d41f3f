"""The Inspect tab: maps, values, boxes, overrides and the gallery."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from support.browsing import Opener, gallery, opened, served, until, violations
from support.synthetic import draw, write_run

pytestmark = pytest.mark.browser

SHOWN = ".detail:not([hidden]) .boxes tbody tr"


def ready(page: Any) -> Any:
    page.wait_for_selector(SHOWN)
    return gallery(page)


@pytest.fixture(scope="module")
def poor_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A run of one class with one image, and of one whose images were all skipped."""
    path = tmp_path_factory.mktemp("poor") / "run"
    counts = {"disc": 1, "square": 3}
    write_run(path, counts, {"source": "gone"}, lambda c, n: None if c else draw(c, n))
    with served(path) as url:
        yield url


def image_id(page: Any) -> str:
    return str(page.locator(".detail h2").inner_text())


def shows(page: Any, image: str) -> None:
    until(page, ".detail h2", f"e => e.textContent === {image!r}")


def pixels(page: Any, selector: str) -> str:
    return str(page.locator(selector).evaluate("e => e.toDataURL()"))


def box_style(page: Any) -> dict[str, float]:
    style = page.locator(".heat-map .box.chosen").get_attribute("style")
    return {name: float(value) for name, value in re.findall(r"(\w+): ([\d.]+)%", style)}


def test_open__the_best_image_and_why(page: Any) -> None:
    ready(page)
    assert image_id(page) == page.locator(".cell[aria-current=true]").get_attribute("data-id")
    sentence = page.locator(".sentence").inner_text()
    assert re.search(
        r"rank 1 of \d+ in cluster \d+ of \d+.*; kept at IPC 10 as image 1\.$", sentence
    )
    facts = page.locator("#dsel-panel-inspect .facts").inner_text()
    for word in ("score", "margin", "rank", "cluster", "kept", "patch in the source"):
        assert word in facts
    assert page.locator(".moment").count() == 6
    assert page.locator(".curve .point").count() == 6
    assert "image=" in page.url


def test_cut__its_outline_around_the_patch(page: Any) -> None:
    ready(page)
    cut = page.locator(".heat-map .cut-box")
    assert cut.is_visible()
    assert "width: 100%" in (cut.get_attribute("style") or "")
    page.locator("[data-name=cut]").get_by_role("button", name="Patch", exact=True).click()
    cut.wait_for(state="hidden")
    assert page.locator("[data-name=context] input").is_disabled()


def test_views__each_has_its_map_and_its_legend(page: Any) -> None:
    ready(page)
    seen = set()
    for view, words in {
        "Image": "as the prior saw it",
        "Overlay": "positive gap, in % of the mean loss",
        "Conditional": "mean squared error per cell, with the class named",
        "Unconditional": "mean squared error per cell, with the null prompt",
        "Gap": "unconditional − conditional loss",
        "Difference": "squared difference of the two predictions",
    }.items():
        page.locator(".detail").get_by_role("button", name=view, exact=True).click()
        until(page, ".legend-place", f"e => e.textContent.includes({words!r})")
        assert page.locator(".heat-map canvas").is_hidden() == (view == "Image")
        seen.add(pixels(page, ".heat-map canvas"))
        if view == "Gap":
            low, middle, high = page.locator(".legend-place .ticks span").all_inner_texts()
            assert (low, middle) == (f"−{high}", "0")
    assert len(seen) == 5
    assert page.locator(".legend-place .ticks span").first.inner_text() == "0"


def test_overlay__opacity_and_the_scale_of_the_class(page: Any) -> None:
    ready(page)
    page.get_by_label("Opacity").fill("20")
    assert page.locator(".heat-map canvas").evaluate("e => e.style.opacity") == "0.2"
    assert page.locator(".opacity output").inner_text() == "20 %"
    own = page.locator(".legend-place .ticks span").last.inner_text()
    page.get_by_role("button", name="Class", exact=True).click()
    until(page, ".legend-place .ticks", f"e => e.lastChild.textContent !== {own!r}")
    of_class = page.locator(".legend-place .ticks span").last.inner_text()
    assert float(of_class.removesuffix(" %")) > float(own.removesuffix(" %"))


def test_values__of_a_click_and_of_arrow_keys(page: Any) -> None:
    ready(page)
    page.locator(".heat-map .shot").click(position={"x": 3, "y": 3})
    until(page, ".cell-values .soft", "e => e.textContent === 'row 1, column 1'")
    assert page.locator(".cell-values tbody tr").count() == 7
    assert page.locator(".cross").is_visible()
    page.locator(".heat-map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    until(page, ".cell-values .soft", "e => e.textContent === 'row 2, column 2'")


@pytest.mark.parametrize(
    ("view", "pattern"),
    [
        ("Image", r"positive gap [\d.]+ %$"),
        ("Overlay", r"positive gap [\d.]+ %$"),
        ("Conditional", r"conditional loss 0\.\d+$"),
        ("Gap", r"gap −?0"),
        ("Difference", r"difference 0"),
    ],
)
def test_hover__shows_the_quantity_of_the_legend(page: Any, view: str, pattern: str) -> None:
    ready(page)
    page.locator(".detail").get_by_role("button", name=view, exact=True).click()
    page.locator(".heat-map .shot").hover(position={"x": 5, "y": 5})
    assert re.match(pattern, page.locator(".tip").inner_text())
    legend = page.locator(".legend-place figcaption")
    if view != "Image":
        quantity = page.locator(".tip").inner_text().split(" 0")[0].split(" −")[0]
        assert legend.inner_text().startswith(re.sub(r" [\d.]+ %$", "", quantity))


def test_strip__one_timestep_alone_and_all_again(page: Any) -> None:
    ready(page)
    before = page.locator(".sentence").inner_text()
    page.get_by_role("button", name="Timestep 500, counted").click()
    until(page, "[data-name=timesteps] output", "e => e.textContent === '500'")
    until(page, ".sentence", f"e => e.textContent !== {before!r}")
    assert page.locator(".moment[aria-pressed=true]").count() == 1
    until(page, ".curve", "e => e.querySelectorAll('[aria-pressed=true]').length === 1")
    page.locator(".curve .point").nth(3).focus()
    page.keyboard.press("Enter")
    until(page, "[data-name=timesteps] output", "e => e.textContent === 'all 6'")
    until(page, ".sentence", f"e => e.textContent === {before!r}")


def test_boxes__another_one_by_a_click_and_back(page: Any) -> None:
    ready(page)
    page.get_by_label("Patch size", exact=True).fill("32")
    until(page, SHOWN, "e => e.parentElement.children.length === 5")
    best = box_style(page)
    page.get_by_role("button", name=re.compile("Choose box 2,")).click()
    until(page, ".moved", "e => !e.hidden")
    until(page, ".boxes tbody", "e => e.children[1].classList.contains('chosen')")
    assert box_style(page) != best
    assert "moved by hand" in page.locator(".sentence").inner_text()
    assert f"moves={image_id(page).replace('/', '%2F')}%40" in page.url
    page.get_by_role("button", name="Back to the best box").click()
    until(page, ".moved", "e => e.hidden")
    assert box_style(page) == best
    assert "moves" not in page.url
    page.keyboard.press("Control+z")
    until(page, ".moved", "e => !e.hidden")


def test_drag__moves_the_box_and_undo_takes_it_back(visit: Opener) -> None:
    page = ready(visit("patch_px=32&image=disc/000000"))
    before = box_style(page)
    frame = page.locator(".heat-map .box.chosen").bounding_box()
    shot = page.locator(".heat-map .shot").bounding_box()
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.mouse.down()
    page.mouse.move(shot["x"] + 1, shot["y"] + 1, steps=5)
    page.mouse.up()
    until(page, ".moved", "e => !e.hidden")
    assert (box_style(page)["left"], box_style(page)["top"]) == (0, 0)
    assert "%400%2C0" in page.url
    page.locator(".heat-map").focus()
    page.keyboard.press("Shift+ArrowRight")
    until(page, ".heat-map .box.chosen", "e => parseFloat(e.style.left) > 0")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    until(page, ".moved", "e => e.hidden")
    near = "Math.abs(parseFloat(e.style.{0}) - {1}) < 0.01".format
    back = " && ".join(near(side, before[side]) for side in ("left", "top"))
    until(page, ".heat-map .box.chosen", f"e => {back}")
    assert box_style(page) == before


def test_moved_box__that_a_larger_patch_pushes_out(visit: Opener) -> None:
    page = ready(visit("class=disc&image=disc/000000&patch_px=32&moves=disc/000000@96,96"))
    page.get_by_label("Patch size", exact=True).fill("64")
    page.wait_for_selector(".misplaced .notice")
    assert "disc/000000" in page.locator(".misplaced").inner_text()
    page.get_by_role("button", name="Back to its best box").click()
    until(page, ".misplaced", "e => e.hidden")
    until(page, ".heat-map .box.chosen", "e => e.style.width === '50%'")
    assert "moves" not in page.url


def test_keys__next_image_pin_and_ban(page: Any) -> None:
    ready(page)
    first = image_id(page)
    page.keyboard.press("ArrowRight")
    until(page, ".detail h2", f"e => e.textContent !== {first!r}")
    second = image_id(page)
    chosen = f"e => e.dataset.id === {second!r}"
    until(page, ".gallery .cell[aria-current=true]", chosen)  # both sides show it
    page.keyboard.press("p")
    until(page, ".sentence", "e => e.textContent.includes('pinned, kept')")
    page.get_by_role("button", name="Pinned", exact=True).wait_for()
    page.keyboard.press("b")
    until(page, ".sentence", "e => e.textContent.startsWith('This image is banned')")
    assert "pins" not in page.url
    until(page, ".gallery .count", "e => e.textContent === '23 patches'")
    assert page.locator(".heat-map .box.chosen").is_hidden()
    page.get_by_role("button", name="1 banned").click()
    page.get_by_role("button", name=f"Allow {second} again").click()
    until(page, ".gallery .count", "e => e.textContent === '24 patches'")
    page.keyboard.press("ArrowLeft")
    shows(page, first)


def test_keys__each_press_is_a_step(page: Any) -> None:
    ready(page)
    cells = page.locator(".gallery .cell")
    ids = cells.evaluate_all("all => all.map((e) => e.dataset.id)")
    assert image_id(page) == ids[0]
    for key in ("ArrowRight", "ArrowRight", "j", "p", "ArrowLeft", "k"):
        page.keyboard.press(key)  # without a wait
    # The fourth image is pinned: it comes first, and nothing is before it.
    shows(page, ids[3])
    until(page, ".sentence", "e => e.textContent.includes('pinned, kept')")


def test_per_image__a_switch_between_its_patches(visit: Opener) -> None:
    page = ready(visit("per_image=3&patch_px=32"))
    until(page, ".turns", "e => e.textContent === 'patch 1 of 3'")
    first = box_style(page)
    page.get_by_role("button", name="Next patch").click()
    until(page, ".turns", "e => e.textContent === 'patch 2 of 3'")
    assert box_style(page) != first
    assert "Only patch 1 can be moved" in page.locator(".boxes .hint:visible").inner_text()
    other = page.locator(".gallery .cell").nth(4)
    other.click()
    until(page, ".gallery", "e => e.querySelectorAll('.cell')[4].ariaCurrent === 'true'")
    shows(page, other.get_attribute("data-id"))
    wanted = page.locator(".gallery .cell .box").nth(4).evaluate("e => parseFloat(e.style.left)")
    until(
        page, ".heat-map .box.chosen", f"e => Math.abs(parseFloat(e.style.left) - {wanted}) < 1e-3"
    )


def test_gallery__order_cluster_and_arrow_keys(page: Any) -> None:
    ready(page)
    page.get_by_label("Order", exact=True).select_option("name")
    until(page, ".gallery .cell", "e => e.dataset.id === 'disc/000000'")
    page.get_by_role("button", name="Reverse the order").click()
    until(page, ".gallery .cell", "e => e.dataset.id === 'disc/000023'")
    page.locator(".gallery .cell").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.id") == "disc/000022"
    page.keyboard.press("Enter")
    shows(page, "disc/000022")
    page.get_by_label("Cluster", exact=True).select_option("1")
    until(page, ".gallery .cell .cluster-mark", "e => e.title === 'cluster 2'")
    assert page.locator(".gallery .cell .cluster-mark:not([title='cluster 2'])").count() == 0


def test_patch__as_large_as_the_image(visit: Opener) -> None:
    page = ready(visit("class=disc&image=disc/000000&patch_px=128"))
    assert "the only box of this size" in page.locator(".sentence").inner_text()
    assert page.locator(SHOWN).count() == 1
    assert box_style(page) == {"left": 0, "top": 0, "width": 100, "height": 100}


def test_poor_classes__one_image_and_none(chromium: Any, poor_url: str) -> None:
    with opened(chromium, poor_url) as page:
        ready(page)
        assert "rank 1 of 1" in page.locator(".sentence").inner_text()
        assert page.get_by_role("button", name="Next image (→)").is_disabled()
        page.keyboard.press("b")
        until(page, ".gallery .empty", "e => true")
        assert page.locator(".heat-map img").is_visible()
        page.keyboard.press("]")
        until(page, ".nothing", "e => !e.hidden && e.textContent.includes('3 images')")
        assert not page.get_by_label("Cluster", exact=True).is_visible()
        page.get_by_role("button", name="3 skipped").click()
        page.wait_for_selector("dialog tbody tr")
        assert page.locator("dialog tbody tr").count() == 3
        assert "is damaged: it was drawn so" in page.locator("dialog").inner_text()
        page.keyboard.press("Escape")
        page.keyboard.press("[")
        until(page, ".sentence", "e => e.textContent.startsWith('This image is banned')")


def test_patch_size__the_chosen_image_stays_and_follows(page: Any) -> None:
    ready(page)
    page.locator(".gallery .cell").nth(6).click()
    chosen = page.locator(".gallery .cell").nth(6).get_attribute("data-id")
    shows(page, chosen)
    page.get_by_label("Patch size", exact=True).fill("24")
    until(page, SHOWN, "e => e.parentElement.children.length === 5")
    assert image_id(page) == chosen


def sent(request: Any) -> list[dict[str, Any]]:
    """The requests that were sent together, if these are any."""
    lines = (request.post_data or "").split("\n") if request.url.endswith("/ask") else []
    return [json.loads(line) for line in lines]


def test_slider__one_request_answers_it(page: Any) -> None:
    ready(page)
    moved = page.expect_request(
        lambda request: any("patch_px=24" in one["view"] for one in sent(request))
    )
    with moved as found:
        page.get_by_label("Patch size", exact=True).fill("24")
    assert [one["method"] for one in sent(found.value)] == ["gallery", "image"]


def test_class__the_next_one_is_selected_ahead(page: Any) -> None:
    ready(page)
    third = page.get_by_label("Class", exact=True).locator("option").nth(2).get_attribute("value")
    ahead = page.expect_request(
        lambda request: any(one["method"] == "prepare" for one in sent(request))
    )
    with ahead as found:
        page.get_by_role("button", name="Next class").click()
    assert parse_qs(sent(found.value)[0]["view"])["class"] == [third]
    assert found.value.response().json() == {"result": {}}


@pytest.mark.parametrize("width", [1280, 1920, 390])
def test_nothing_is_cut_off(visit: Opener, width: int) -> None:
    page = ready(visit(viewport={"width": width, "height": 1080 if width == 1920 else 800}))
    page.locator(".heat-map .shot").click(position={"x": 3, "y": 3})
    until(page, ".cell-values table", "e => !e.hidden")
    wide = page.evaluate(
        "['.explanation', '.gallery', '.cell-values', '.boxes', '.strip', '.large']"
        ".flatMap((name) => [...document.querySelectorAll(name)])"
        ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className)"
    )
    assert wide == []
    assert page.evaluate("document.querySelector('.dsel').getBoundingClientRect().right") <= width
    if width > 390:
        for part in (".sentence", ".heat-map", ".legend-place"):
            frame = page.locator(part).bounding_box()
            assert frame["y"] + frame["height"] <= page.viewport_size["height"]


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = ready(visit("patch_px=32&class=bar&image=bar/000001", dark=dark))
    page.locator(".heat-map .shot").click(position={"x": 3, "y": 3})
    until(page, ".cell-values table", "e => !e.hidden")
    page.get_by_role("button", name="Gap", exact=True).click()
    assert violations(page) == []
