"""What somebody meets who opens the page for the first time: one test per surprise of a visit."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from support.browsing import PHONE, SEEN, SETTLED, Opener, gallery, painted, until, violations

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
    assert "pins are left out whose image is not in this run: cat/1" in notes
    assert "There is no tab plots: Inspect is shown" in notes
    assert "class 'square' has no scored image 'square/9999'" in notes
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


# What the page says


def test_sentence__figures_are_reconcilable(page: Any) -> None:
    """The headline's gap, the score, the curve's mean and the legend have one unit."""
    ready(page)
    sentence = page.locator(SENTENCE).inner_text()
    saved, before, after = map(
        float,
        re.match(
            r"Naming the class lowers the loss inside this patch by ([\d.]+) %, "
            r"from ([\d.]+) to ([\d.]+)\. ",
            sentence,
        ).groups(),  # type: ignore[union-attr]
    )
    assert 100 * (before - after) / before == pytest.approx(saved, abs=0.2)
    gap = re.search(r"Its positive gap of ([\d.]+ %) of the mean loss", sentence)
    best = page.locator(".boxes tbody tr").first.locator("td.figure").first.inner_text()
    assert gap
    assert float(gap[1].rstrip(" %")) == pytest.approx(float(best.partition(" %")[0]), rel=0.06)
    score = page.locator(".facts dd").first.inner_text()
    assert score.endswith("% of the mean loss")
    hint = page.locator(".strip > .hint").inner_text()
    mean = re.search(r"Their mean is ([\d.]+) %: the score", hint)
    assert mean
    assert float(mean[1]) == pytest.approx(float(score.split()[0]), abs=0.01)
    for place in (".legend-place", ".strip-legend"):
        assert "in % of the mean loss" in page.locator(place).inner_text()
    assert "Scores in % of the mean loss" in page.locator(".gallery-note").first.inner_text()


def test_ranks__that_scores_do_not_explain_have_a_reason(page: Any) -> None:
    ready(page)
    assert "By rank, clusters take turns." in page.locator(".gallery-note").first.inner_text()
    labels = page.locator(".gallery .cell").evaluate_all("es => es.map((e) => e.ariaLabel)")
    scores = [float(re.search(r"score (−?[\d.]+)", one)[1].replace("−", "-")) for one in labels]
    first = next(n for n, (one, other) in enumerate(pairwise(scores)) if one < other)
    page.locator(".gallery .cell").nth(first).click()
    until(
        page, "#dsel-panel-inspect .facts", "e => e.textContent.includes('(clusters take turns)')"
    )
    until(page, SENTENCE, "e => e.textContent.includes('in all, since clusters take turns')")
    across = page.locator("[data-name=across]")
    across.get_by_role("button", name="Pooled").click()
    until(page, ".gallery-note", "e => !e.textContent.includes('take turns')")
    until(page, "#dsel-panel-inspect .facts", "e => !e.textContent.includes('take turns')")


def test_intro__one_sentence_that_follows_the_tab_and_is_closed_for_good(page: Any) -> None:
    ready(page)
    intro = page.locator(".intro")
    assert "dsel keeps the few images of a large dataset" in intro.inner_text()
    assert "here are the images of disc" in intro.inner_text()
    page.get_by_role("tab", name="Export").click()
    until(page, ".intro", "e => e.textContent.includes('here you export them')")
    intro.get_by_role("button", name="Close the introduction").click()
    page.reload()
    page.wait_for_selector(".panel:not([hidden])")
    assert not intro.is_visible()


def test_intro__is_as_high_as_its_text_on_a_phone(visit: Opener) -> None:
    page = visit("tab=compare", viewport=PHONE)
    intro = page.locator(".intro")
    intro.wait_for()
    assert "what two settings choose differently" in intro.inner_text()
    assert intro.bounding_box()["height"] < 120
    assert page.locator("#dsel-panel-compare").bounding_box()["y"] < 300


def test_help_texts__speak_of_what_the_slider_shows(page: Any) -> None:
    ready(page)
    texts = page.locator(".side .help").all_text_contents()
    assert len(texts) > 10
    assert not [one for one in texts if re.search(r"\b0 is\b|\bempty\b|\bauto\b", one)]


# The keyboard, the wheel, the finger


def test_skip_link__leads_to_the_content_of_one_main(page: Any) -> None:
    ready(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "dsel-stage"
    assert "#" not in page.url
    assert page.locator("main, [role=main]").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("Boolean(document.activeElement.closest('#dsel-stage'))")


RANGE = "(() => document.querySelector('.plot-canvas')._fullLayout.xaxis.range)()"


def test_clusters__the_wheel_zooms(visit: Opener) -> None:
    page = visit("tab=clusters")
    gallery(page)
    painted(page)
    before = page.evaluate(RANGE)
    is_nearer = f"([a, b]) => {{ const [c, d] = {RANGE}; return d - c < 0.98 * (b - a); }}"
    for _ in range(20):  # a plot that was just painted may not listen yet
        page.locator(".plot-field").hover()
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(500)
        if page.evaluate(is_nearer, before):
            break
    assert page.evaluate(is_nearer, before)
    zoomed = page.evaluate(RANGE)
    page.get_by_role("button", name="Show all points").click()
    page.wait_for_function(
        f"([a, b]) => {{ const [c, d] = {RANGE}; return d - c > 1.02 * (b - a); }}", arg=zoomed
    )


@pytest.mark.parametrize(
    ("tab", "part"), [("clusters", ".plot-field"), ("inspect", ".heat-map .shot")]
)
def test_phone__a_swipe_scrolls(chromium: Any, app_url: str, tab: str, part: str) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    context.add_init_script(SEEN)
    page = context.new_page()
    page.goto(f"{app_url}/?tab={tab}")
    page.wait_for_selector(SETTLED)
    gallery(page)
    painted(page)
    box = page.locator(part).bounding_box()
    devtools = context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, min(box["y"] + box["height"] / 2, 700)
    devtools.send("Input.dispatchTouchEvent", touch("touchStart", x, y))
    for step in range(1, 13):
        devtools.send("Input.dispatchTouchEvent", touch("touchMove", x, y - 20 * step))
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("scrollY > 100")
    assert "moves=" not in page.url
    context.close()


def touch(kind: str, x: float, y: float) -> dict[str, Any]:
    return {"type": kind, "touchPoints": [{"x": x, "y": y}]}


def test_clusters__more_than_ten_are_told_apart(visit: Opener) -> None:
    page = visit("tab=clusters&clusters=14&ipc=24")
    gallery(page, 24)
    painted(page)
    marks = """() => [...document.querySelectorAll('#dsel-panel-clusters .cell')].map((cell) => {
        const cluster = cell.ariaLabel.match(/cluster (\\d+)/)[1];
        const path = cell.querySelector('.cluster-mark path');
        return [cluster, path.getAttribute('d') + path.getAttribute('fill')];
    })"""
    found = page.evaluate(marks)
    assert len({cluster for cluster, _ in found}) == 14
    assert len({mark for _, mark in found}) == 14
    assert len({tuple(one) for one in found}) == 14


# Maps, mosaics, swaps


def test_palettes__are_chosen_and_remembered(page: Any) -> None:
    ready(page)
    drawn = {}
    choice = page.get_by_label("Colours of the map")
    for name in ("red", "viridis", "cividis", "dim"):
        choice.select_option(name)
        for place, value, seen in (
            (".legend-place .bar", "style.background", [bar for bar, _ in drawn.values()]),
            (".heat-map canvas", "toDataURL()", [map_ for _, map_ in drawn.values()]),
        ):
            until(page, place, f"e => !{json.dumps(seen)}.includes(e.{value})")
        bar = page.locator(".legend-place .bar").evaluate("e => e.style.background")
        drawn[name] = bar, page.locator(".heat-map canvas").evaluate("e => e.toDataURL()")
    assert len({bar for bar, _ in drawn.values()}) == len({map_ for _, map_ in drawn.values()}) == 4
    page.reload()
    ready(page)
    assert choice.input_value() == "dim"
    assert "dim" in page.locator(".heat-map canvas").get_attribute("class")


def test_mosaics__repeated_tiles_are_counted_marked_and_avoided(visit: Opener) -> None:
    page = visit("tab=distilled&factor=2&ipc=6&clusters=6")
    until(page, ".set-main", "e => e.textContent.includes('a patch of the set, marked')")
    marked = page.locator(".tile .times:not(:empty)")
    assert marked.count() > 0
    assert re.match(r"\d ×", marked.first.inner_text())
    label = marked.first.locator("xpath=..").get_attribute("aria-label") or ""
    assert re.search(r"repeated: \d tiles show it", label)
    assert re.search(r"\d+ repeated tile", page.locator(".set-rows").inner_text())
    use = page.locator(".set-main .notice button")
    use.wait_for()
    use.click()
    until(page, ".set-main", "e => !e.querySelector('.times:not(:empty)')")
    until(page, ".set-main", "e => !e.textContent.includes('a patch of the set, marked')")


def test_swap__says_what_else_it_changes(visit: Opener) -> None:
    page = visit("tab=distilled&ipc=5")
    page.wait_for_selector(".tile")
    painted(page)
    page.locator(".tile").first.click()
    page.get_by_role("button", name="Replace…").click()
    page.wait_for_selector("dialog .candidate .effect")
    texts = page.locator("dialog .effect").all_inner_texts()
    pattern = r"changes nothing else|this also changes \d+ other images? of the set"
    assert len(texts) == page.locator("dialog .candidate").count()
    assert all(re.fullmatch(pattern, text) for text in texts)
    number = re.search(r"changes (\d+)", texts[0])
    before = tiles(page)
    page.locator("dialog .candidate").first.click()
    page.wait_for_function("() => location.search.includes('bans=')")
    painted(page)
    until(page, ".set-rows", "e => !e.hasAttribute('aria-busy')")
    joined = set(tiles(page)) - set(before)
    assert len(joined) - 1 <= int(number[1] if number else 0)


def tiles(page: Any) -> list[str]:
    """The images of the first class."""
    found = page.locator(".set-row").first.locator(".tile")
    return [str(one) for one in found.evaluate_all("es => es.map((e) => e.dataset.id)")]


def test_export__names_near_duplicates(visit: Opener) -> None:
    page = visit("tab=export")
    until(page, ".summary", "e => /Near-duplicates: (none|\\d+ pairs?)/.test(e.textContent)")


TABS = (
    "inspect", "map", "find", "clusters", "distilled", "compare", "baselines", "evaluate", "score",
    "export",
)  # fmt: skip


@pytest.mark.parametrize("tab", TABS)
def test_axe__nothing_serious_in_any_tab(visit: Opener, tab: str) -> None:
    page = visit(f"tab={tab}&clusters=14&factor=2", dark=tab in TABS[::2])
    page.wait_for_selector(f"#dsel-panel-{tab} *")
    painted(page)
    assert violations(page) == []
