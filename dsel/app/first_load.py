"""The first load of the page over a slow line: compressed, and all that it needs requested with it.

Gradio loads its own page before it runs dsel's, and a browser learns of a module only from the
module that imports it. The head of the page names all of them, and asks for the first view. Gradio
compresses its files, but neither the page itself nor the responses to its requests.
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

OPENING: Final = """<script type="module">
import { open } from "./ROOT/app/main.js";
window.dsel_opened = open("./ROOT/");
</script>""".replace("./ROOT", f".{ROOT}")
"""Asks for the first view, whose response then waits for Gradio and not Gradio for it."""

FIRST_MODULES: Final = ("main.js", "tabs/inspect.js")
"""The page, and the tab that it opens on."""

_IMPORT: Final = re.compile(r'^(?:import|export|\}).*? from "(\.[^"]+)";$', re.MULTILINE)
_LEAST_BYTES: Final = 1024
_LEVEL: Final = 4  # of 9: a heat map of 100 kB takes 2 ms


class FirstLoad:
    """Adds the links to the page, and compresses it and the responses to its requests."""

    def __init__(self, app: ASGIApp, modules: Sequence[str]) -> None:
        """modules: addresses relative to the page."""
        self._app = app
        links = [f'<link rel="modulepreload" fetchpriority="low" href="{one}">' for one in modules]
        self._links = "".join([*links, OPENING])
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
                body = b"".join(parts).replace(b"</head>", self._links.encode() + b"</head>", 1)
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
