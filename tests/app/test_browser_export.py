"""The Export tab: its summary, its zip file, and the command and link that give the same."""

from __future__ import annotations

import shlex
import zipfile
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
from support.synthetic import MIXED, synthetic_run

from dsel.cli.commands import main
from dsel.exports import FORMATS

pytestmark = pytest.mark.browser

SET = "tab=export&ipc=3"
READY = "a[download]"


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that commands may select from."""
    path = tmp_path_factory.mktemp("exporting") / "my runs" / "run"
    path.parent.mkdir()
    synthetic_run(path, classes=3, per_class=12, sizes=MIXED)
    return path


@pytest.fixture(scope="module")
def job_url(own_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with job_server(own_run, tmp_path_factory.mktemp("exported")) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, job_url: str) -> Iterator[Opener]:
    yield from opener(chromium, job_url, summarized, SET)


def summarized(page: Any) -> None:
    until(page, ".start", "e => /[0-9]/.test(e.textContent)")
    page.wait_for_selector(".summary:not([aria-busy])")


def tiles(page: Any) -> list[str]:
    return list(page.locator(".summary dd").all_inner_texts())


def copied(page: Any, what: str) -> str:
    page.get_by_role("button", name=f"Copy {what}").last.click()
    until(page, ".toasts", f"e => e.textContent.includes('Copied {what}')")
    return str(page.evaluate("navigator.clipboard.readText()"))


def download(page: Any) -> bytes:
    with page.expect_download() as found:
        page.locator(READY).first.click()
    assert found.value.suggested_filename == "dsel_export.zip"
    return Path(found.value.path()).read_bytes()


def test_summary__follows_the_settings(visit: Opener) -> None:
    page = visit()
    assert tiles(page)[:4] == ["9", "3", "13", "128 × 128 px"]
    assert tiles(page)[4].startswith("about ")
    assert tiles(page)[5].startswith("about ")
    assert "cut from the run's proxies" in page.locator(".facts-of-set").inner_text()
    assert "Manual overrides: none" in page.locator(".facts-of-set").inner_text()
    page.get_by_label("IPC", exact=True).press("ArrowRight")
    until(page, ".start", "e => e.textContent === 'Export 12 images'")
    panel = page.locator("#dsel-panel-export")
    panel.get_by_role("button", name="64", exact=True).click()
    until(page, ".summary", "e => e.textContent.includes('64 × 64 px')")
    panel.get_by_role("button", name="2 × 2").click()
    until(page, ".code-block", "e => e.textContent.includes('--factor 2')")
    panel.get_by_label("Another image size in px").fill("100")
    panel.get_by_label("Another image size in px").press("Tab")
    until(page, ".summary", "e => e.textContent.includes('100 × 100 px')")
    panel.get_by_role("button", name="JPEG").click()
    until(page, ".code-block", "e => e.textContent.includes('--file-format jpeg')")
    for part in ("image_px=100", "factor=2", "file_format=jpeg", "ipc=4"):
        assert part in page.url


def test_summary__overrides_are_counted(visit: Opener) -> None:
    page = visit(f"{SET}&pins=disc/000001&bans=bar/000002")
    assert "1 pinned, 1 banned" in page.locator(".facts-of-set").inner_text()
    assert "--pins=disc/000001 --bans=bar/000002" in page.locator(".code-block").first.inner_text()


def test_summary__what_cannot_be_exported_is_reported(visit: Opener, own_run: Path) -> None:
    page = visit()
    page.locator("#dsel-panel-export").get_by_role("button", name="Source", exact=True).click()
    until(page, ".summary .notice.bad", "e => e.textContent.includes('cannot be exported')")
    assert page.locator(".start").is_disabled()
    assert own_run.exists()


@pytest.mark.parametrize(
    "more",
    [
        "",
        "&factor=2&image_px=48&file_format=jpeg&moves=disc/000003@8,8",
        "&format=webdataset&format=rded&format=csv&file_format=webp&quality=60",
    ],
)
def test_zip__is_that_of_the_command(
    visit: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    page = visit(f"{SET}&patch_px=48&discriminative_share=0.5{more}")
    page.locator(".start").click()
    page.wait_for_selector(READY, timeout=LONG_MS)
    assert page.locator(READY).inner_text().startswith("Download dsel_export.zip (")
    found = download(page)
    command = copied(page, "the command")
    assert command == page.locator(".code-block").first.text_content()
    monkeypatch.chdir(tmp_path)
    for one in command.split(" && "):
        word, *arguments = shlex.split(one)
        assert word == "dsel"
        assert main(arguments) == 0
    assert found == (tmp_path / "dsel_export.zip").read_bytes()


def test_formats__are_chosen_with_what_each_is_for(visit: Opener, tmp_path: Path) -> None:
    page = visit()
    boxes = page.locator(".formats input")
    assert boxes.count() == len(FORMATS)
    for name, kind in FORMATS.items():
        box = page.locator(f".formats input[value={name}]")
        described = box.get_attribute("aria-describedby")
        assert page.locator(f"[id='{described}']").inner_text() == kind.purpose
    folder = page.locator(".formats input[value=folder]")
    assert folder.is_checked()
    assert folder.is_disabled()  # one is always checked
    page.get_by_label("COCO boxes").check()
    page.locator(".formats").get_by_label("Hugging Face").check()
    until(page, ".code-block", "e => e.textContent.includes('--format folder,parquet,coco')")
    folder.uncheck()
    until(page, ".code-block", "e => e.textContent.includes('--format parquet,coco')")
    assert "format=parquet&format=coco" in page.url
    tree = page.locator(".zip-tree").inner_text()
    for name in ("parquet/", "data/train-00000.parquet", "coco/", "coco.json"):
        assert name in tree
    assert not page.locator(".quality").is_visible()
    page.locator("#dsel-panel-export").get_by_role("button", name="WebP").click()
    page.locator(".quality input").fill("70")
    page.locator(".quality input").press("Tab")
    until(page, ".code-block", "e => e.textContent.includes('--quality 70')")
    page.locator(".start").click()
    page.wait_for_selector(READY, timeout=LONG_MS)
    (tmp_path / "set.zip").write_bytes(download(page))
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"parquet", "coco"}
    folder.press("Space")
    until(page, ".other", "e => !e.hidden")


def test_export__is_found_after_a_reload(visit: Opener) -> None:
    page = visit()
    page.locator(".start").click()
    page.wait_for_selector(READY, timeout=LONG_MS)
    size = len(download(page))
    page.reload()
    page.wait_for_selector(READY)
    assert len(download(page)) == size
    assert not page.locator(".other").is_visible()
    page.get_by_label("IPC", exact=True).press("ArrowLeft")
    page.locator(".other").wait_for()
    page.locator(".start").click()
    until(page, ".earlier", "e => !e.hidden")
    page.locator(".other").wait_for(state="hidden")
    page.wait_for_selector(".latest a[download]", timeout=LONG_MS)
    page.locator(".latest").get_by_role("button", name="Hide").click()
    until(page, ".earlier", "e => e.hidden")


def test_export__its_end_is_reported_in_another_tab(visit: Opener) -> None:
    page = visit()
    page.locator(".start").click()
    page.wait_for_selector(".latest .job")
    page.get_by_role("tab", name="Baselines").click()
    said = "document.querySelector('.toasts').textContent.includes('is ready')"
    there = "document.querySelector('.latest a[download]')"
    page.wait_for_function(f"{said} || {there}", timeout=LONG_MS)


def test_link__reopens_the_view(visit: Opener) -> None:
    page = visit(f"{SET}&class=bar&patch_px=32&image_px=64")
    link = copied(page, "the link to this view")
    assert link == page.locator(".code-block").last.text_content()
    again = visit(link.partition("?")[2])
    assert again.locator(".pick select").input_value() == "bar"
    assert tiles(again)[3] == "64 × 64 px"


@pytest.mark.parametrize("dark", [False, True])
def test_axe__no_barriers(visit: Opener, dark: bool) -> None:
    page = visit("tab=export&ipc=20", dark=dark)
    until(page, ".summary", "e => e.textContent.includes('3 classes fall short of IPC 20')")
    assert "disc gives 12 images." in (page.locator(".summary details").text_content() or "")
    page.locator(".start").click()
    page.wait_for_selector(READY, timeout=LONG_MS)
    assert violations(page) == []


@pytest.mark.parametrize("viewport", [PHONE, WIDE])
def test_page__nothing_is_wider_than_it(visit: Opener, viewport: dict[str, int]) -> None:
    page = visit(f"{SET}&file_format=jpeg", viewport=viewport)
    assert fits(page)
