"""The app in Chromium, as a visitor opens it: fixtures of the browser tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.synthetic import MIXED, synthetic_run

ROOT = Path(__file__).parents[2]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 180_000
"""A ceiling for states that come within a second on an idle machine."""
LONG_MS = 300_000
"""A ceiling for jobs and fitted layouts."""
APP_S = 300
"""A ceiling for an app that starts, which loads large libraries, and for one that ends."""
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
LARGE = {"width": 1920, "height": 1080}

SERVE = (
    "import sys; from pathlib import Path; from dsel.app import launch_app; "
    "launch_app(Path(sys.argv[1]), '127.0.0.1', int(sys.argv[2]))"
)
SEEN = "localStorage.setItem('dsel-tour', 'seen')"
"""Skips the tour, which its own test does not."""

SETTLED = "gradio-app .dsel:not([aria-busy]) .top"
"""The page is where it stays, in Gradio's element."""

OF_A_SPACE = (
    "fonts.googleapis.com", "huggingface.co/api/spaces", "Failed to load resource",
    "Space not found",
)  # fmt: skip
"""What Gradio asks of other hosts on a Space, and says when they do not answer."""

TOKEN = "the-token-of-the-tests"
"""Opens the served apps as their owner does."""

Opener = Callable[..., Any]


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def app_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three classes of 24 images: wide, square and tall ones."""
    path = tmp_path_factory.mktemp("browsing") / "run"
    synthetic_run(path, classes=3, per_class=24, sizes=MIXED)
    return path


@pytest.fixture(scope="session")
def app_url(app_run: Path) -> Iterator[str]:
    with served(app_run) as url:
        yield url


@pytest.fixture
def visit(chromium: Any, app_url: str) -> Iterator[Opener]:
    """Opens pages of the app: `visit(query, dark=..., viewport=..., tour=...)`.

    At the end no page has logged an error, and none has sent a request to another host.
    """
    with ExitStack() as pages:
        yield lambda query="", **how: pages.enter_context(opened(chromium, app_url, query, **how))


@pytest.fixture
def page(visit: Opener) -> Any:
    """The app as it opens."""
    return visit()


@contextmanager
def served(run_path: Path, **environment: str) -> Iterator[str]:
    """Serve the app on a run in a process of its own; yield its address."""
    with served_at(run_path, free_port(), **environment) as url:
        yield url


def free_port() -> int:
    """A port that nothing listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served_at(run_path: Path, port: int, *, before: str = "", **environment: str) -> Iterator[str]:
    """Serve the app on a run at a port, as `served` does; `before` is code to run first."""
    server = subprocess.Popen(
        [sys.executable, "-c", before + SERVE, str(run_path), str(port)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"DSEL_TOKEN": TOKEN} | environment,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.communicate(timeout=APP_S)


@contextmanager
def opened(
    chromium: Any, url: str, query: str = "", *, dark: bool = False, tour: bool = False,
    viewport: dict[str, int] = WIDE, allow: tuple[str, ...] = (), token: str = TOKEN,
    headers: dict[str, str] | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Open a page; `allow` names parts of expected errors. Without `token` a visitor is remote.

    headers: those that a proxy adds to each request of the page.
    """
    context = chromium.new_context(
        viewport=viewport, color_scheme="dark" if dark else "light", accept_downloads=True,
        permissions=["clipboard-read", "clipboard-write"], reduced_motion="reduce",
        extra_http_headers=headers or {},
    )  # fmt: skip
    if not tour:
        context.add_init_script(SEEN)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: complaints.append(r.url) if _foreign(r.url, url) else None)
    address = f"{url}/?{query}" if query else f"{url}/"
    page.goto(f"{address}#token={token}" if token else address)
    page.wait_for_selector(SETTLED)
    yield page
    context.close()
    assert [one for one in complaints if not any(part in one for part in allow)] == []


def until(page: Any, selector: str, true: str) -> None:
    """Wait until a JavaScript function of the first such element is true."""
    page.wait_for_function(
        f"([s]) => {{ const e = document.querySelector(s); return e && ({true})(e); }}",
        arg=[selector],
    )


def gallery(page: Any, count: int | None = None) -> Any:
    """Wait for the gallery of the tab that is shown, with so many cells if a count is given."""
    selector = ".panel:not([hidden]) .gallery .cell"
    page.wait_for_selector(selector)
    if count is not None:
        page.wait_for_function(
            "([s, n]) => document.querySelectorAll(s).length === n", arg=[selector, count]
        )
    return page


def painted(page: Any) -> None:
    """Wait until the tab shows the current view."""
    page.wait_for_function(
        "() => document.querySelector('.dsel').dataset.painted !== undefined"
        " && !document.querySelector('.panel:not([hidden]) [aria-busy=true]')"
    )


def fits(page: Any) -> bool:
    """Whether the page, and the tab that is shown, are no wider than the window."""
    wider = """() => Math.max(
        ...[document.documentElement, ...document.querySelectorAll('.panel:not([hidden])')]
        .map(e => e.scrollWidth - e.clientWidth))"""
    return int(page.evaluate(wider)) <= 0


@contextmanager
def job_server(run_path: Path, folder: Path) -> Iterator[str]:
    """Serve the app on a run with jobs and uploads in a folder of their own."""
    paths = {"DSEL_JOBS": str(folder / "jobs"), "GRADIO_TEMP_DIR": str(folder / "gradio")}
    with served(run_path, **paths) as url:
        yield url


def opener(chromium: Any, url: str, ready: Callable[[Any], Any], usual: str) -> Iterator[Opener]:
    """Open pages of an app that are waited for; `usual` is the query where none is given."""
    with ExitStack() as pages:

        def visit(query: str = usual, **how: Any) -> Any:
            page = pages.enter_context(opened(chromium, url, query, **how))
            ready(page)
            return page

        yield visit


def violations(page: Any, **options: Any) -> list[str]:
    """Return the serious and critical findings of axe-core: the rule and the element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=".dsel", **options).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + APP_S
    while time.monotonic() < end:
        if server.poll() is not None:
            _, said = server.communicate()
            pytest.fail(f"the app did not start: {said.decode()}")
        try:
            urllib.request.urlopen(url, timeout=60).close()
        except OSError:  # refused, reset, or no answer in time
            time.sleep(0.25)
        else:
            return
    pytest.fail(f"the app does not answer at {url}")


def lasso_left(page: Any, plot: str) -> None:
    """Drag around the left half of a plot."""
    box = page.locator(plot).bounding_box()
    left, top = box["x"] + 4, box["y"] + 4
    right, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"] - 4
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 6)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
