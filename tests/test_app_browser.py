"""The app as a visitor uses it, in Chromium: look, move, choose, export."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic import MIXED, TIMESTEPS, synthetic_run

from dsel.config import ExportSettings
from dsel.engine import export_selections
from dsel.explore import Explorer
from dsel.exports import zip_folder
from dsel.runs import open_run
from dsel.ui.handlers import select_settings

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 20_000
SETTINGS = select_settings(TIMESTEPS, 64, 0, 10, TIMESTEPS, "positive", "score", "round-robin", 1)
"""What the app shows before a widget is moved."""

CENTRES = """all => all.map(point => point.getBoundingClientRect())
    .map(box => [box.x + box.width / 2, box.y + box.height / 2])"""
SHOTS = """all => all.map(image => {
    const [of, shot, box, frame] = [image, image.parentElement, image.nextElementSibling,
        image.closest(".frame")].map(node => node.getBoundingClientRect());
    return {
        key: image.closest(".figure").dataset.key,
        natural: image.naturalWidth / image.naturalHeight,
        width: of.width, height: of.height, frame: [frame.width, frame.height],
        middle: [of.x + of.width / 2 - frame.x - frame.width / 2,
            of.y + of.height / 2 - frame.y - frame.height / 2],
        box: [box.x - of.x, box.y - of.y, box.width, box.height],
    };
})"""
"""Where pictures and the boxes on them are on the screen, in CSS pixels."""

SERVE = (
    "import sys; from pathlib import Path; from dsel.ui import launch_app; "
    "launch_app(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        (pytest.fail if os.environ.get("DSEL_REQUIRE_BROWSER") == "1" else pytest.skip)(
            "no Chromium on the PATH: the app is not tested in a browser"
        )
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "run"
    synthetic_run(path, classes=3, per_class=24)
    return path


@pytest.fixture(scope="module")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of wide, square and tall pictures."""
    path = tmp_path_factory.mktemp("browser") / "mixed"
    synthetic_run(path, classes=1, per_class=15, sizes=MIXED)
    return path


@pytest.fixture(scope="module")
def address(run_path: Path) -> Iterator[str]:
    with _served(run_path) as url:
        yield url


@contextmanager
def _served(run_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(run_path), str(port)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.communicate(timeout=20)


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    with _opened(chromium, address) as page:
        yield page


@contextmanager
def _opened(chromium: Any, address: str) -> Iterator[Any]:
    """An open page that shows heat maps; afterwards, there were no errors and no foreign hosts."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: complaints.append(r.url) if _foreign(r.url, address) else None)
    page.goto(address)
    page.wait_for_selector("#image .picture")
    yield page
    page.close()
    assert complaints == []


def test_open__heat_maps_gallery_plane_and_preview(page: Any) -> None:
    assert page.locator("#image .figure").count() == 5
    assert page.locator("#image .scale:visible").count() == 4
    assert page.locator("#gallery .figure").count() == 24
    assert page.locator("#preview .figure").count() == 10
    page.wait_for_selector("#scatter .points path")
    assert page.locator("#header").inner_text().startswith("dsel")
    sizes = page.eval_on_selector_all("#image .picture", "all => all.map(i => i.naturalWidth)")
    assert min(sizes) >= 128


def test_patch_slider__moves_the_box(page: Any) -> None:
    box = page.locator("#image .figure .box").first
    assert "width: 50%" in box.get_attribute("style")
    page.locator("#patch_px input[type=range]").press("ArrowLeft")
    _until(page, "#image .figure .box", "box => box.style.width === '43.75%'")
    _until(page, "#gallery .figure .box", "box => box.style.width === '43.75%'")


def test_class__another_one_shows_its_images(page: Any) -> None:
    page.locator("#class_name input").click()
    page.get_by_role("option", name="square").click()
    _until(page, "#gallery .title", "title => title.textContent === 'Images of square'")
    assert page.locator("#image .note").inner_text().startswith("square/")


def test_gallery__a_click_selects_the_image(page: Any) -> None:
    third = page.locator("#gallery button.figure").nth(2)
    key = third.get_attribute("data-key")
    third.click()
    _until(page, "#image .note", f"note => note.textContent === {key!r}")
    assert page.locator("#gallery .figure.selected").get_attribute("data-key") == key


def test_plane__a_click_on_a_point_selects_its_image(page: Any) -> None:
    page.wait_for_selector("#scatter .js-plotly-plot[data-listens] .points path")
    before = page.locator("#image .note").inner_text()
    # The last trace is the ring around the chosen image; the one before it is the last group.
    x, y = page.eval_on_selector_all("#scatter .points path", CENTRES)[-2]
    plot = page.locator("#scatter .js-plotly-plot")
    last = plot.evaluate("plot => plot.data.at(-2).customdata.at(-1)")
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    _until(page, "#image .note", f"note => note.textContent !== {before!r}")
    assert page.locator("#image .note").inner_text() == last


def test_pictures__of_any_shape_are_undistorted_with_boxes_in_place(
    chromium: Any, mixed_path: Path
) -> None:
    """Every picture lies whole in the middle of its square frame, and its box where the patch is.

    The gallery shows all shapes; then one image of each is looked at closely.
    """
    run = open_run(mixed_path)
    patches = Explorer(run).select(0, SETTINGS).patches
    patch_of = {patch.image_id: patch for patch in patches}
    frame_of = {row.id: row.frame for row in run.images}
    with _served(mixed_path) as url, _opened(chromium, url) as page:
        shots = page.eval_on_selector_all("#gallery .picture", SHOTS)
        assert len(shots) == 15
        for size in range(len(MIXED)):
            key = f"disc/{size:06d}"
            page.locator(f"#gallery button[data-key='{key}']").click()
            _until(page, "#image .note", f"note => note.textContent === {key!r}")
            large = page.eval_on_selector_all("#image .picture", SHOTS)
            assert len(large) == 5
            shots += [shot | {"key": key} for shot in large]
    for shot in shots:
        frame, box = frame_of[shot["key"]], patch_of[shot["key"]].box
        scale = max(shot["frame"]) / max(frame.proxy_width, frame.proxy_height)
        assert shot["frame"][0] == pytest.approx(shot["frame"][1], abs=1)
        assert shot["natural"] == pytest.approx(frame.proxy_width / frame.proxy_height, rel=0.02)
        expected = [frame.proxy_width * scale, frame.proxy_height * scale]
        assert [shot["width"], shot["height"]] == pytest.approx(expected, abs=1)
        assert shot["middle"] == pytest.approx([0, 0], abs=1)
        expected = [side * scale for side in (box.x, box.y, box.width, box.height)]
        assert shot["box"] == pytest.approx(expected, abs=1)


def test_export__downloads_what_the_engine_makes(page: Any, run_path: Path, tmp_path: Path) -> None:
    ipc = page.locator("#ipc input[type=number]")
    ipc.fill("4")
    ipc.press("Enter")
    _until(page, "#preview .note", "note => note.textContent.startsWith('4 ')")
    page.locator("#export").click()
    page.wait_for_selector("#download:visible")
    with page.expect_download() as download:
        page.locator("#download").click()
    got = Path(download.value.path())
    with zipfile.ZipFile(got) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 3 * 4
    assert got.read_bytes() == _from_engine(run_path, tmp_path)
    page.locator("#patch_px input[type=range]").press("ArrowRight")
    page.wait_for_selector("#download", state="hidden")
    assert not (run_path / "selections").exists()


def _from_engine(run_path: Path, folder: Path) -> bytes:
    settings = replace(SETTINGS, ipc=4)
    explorer = Explorer(open_run(run_path))
    selections = [explorer.select(i, settings) for i in range(len(explorer.classes))]
    list(export_selections(explorer.run, selections, settings, folder / "set", ExportSettings()))
    return zip_folder(folder / "set", folder / "set.zip").read_bytes()


def _until(page: Any, selector: str, true: str) -> None:
    page.wait_for_function(f"([s]) => ({true})(document.querySelector(s))", arg=[selector])


def _foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if server.poll() is not None:
            _, said = server.communicate()
            pytest.fail(f"the app did not start: {said.decode()}")
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.25)
        else:
            return
    pytest.fail(f"the app does not answer at {url}")
