"""The first load of the page over a slow line: drawn before Gradio is there, and compressed.

Gradio loads 230 kB before it runs dsel's page, and a browser learns of a module only from the
module that imports it. The head of the page names all of dsel's modules, and its body begins with
the page, which loads Gradio once its first picture is there; Gradio then takes the page over.
Gradio compresses its files, but neither the page itself nor the responses to its requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsel.app.guard import ROOT

OPENING: Final = """<script type="module" async>
import * as page from "./ROOT/app/early.js";
window.dsel_page = page;
page.begin("./ROOT/");
</script>""".replace("./ROOT", f".{ROOT}")
"""Draws the page, as soon as its modules are there."""

GRADIO: Final = b'<script type="module" crossorigin src="./assets/index-'
LATER: Final = GRADIO.replace(b"module", b"text/plain").replace(b"crossorigin", b"data-gradio")
"""Gradio's own module, which early.js loads: it would take the line from the first picture."""

FIRST_MODULES: Final = ("early.js", "tabs/inspect.js")
"""The page, and the tab that it opens on."""

_IMPORT: Final = re.compile(r'^(?:import|export|\}).*? from "(\.[^"]+)";$', re.MULTILINE)
_LEAST_BYTES: Final = 1024
_LEVEL: Final = 4  # of 9: a heat map of 100 kB takes 2 ms


class FirstLoad:
    """Adds to the page what draws it, and compresses it and the responses to its requests."""

    def __init__(self, app: ASGIApp, modules: Sequence[str]) -> None:
        """modules: addresses relative to the page."""
        self._app = app
        links = "".join(f'<link rel="modulepreload" href="{one}">' for one in modules)
        self._parts = {
            GRADIO: LATER,
            b"</head>": f"{links}</head>".encode(),
            b"</body>": f"{OPENING}</body>".encode(),
        }
        self._compressed = GZipMiddleware(self._linked, _LEAST_BYTES, _LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the page and its requests compressed; anything else as it is."""
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
        if scope["type"] == "http" and path in ("/", f"{ROOT}/ask"):
            await self._compressed(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _linked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a response, with the links in its head if it is the page."""
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                body = b"".join(parts)
                for old, new in self._parts.items():
                    body = body.replace(old, new, 1)
                MutableHeaders(scope=start)["content-length"] = str(len(body))
                await send(start)
                await send({**message, "body": body})

        is_page = scope["method"] == "GET"
        await self._app(scope, receive, collect if is_page else send)


def first_modules(folder: Path) -> tuple[str, ...]:
    """Return the addresses of the modules that the first view imports, directly or not."""
    found: dict[Path, None] = {}
    waiting = [(folder / name).resolve() for name in FIRST_MODULES]
    while waiting:
        module = waiting.pop(0)
        if module not in found:
            found[module] = None
            names = _IMPORT.findall(module.read_text("utf-8"))
            waiting += [(module.parent / name).resolve() for name in names]
    base = folder.resolve()
    return tuple(f".{ROOT}/app/{one.relative_to(base).as_posix()}" for one in found)
