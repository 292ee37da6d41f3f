"""Who is local in a browser, and what pages of other origins get from the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.browsing import TOKEN, job_server, opened

ATTACK = """
const U = "%s";
const body = '{"method": "export_start", "view": "ipc=1"}';
const post = (path, type, mode) =>
  fetch(U + path, { method: "POST", mode, headers: { "Content-Type": type }, body });
const tries = {
  plain: () => post("/_dsel/ask", "text/plain", "cors"),
  blind: () => post("/_dsel/ask", "text/plain", "no-cors"),
  json: () => post("/_dsel/ask", "application/json", "cors"),
  upload: () => post("/_dsel/upload?name=a.zip", "application/octet-stream", "cors"),
  config: () => fetch(U + "/config"),
  module: () => import(U + "/_dsel/app/main.js").then(() => ({ ok: true })),
};
const found = {};
for (const [name, go] of Object.entries(tries))
  found[name] = await go().then((r) => r.ok, () => false);
document.title = JSON.stringify(found);
"""


@pytest.fixture(scope="module")
def address(app_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("visited")
    with job_server(app_run, folder) as url:
        yield url, folder / "jobs"


def kinds(page: Any) -> list[str]:
    page.wait_for_selector(".sources .kinds")
    return list(page.locator(".sources .kinds button").all_inner_texts())


def test_token__makes_the_visitor_local_and_leaves_the_address(
    chromium: Any, address: tuple[str, Path]
) -> None:
    url, _ = address
    with opened(chromium, url, "tab=score") as page:
        assert "Folder on this machine" in kinds(page)
        assert page.url == f"{url}/?class=disc&tab=score"
        assert TOKEN not in page.evaluate("document.documentElement.outerHTML")
        later = page.context.new_page()  # a tab that is opened without the token
        later.goto(f"{url}/?tab=score")
        assert "Folder on this machine" in kinds(later)


def test_token__without_it_the_page_says_how_to_score_folders(
    chromium: Any, address: tuple[str, Path]
) -> None:
    with opened(chromium, address[0], "tab=score", token="") as page:
        assert "Folder on this machine" not in kinds(page)
        hint = "To score folders of this machine, open the address that the app printed"
        assert hint in page.inner_text(".sources")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_foreign_page__gets_nothing_and_starts_nothing(
    chromium: Any, address: tuple[str, Path], host: str
) -> None:
    url, jobs = address
    with opened(chromium, url) as page, foreign_page(ATTACK % url) as port:
        other = page.context.new_page()  # in the browser of a visitor who is local
        other.goto(f"http://{host}:{port}/")
        other.wait_for_function("() => document.title")
        assert set(json.loads(other.title()).values()) == {False}
    assert list(jobs.glob("*/job.json")) == []
    assert list(jobs.glob("uploads/*")) == []


@contextmanager
def foreign_page(script: str) -> Iterator[int]:
    """Serve a page with a script at another port of this machine."""
    page = f'<!doctype html><script type="module">{script}</script>'.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
