"""The first load: links to all modules of the first view, and compressed responses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dsel.app.first_load import OPENING, FirstLoad, first_modules
from dsel.assets import asset

SCRIPT = '<script type="module" crossorigin src="./assets/index-1.js"></script>'
HELD = '<script type="text/plain" data-gradio src="./assets/index-1.js"></script>'
PAGE = f"<html><head>{SCRIPT}</head><body></head>" + "x" * 5000 + "</body></html>"
MODULES = ("./_dsel/app/main.js", "./_dsel/app/lib/dom.js")


@pytest.fixture
def client() -> TestClient:
    def page(_: Request) -> Response:
        return HTMLResponse(PAGE)

    def ask(_: Request) -> Response:
        return Response("y" * 5000, media_type="application/json")

    routes = [Route("/", page), Route("/_dsel/ask", ask, methods=["POST"]), Route("/other", page)]
    app = Starlette(routes=routes, middleware=[Middleware(FirstLoad, modules=MODULES)])
    return TestClient(app, headers={"Accept-Encoding": "gzip"})


def test_first_load__links_and_the_beginning_are_added(client: TestClient) -> None:
    text = client.get("/").text
    head, _, body = text.partition("</head>")
    assert re.findall(r'<link rel="modulepreload" href="(.*?)">', head) == [*MODULES]
    assert body.endswith(f"{OPENING}</body></html>")
    # Gradio is loaded later, and nothing else has changed
    assert head.startswith(f"<html><head>{HELD}<link ")
    assert body.removesuffix(f"{OPENING}</body></html>") == "<body></head>" + "x" * 5000


def test_first_load__begins_the_page_whatever_gradio_waits_for() -> None:
    assert OPENING.startswith('<script type="module" async>')
    assert 'page.begin("./_dsel/")' in OPENING


def test_first_load__page_and_responses_are_compressed(client: TestClient) -> None:
    for response in (client.get("/"), client.post("/_dsel/ask")):
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) < 1000
    assert client.post("/_dsel/ask").text == "y" * 5000


def test_first_load__other_addresses_are_served_as_they_are(client: TestClient) -> None:
    response = client.get("/other")
    assert (response.text, "content-encoding" in response.headers) == (PAGE, False)


def test_first_load__without_compression(client: TestClient) -> None:
    response = client.get("/", headers={"Accept-Encoding": "identity"})
    assert "modulepreload" in response.text
    assert int(response.headers["content-length"]) == len(response.content)


def test_first_modules__follow_imports(tmp_path: Path) -> None:
    for name in ("tabs", "lib"):
        (tmp_path / name).mkdir()
    (tmp_path / "early.js").write_text(
        'import { a } from "./lib/a.js";\nimport("./lib/late.js");\n'
    )
    (tmp_path / "tabs/inspect.js").write_text(
        'import {\n  a,\n  b,\n} from "../lib/b.js";\nexport { c } from "../lib/a.js";\n'
        '/** @typedef {import("../lib/types.js").T} T */\n'
    )
    (tmp_path / "lib/a.js").write_text('import "./unused";\nimport { b } from "./b.js";\n')
    (tmp_path / "lib/b.js").write_text('import { a } from "./a.js";\n')
    assert first_modules(tmp_path) == tuple(
        f"./_dsel/app/{name}" for name in ("early.js", "tabs/inspect.js", "lib/a.js", "lib/b.js")
    )


def test_first_modules__are_those_of_the_page() -> None:
    found = first_modules(asset("app"))
    assert {"./_dsel/app/main.js", "./_dsel/app/components/heat_map.js"} < set(found)
    assert all((asset("app") / one.removeprefix("./_dsel/app/")).is_file() for one in found)
    assert not any("clusters.js" in one for one in found)  # of a tab that is opened later
