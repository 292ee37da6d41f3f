"""The Score tab: sources, jobs that run, stop and are found again, and runs that open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browsing import (
    LONG_MS,
    PHONE,
    WIDE,
    Opener,
    fits,
    job_server,
    opener,
    until,
    violations,
)
from support.score_form import FORM, begin, choose, give, picture, quick, zipped

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def job_url(app_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app with jobs and uploads of its own."""
    with job_server(app_run, tmp_path_factory.mktemp("scoring")) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, job_url: str) -> Iterator[Opener]:
    yield from opener(chromium, job_url, lambda page: page.wait_for_selector(FORM), "tab=score")


def fail(page: Any) -> None:
    """Start a job whose prior does not exist."""
    choose(page, "Toybox scenes")
    page.locator(f"{FORM} [data-name=prior] input").fill("./no-such-prior")
    begin(page)
    page.wait_for_selector(".job[data-state=failed]", timeout=LONG_MS)


def run_row(page: Any, name: str) -> Any:
    return page.locator(".run-row", has=page.get_by_role("heading", name=name, exact=True))


def opens(route: Any) -> bool:
    """Whether a request asks for the view that a run opens with."""
    return '"start"' in (route.request.post_data or "")


def test_zip__is_scored_and_its_run_opens(visit: Opener) -> None:
    page = visit()
    choose(page, "Zip of class folders")
    assert "One folder per class" in page.locator(".pane:visible").inner_text()
    files = {"cat/1.png": picture(), "cat/2.png": picture(2), "dog/1.png": picture(1)}
    give(page, "pets.zip", zipped({**files, "dog/broken.png": b"no picture"}))
    quick(page)
    begin(page)
    row = run_row(page, "pets.zip")
    row.wait_for(timeout=LONG_MS)
    assert "3 images" in row.inner_text()
    row.get_by_role("button", name="1 skipped").click()
    assert "dog/broken.png" in page.locator("dialog").inner_text()
    assert "is text, not an image" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Open pets.zip").click()
    until(page, ".pick select", "e => [...e.options].map((o) => o.value).join() === 'cat,dog'")
    until(page, "#dsel-panel-inspect .gallery", "e => e.querySelectorAll('.cell').length === 2")
    assert "run=" in page.url
    page.get_by_role("tab", name="Score").click()
    until(page, ".run-row[aria-current]", "e => e.textContent.includes('pets.zip')")
    page.locator(".run-row").first.get_by_role("button", name="Open").click()
    until(page, ".pick select", "e => e.value === 'disc'")
    assert "run=" not in page.url


def test_zip__its_true_boxes_give_hit_rates_and_a_filter(visit: Opener) -> None:
    page = visit()
    choose(page, "Zip of class folders")
    names = ["cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"]
    images = [
        {"id": n, "file_name": name, "width": 40, "height": 36} for n, name in enumerate(names)
    ]
    objects = [{"id": n, "image_id": n, "bbox": [4, 4, 12, 12]} for n in range(4)]
    boxes = json.dumps({"images": images, "annotations": objects}).encode()
    files = {name: picture(n) for n, name in enumerate(names)}
    give(page, "boxed.zip", zipped({**files, "boxes.json": boxes}))
    quick(page)
    begin(page)
    open_run = run_row(page, "boxed.zip").get_by_role("button", name="Open")
    open_run.wait_for(timeout=LONG_MS)
    # The tab that is chosen while the run opens stays.
    held: list[Any] = []
    page.route("**/ask", lambda route: held.append(route) if opens(route) else route.continue_())
    open_run.click()
    page.get_by_role("tab", name="Baselines").click()
    until(page, "#dsel-panel-baselines", "e => !e.hidden")
    for _ in range(LONG_MS // 20):
        if held:
            break
        page.wait_for_timeout(20)
    held.pop().continue_()
    until(page, ".boxes-fit", "e => e.textContent === '4 of the run\\'s 4 images have a true box.'")
    until(page, ".meter-value", "e => e.textContent.endsWith('%')")
    page.get_by_role("tab", name="Find").click()
    page.get_by_label("True boxes").wait_for()


CONTENTS = f"{FORM} .source-contents"


def test_contents__of_a_zip_are_shown_before_its_job(visit: Opener) -> None:
    page = visit()
    choose(page, "Zip of class folders")
    assert page.locator(CONTENTS).is_hidden()
    names = ["Training/9/1.png", "Training/9/2.png", "Training/10/1.png", "Testing/9/3.png"]
    files = {**dict.fromkeys(names, picture()), "Training/9/1.txt": b"a caption"}
    give(page, "pets.zip", zipped({**files, "classes.json": b'["<b>cat</b>", "dog"]'}))
    until(page, CONTENTS, "e => e.querySelectorAll('.class-counts li').length === 2")
    text = page.locator(CONTENTS).inner_text()
    assert "Split Training · 2 classes · 3 images" in text
    assert [" ".join(one.split()) for one in page.locator(f"{CONTENTS} li").all_inner_texts()] == [
        "<b>cat</b> 2", "dog 1",
    ]  # fmt: skip
    assert "Prompt of <b>cat</b>: “An image of <b>cat</b>.” · Null prompt: “An image of .”" in text
    assert "Note: the split Training is read, and not Testing." in text
    assert "Note: 1 file is no picture by its name and is left out, such as 9/1.txt." in text
    assert page.locator(".estimate").inner_text().startswith("3 images × ")
    page.get_by_label("Most per class", exact=True).fill("1")
    until(page, CONTENTS, "e => e.textContent.includes('2 classes · 2 images')")
    page.get_by_label("Prompt", exact=True).fill("a {class}")
    until(
        page, CONTENTS, "e => e.textContent.includes('“a dog”') || e.textContent.includes('“a <b>')"
    )
    assert not page.locator(".job").count()
    assert not violations(page)


def test_contents__that_are_refused_start_no_job(visit: Opener) -> None:
    page = visit(dark=True)
    choose(page, "Zip of class folders")
    give(page, "yolo.zip", zipped({"images/1.png": picture(), "labels/1.txt": b"0 .5 .5 1 1"}))
    until(page, f"{CONTENTS} .notice", "e => e.textContent.includes('looks like a YOLO dataset')")
    begin(page)
    until(page, ".form-problem", "e => !e.hidden && e.textContent.includes('a YOLO dataset')")
    assert "/" not in page.locator(f"{CONTENTS} .notice").inner_text()
    assert not page.locator(".job").count()


def test_picture__with_a_class_name_waits_to_be_opened(visit: Opener) -> None:
    page = visit()
    begin(page)
    until(page, ".form-problem", "e => !e.hidden && e.textContent.startsWith('Choose an image')")
    give(page, "my cat.png", picture(), "image/png")
    until(page, ".zone img", "e => !e.hidden && e.naturalWidth > 0")
    begin(page)
    until(page, ".form-problem", "e => !e.hidden && e.textContent.startsWith('Enter a class name')")
    page.get_by_label("Class name", exact=True).fill("a <b>snowman</b> & co")
    quick(page)
    assert "1 image × 1 timestep × 2 draws × 2 = 4 evaluations" in page.locator(FORM).inner_text()
    begin(page)
    show = page.get_by_role("button", name="Show my cat.png as a <b>snowman</b> & co")
    show.wait_for(timeout=LONG_MS)
    assert page.locator("#dsel-tab-score").get_attribute("aria-selected") == "true"
    assert "run=" not in page.url
    show.click()
    page.wait_for_selector("#dsel-panel-inspect:not([hidden]) .heat-map img")
    assert page.locator(".pick select").input_value() == "a <b>snowman</b> & co"
    until(page, "#dsel-panel-inspect .sentence", "e => e.textContent.length > 20")


CARD = ".names-card"


def test_names__an_example_is_scored_under_several(visit: Opener) -> None:
    page = visit()
    page.get_by_role("button", name="Try disc/", exact=False).first.click()
    until(page, ".zone img", "e => !e.hidden && e.naturalWidth > 0")
    names = page.locator(".name-row input")
    assert [one.input_value() for one in names.all()] == ["disc", "square", "bar"]
    page.get_by_role("button", name="Remove name 3").click()
    page.get_by_role("button", name="Compare with another name").click()
    names.last.fill("a <b>snowman</b>")
    quick(page)
    text = page.locator(".estimate").inner_text()
    assert text.startswith("(3 names + the null prompt) × 1 timestep × 2 draws = 8 evaluations")
    begin(page)
    page.wait_for_selector(CARD, timeout=LONG_MS)
    lines = page.locator(f"{CARD} .name-line")
    assert sorted(one.get_attribute("data-name") for one in lines.all()) == [
        "a <b>snowman</b>", "disc", "square",
    ]  # fmt: skip
    best, second = (lines.nth(n).get_attribute("data-name") for n in range(2))
    assert f"“{best}”" in page.locator(".names-verdict").inner_text()
    assert f"“{second}”" in page.locator(".names-verdict").inner_text()
    assert "behind" in lines.nth(1).inner_text()
    until(page, f"{CARD} canvas", "e => e.width > 1")
    assert violations(page) == []
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="compare 3 names").first.click()
    page.wait_for_selector(CARD)
    page.locator(CARD).get_by_role("button", name="Open in Inspect").click()
    until(page, "#dsel-panel-inspect .sentence", "e => e.textContent.length > 20")
    assert page.locator(".pick select option").count() == 3


def test_picture__from_the_clipboard(visit: Opener) -> None:
    page = visit()
    page.evaluate(
        """(bytes) => {
          const image = new Blob([new Uint8Array(bytes)], { type: "image/png" });
          return navigator.clipboard.write([new ClipboardItem({ "image/png": image })]);
        }""",
        list(picture()),
    )
    page.locator(FORM).click(position={"x": 3, "y": 3})
    page.keyboard.press("Control+V")
    until(page, ".zone img", "e => !e.hidden && e.naturalWidth > 0")
    assert page.locator(".zone-title").first.inner_text() == "pasted.png"


def test_picture__from_the_camera_of_a_phone(visit: Opener) -> None:
    page = visit(viewport=PHONE)
    photo = page.get_by_label("Take a photo")
    assert photo.get_attribute("capture") == "environment"
    photo.set_input_files({"name": "1.jpg", "mimeType": "image/png", "buffer": picture()})
    until(page, ".zone img", "e => !e.hidden && e.naturalWidth > 0")


def test_names__a_found_image_is_offered(visit: Opener) -> None:
    page = visit()
    page.get_by_role("tab", name="Find").click()
    similar = page.locator("#dsel-panel-find .found-similar").first
    similar.click()
    page.get_by_role("button", name="Score under", exact=False).click()
    until(page, ".zone img", "e => !e.hidden && e.naturalWidth > 0")
    assert page.locator(".name-row input").count() >= 2


def test_job__reloaded_cancelled_and_resumed(visit: Opener) -> None:
    page = visit()
    choose(page, "Toybox scenes")
    page.get_by_label("Most per class", exact=True).fill("12")
    quick(page)
    page.get_by_text("More settings").last.click()
    page.get_by_label("Images per shard", exact=True).fill("4")
    estimate = page.locator(".estimate").inner_text()
    assert estimate.startswith("120 images × 1 timestep × 2 draws × 2 = 480 evaluations")
    most = page.get_by_label("Most draws per timestep", exact=True)
    most.fill("8")
    assert "= at least 480 and at most 1,920 evaluations" in page.locator(".estimate").inner_text()
    most.fill("0")
    assert page.locator(".more-settings summary").inner_text() == "More settings · 1 changed"
    begin(page)
    card = page.get_by_role("article", name="toybox")
    card.wait_for()
    page.reload()
    page.wait_for_selector(FORM)
    card.get_by_role("button", name="Cancel").click(timeout=LONG_MS)
    page.set_default_timeout(LONG_MS)
    until(page, ".job", "e => e.dataset.state === 'cancelled'")
    assert page.locator("#dsel-tab-score .live").count() == 0
    card.get_by_role("button", name="Resume").click()
    until(page, "#dsel-tab-score .live", "e => /[0-9]+ %/.test(e.textContent)")
    until(page, ".job .pace", "e => /images.s .* left/.test(e.textContent)")
    page.get_by_role("tab", name="Inspect").click()
    until(page, ".toasts", "e => e.textContent.includes('toybox is scored: 120 images')")
    assert page.locator("#dsel-tab-score .live").count() == 0
    page.get_by_role("tab", name="Score").click()
    run_row(page, "toybox").last.get_by_role("button", name="Hide toybox").click()
    until(page, ".runs", "e => e.children.length === 1")
    page.reload()
    page.wait_for_selector(FORM)
    assert page.locator(".run-row").count() == 1


def test_workers__of_a_local_visitor_are_shown_at_work(visit: Opener) -> None:
    page = visit()
    choose(page, "Toybox scenes")
    quick(page)
    page.get_by_label("Most per class", exact=True).fill("8")
    page.locator(".more-settings > summary").click()
    page.locator(f"{FORM} [data-name=workers] input").fill("2")
    page.locator(f"{FORM} [data-name=shard_size] input").fill("4")
    begin(page)
    page.wait_for_selector(".job .job-workers:not([hidden])", timeout=LONG_MS)
    until(page, ".job .job-workers summary", "e => e.textContent === '2 workers'")
    page.locator(".job .job-workers summary").click()
    rows = page.locator(".job .job-workers tbody tr")
    assert rows.count() == 2
    assert fits(page)
    page.wait_for_selector(".run-row:has-text('toybox')", timeout=LONG_MS)
    assert page.locator(".job-workers:visible").count() == 0


def test_workers__visitors_have_no_such_field(visit: Opener) -> None:
    page = visit(token="")
    page.locator(".more-settings > summary").click()
    assert page.locator(f"{FORM} [data-name=shard_size]").is_visible()
    assert page.locator(f"{FORM} [data-name=workers]").count() == 0


def test_folder__of_this_machine(visit: Opener, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.png").write_bytes(picture())
    page = visit()
    choose(page, "Folder on this machine")
    quick(page)
    page.get_by_label("Folder", exact=True).fill("pets")
    begin(page)
    until(page, ".form-problem", "e => !e.hidden && e.textContent.includes('whole path')")
    page.get_by_label("Folder", exact=True).fill(str(tmp_path / "pets"))
    begin(page)
    run_row(page, "pets").wait_for(timeout=LONG_MS)


def test_zip__that_leads_out_is_refused_before_a_job(visit: Opener) -> None:
    page = visit()
    choose(page, "Zip of class folders")
    give(page, "evil.zip", zipped({"cat/1.png": picture(), "../../evil.png": picture()}))
    begin(page)
    until(
        page, ".form-problem", "e => !e.hidden && e.textContent.startsWith('evil.zip is refused')"
    )
    assert not page.locator(".job").count()


def test_job__that_fails_is_forgotten(visit: Opener) -> None:
    page = visit()
    fail(page)
    assert "no-such-prior" in page.locator(".job .notice").inner_text()
    page.get_by_role("button", name="Hide", exact=True).click()
    until(page, ".jobs-part", "e => e.hidden")


def test_file__of_another_kind_is_refused_at_once(visit: Opener) -> None:
    page = visit()
    choose(page, "Zip of class folders")
    give(page, "notes.txt", b"text", "text/plain")
    until(
        page,
        ".pane:not([hidden]) .notice.bad",
        "e => e.textContent === 'notes.txt is none of .zip.'",
    )


def test_file__that_is_no_image_is_told_at_once(visit: Opener) -> None:
    page = visit()
    choose(page, "One image")
    give(page, "cat.png", b"text", "image/png")
    problem = ".pane:not([hidden]) .notice.bad"
    until(page, problem, "e => e.textContent === 'cat.png cannot be read as an image.'")
    give(page, "cat.png", picture(), "image/png")
    until(page, problem, "e => e.hidden")


def test_settings__wrong_ones_are_reported_and_can_be_reset(visit: Opener) -> None:
    page = visit()
    choose(page, "Toybox scenes")
    draws = page.locator("[data-name=draws]")
    draws.get_by_role("textbox").fill("three")
    begin(page)
    until(
        page, ".form-problem", "e => !e.hidden && e.textContent.includes('draws must be a whole')"
    )
    assert draws.evaluate("e => e.classList.contains('changed')")
    page.get_by_role("button", name="Reset Draws per timestep").click()
    assert draws.get_by_role("textbox").input_value() == ""
    assert page.locator(".field.changed").count() == 0
    null = page.locator("[data-name=null_prompt]")
    null.get_by_role("button", name="Own text").click()
    assert null.evaluate("e => e.classList.contains('changed')")
    null.get_by_role("button", name="Empty name").click()
    assert page.locator(".field.changed").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = visit(dark=dark)
    page.get_by_text("More settings").last.click()
    fail(page)
    assert violations(page) == []


@pytest.mark.parametrize("viewport", [PHONE, WIDE])
def test_page__nothing_is_wider_than_it(visit: Opener, viewport: dict[str, int]) -> None:
    page = visit(viewport=viewport)
    page.get_by_text("More settings").last.click()
    assert fits(page)
