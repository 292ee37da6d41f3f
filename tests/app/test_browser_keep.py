"""Keeping and sharing: pictures, the report, runs, the replay of draws; and comfort."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.browsing import (
    LONG_MS,
    PHONE,
    Opener,
    fits,
    free_port,
    gallery,
    job_server,
    opened,
    opener,
    served_at,
    until,
    violations,
)
from support.toyset import draw_picture

pytestmark = pytest.mark.browser

SETTLING = "#dsel-panel-inspect .settling"


@pytest.fixture(scope="module")
def job_url(app_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with job_server(app_run, tmp_path_factory.mktemp("keeping")) as url:
        yield url


@pytest.fixture
def scoring(chromium: Any, job_url: str) -> Iterator[Opener]:
    """Pages of an app with jobs of its own."""
    ready = "form.score-form"
    yield from opener(chromium, job_url, lambda page: page.wait_for_selector(ready), "tab=score")


def saved(page: Any, button: Any) -> tuple[str, bytes]:
    """The name and the content of the file that a button saves."""
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def score_picture(page: Any) -> None:
    """Score one image in four draws, and open its run."""
    stream = io.BytesIO()
    Image.fromarray(draw_picture(0, 0, 0)).save(stream, "png")
    file = {"name": "cat.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    page.locator(".pane:visible input[type=file]").set_input_files(file)
    page.get_by_label("Class name", exact=True).fill("cat")
    page.locator("form.score-form [data-name=timesteps] input").fill("300 600")
    page.locator("form.score-form button[type=submit]").click()
    show = page.get_by_role("button", name="Show cat.png as cat")
    show.wait_for(timeout=LONG_MS)


# The noise


def test_settling__over_timesteps_with_errors_and_a_chance(visit: Opener) -> None:
    page = gallery(visit())
    page.locator(f"{SETTLING} summary").click()
    until(page, f"{SETTLING} output", "e => e.textContent === 'timesteps 200 to 700'")
    assert page.get_by_role("button", name="Draws", exact=True).count() == 0
    facts = page.locator(f"{SETTLING} dl").inner_text()
    assert "± " in facts
    assert "chance that box 2 is better" in facts
    assert "overlap with the chosen box\n100 %" in facts
    page.locator(f"{SETTLING} input[type=range]").fill("0")
    until(page, f"{SETTLING} output", "e => e.textContent === 'timestep 200'")
    page.get_by_role("button", name="Each timestep alone").click()
    page.locator(f"{SETTLING} .step").nth(2).click()
    until(page, f"{SETTLING} output", "e => e.textContent === 'timestep 400'")
    assert violations(page) == []
    page.reload()
    gallery(page)
    until(page, SETTLING, "e => e.open")


def test_errors__of_boxes_and_of_timesteps(visit: Opener) -> None:
    page = gallery(visit())
    until(page, "#dsel-panel-inspect .boxes .error", "e => e.textContent.startsWith('± ')")
    label = page.locator("#dsel-panel-inspect .curve .point").first.get_attribute("aria-label")
    assert " ± " in label
    assert page.locator("#dsel-panel-inspect .curve line.error").count() == 6


def test_settling__replays_the_draws_of_one_picture(scoring: Opener) -> None:
    page = scoring(dark=True)
    score_picture(page)
    page.get_by_role("button", name="Show cat.png as cat").click()
    page.locator(f"{SETTLING} summary").click()
    page.get_by_role("button", name="Draws", exact=True).click()
    until(page, f"{SETTLING} output", "e => e.textContent === '2 draws of 2'")
    score = page.locator(f"{SETTLING} dd").first.inner_text()
    chosen = page.locator("#dsel-panel-inspect .facts dd").first.inner_text()
    assert score == chosen
    page.locator(f"{SETTLING} input[type=range]").fill("0")
    until(page, f"{SETTLING} output", "e => e.textContent === '1 draw of 2'")
    assert "±" not in page.locator(f"{SETTLING} dd").first.inner_text()
    assert violations(page) == []


# Saving


@pytest.mark.parametrize("dark", [False, True])
def test_picture__of_inspect_with_its_title_and_scale(visit: Opener, dark: bool) -> None:
    page = gallery(visit(dark=dark))
    until(page, "#dsel-panel-inspect .heat-map img", "e => e.naturalWidth > 0")
    name, svg = saved(page, page.get_by_role("button", name="Save the picture as SVG"))
    title = page.locator("#dsel-panel-inspect .head-line h2").inner_text()
    assert name == f"{title.replace('/', '-')}-overlay.svg"
    text = svg.decode()
    for part in (title, "Overlay", "of the mean loss", "linearGradient"):
        assert part in text
    assert text.count("<image ") == 3
    assert 'href="data:image/' in text
    assert "blob:" not in text
    name, png = saved(page, page.get_by_role("button", name="Save the picture as PNG"))
    assert name.endswith(".png")
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert image.size[0] == 2064
    ground = image.getpixel((4, 4))
    assert (max(ground) < 60) is dark
    assert len(image.getcolors(1 << 24)) > 1000


def test_picture__of_a_comparison(visit: Opener) -> None:
    page = visit("tab=compare&a=patch_px%3D32")
    until(page, "#dsel-panel-compare .wipe canvas", "e => !e.hidden")
    panel = page.locator("#dsel-panel-compare")
    name, svg = saved(page, panel.get_by_role("button", name="Save the picture as SVG"))
    assert name.endswith("-A-and-B.svg")
    assert svg.decode().count("<image ") == 4
    assert "one scale for A and B" in svg.decode()


def test_report__is_saved_from_the_export_tab(visit: Opener) -> None:
    page = visit("tab=export&ipc=3")
    button = page.get_by_role("button", name="Save the report")
    button.wait_for()
    with page.expect_download(timeout=LONG_MS) as download:
        button.click()
    name, html = download.value.suggested_filename, Path(download.value.path()).read_bytes()
    assert name == "dsel-report.html"
    text = html.decode()
    assert "distilled to 3 images per class" in text
    assert "http:" not in text
    assert "https:" not in text
    job = page.locator("#dsel-panel-export .report .job")
    job.get_by_role("heading", name="report of 3 classes at IPC 3").wait_for()
    page.reload()
    link = page.locator("#dsel-panel-export .report a[download]")
    link.wait_for()
    assert saved(page, link) == (name, html)


# Runs


def test_run__renamed_and_deleted_after_a_question(scoring: Opener) -> None:
    page = scoring()
    score_picture(page)
    row = page.locator(".run-row", has=page.get_by_role("button", name="Rename cat.png as cat"))
    row.first.wait_for()
    row.first.get_by_role("button", name="Rename cat.png as cat").click()
    page.get_by_label("Name", exact=True).fill("my cat")
    page.keyboard.press("Enter")
    renamed = page.locator(".run-row", has=page.get_by_role("heading", name="my cat", exact=True))
    renamed.wait_for()
    delete = renamed.get_by_role("button", name="Delete my cat", exact=True)
    delete.click()
    assert "cannot be undone" in page.locator("dialog").inner_text()
    page.get_by_role("button", name="Keep it").click()
    assert renamed.count() == 1
    delete.click()
    page.locator("dialog").get_by_role("button", name="Delete", exact=True).click()
    renamed.wait_for(state="detached")
    page.reload()
    page.wait_for_selector("form.score-form")
    assert renamed.count() == 0


# Comfort


def test_settings__fold_and_stay_folded(visit: Opener) -> None:
    page = gallery(visit())
    page.get_by_role("button", name="Hide the settings (s)").click()
    until(page, ".side", "e => e.offsetWidth === 0")
    page.reload()
    gallery(page)
    until(page, ".side", "e => e.offsetWidth === 0")
    page.get_by_role("button", name="Settings", exact=True).click()
    until(page, ".side", "e => e.offsetWidth > 0")
    page.locator("body").press("s")
    until(page, ".side", "e => e.offsetWidth === 0")
    assert violations(page) == []


def test_page__compact(visit: Opener) -> None:
    page = gallery(visit())
    height = page.locator(".side .widget").first.bounding_box()["height"]
    page.locator("body").press("d")
    until(page, ".dsel", "e => e.classList.contains('compact')")
    assert page.locator(".side .widget").first.bounding_box()["height"] < height
    assert fits(page)
    assert violations(page) == []
    page.reload()
    gallery(page)
    pressed = page.get_by_role("button", name="Compact page (d)").get_attribute("aria-pressed")
    assert pressed == "true"


def test_page__folded_and_compact_on_a_phone(visit: Opener) -> None:
    page = gallery(visit(viewport=PHONE))
    page.locator("body").press("d")
    page.locator("body").press("s")
    assert fits(page)
    page.get_by_role("button", name="Settings", exact=True).click()
    until(page, ".side", "e => e.offsetWidth > 0")
    assert fits(page)


def test_fields__a_decimal_comma(scoring: Opener) -> None:
    page = scoring()
    page.get_by_text("More settings").last.click()
    draws = page.get_by_label("Draws per timestep", exact=True)
    draws.fill("0,5")
    page.get_by_role("button", name="Toybox scenes").click()
    page.locator("form.score-form button[type=submit]").click()
    until(page, ".form-problem", "e => !e.hidden && e.textContent.includes('got 0.5')")
    draws.fill("1,000")
    page.locator("form.score-form button[type=submit]").click()
    until(page, ".form-problem", "e => e.textContent.includes('1,000')")


def test_export__a_side_with_a_comma_is_not_a_larger_one(visit: Opener) -> None:
    page = visit("tab=export")
    side = page.get_by_label("Another image size in px")
    side.fill("12,8")
    side.press("Tab")
    until(page, "#dsel-panel-export .widget .value", "e => e.textContent === '128 px'")
    assert "image_px" not in page.url
    assert side.input_value() == ""


def test_help__lists_the_keys(visit: Opener) -> None:
    page = gallery(visit())
    page.locator("body").press("?")
    text = page.locator("dialog.help").inner_text()
    for words in ("Hide or show the settings", "Compact or roomy page", "Undo; with Shift, redo"):
        assert words in text


def test_examples__only_in_the_demo(visit: Opener) -> None:
    assert gallery(visit()).get_by_role("button", name="Things to try").count() == 0


def test_app__that_is_started_again_is_found_again(
    chromium: Any, app_run: Path, tmp_path: Path
) -> None:
    """The page says that it waits, keeps its settings, and lists its jobs again."""
    port = free_port()
    paths = {"DSEL_JOBS": str(tmp_path / "jobs"), "GRADIO_TEMP_DIR": str(tmp_path / "gradio")}
    with ExitStack() as stack:
        with served_at(app_run, port, **paths) as url:
            found = opened(chromium, url, "tab=score&ipc=3", allow=("net::ERR_", "WebSocket"))
            page = stack.enter_context(found)
            page.wait_for_selector("form.score-form")
            score_picture(page)
        page.get_by_role("tab", name="Export").click()
        until(page, ".lost", "e => !e.hidden")
        stack.enter_context(served_at(app_run, port, **paths))
        until(page, ".lost", "e => e.hidden")
        until(page, ".toasts", "e => e.textContent.includes('answers again')")
        assert "ipc=3" in page.url
        page.get_by_role("tab", name="Score").click()
        page.get_by_role("heading", name="cat.png as cat", exact=True).first.wait_for()
