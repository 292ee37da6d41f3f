"""The door of the app: which requests of the web reach it at all, and how large they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dsel.app.visitors import Hosts, refusal
from dsel.app.wire import one_line

MOST_BYTES: Final = 4 << 20
"""Bytes of a request's body, at most; uploads have a limit of their own."""

ROOT: Final = "/_dsel"
"""Where the page's own addresses begin."""

UPLOAD: Final = f"{ROOT}/upload"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"

CLOSED: Final = re.compile(
    r"(/gradio_api)?/(file[=/].*|proxy=.*|upload|upload_progress|component_server|stream/.*"
    r"|process_recording|vibe.*|undo-vibe.*|dev/.*|profiling/.*|deep_link|runs|run-history/.*"
    r"|custom_component/.*)/?|/monitoring.*|/login",
    re.DOTALL,
)
"""Routes of Gradio that dsel does not use: they read and write files, or tell what others do."""


class Guard:
    """Refuses requests for foreign hosts, from foreign pages, of foreign routes and kinds.

    A page of another origin can send a form or plain text without asking first, so a body must be
    of a type that a form cannot have.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request in one line, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, method = Headers(scope=scope), scope["method"]
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/"))
        line, status = refusal(headers, method, self.hosts), 403
        if not line:
            line, status = _problem(headers, method, path)
        if line:
            await PlainTextResponse(line, status)(scope, receive, send)
            return
        await self.app(scope, receive if path == UPLOAD else _limited(receive), send)


def invalid(_: Request, error: Exception) -> Response:
    """Say in one line what is wrong with a request to one of Gradio's routes.

    FastAPI would repeat the whole request.
    """
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    return JSONResponse({"detail": one_line(f"{place}: {problem['msg']}")}, 422)


def _problem(headers: Mapping[str, str], method: str, path: str) -> tuple[str, int]:
    """Return what is wrong with a request in one line, and the status; "" if nothing is."""
    if CLOSED.fullmatch(path):
        return "dsel has no such page", 404
    if method not in ("POST", "PUT", "PATCH", "DELETE"):
        return "", 200
    wanted = BYTES if path == UPLOAD else JSON
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        return f"the content type must be {wanted}, got {given[:60]!r}", 415
    if path != UPLOAD and _length(headers) > MOST_BYTES:
        return f"a request must have at most {MOST_BYTES} bytes, got {_length(headers)}", 413
    return "", 200


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text[:19]) if text.isdecimal() else 0


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that breaks off a body of an unknown length that is too large."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise HTTPException(413, f"a request must have at most {MOST_BYTES} bytes")
        return message

    return limited
