"""The web addresses of the page: its files, its requests, uploads and downloads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dsel.app.guard import ROOT, UPLOAD
from dsel.app.hub_login import remember_login
from dsel.app.jobs.tasks import DOWNLOADS
from dsel.app.rpc import respond_all
from dsel.app.state import AppState
from dsel.app.visitors import Visitor
from dsel.app.wire import one_line
from dsel.app.zerogpu import remember_visitor
from dsel.assets import asset
from dsel.errors import DselError, SettingError

STATUSES: Final[Mapping[str, int]] = MappingProxyType({"quota": 429, "storage": 507})
"""The HTTP status of an error by its code, if it is not 400."""

Identify: TypeAlias = Callable[[Request], Visitor]
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def routes_of(state: AppState, identify: Identify) -> list[BaseRoute]:
    """Return the routes of the page on a state; `identify` tells who sends a request."""

    async def ask(request: Request) -> Response:
        """Respond to requests of the page, whose body is their text."""
        text, visitor = _text(await request.body()), identify(request)
        remember_visitor(request)
        owner = visitor.local and state.access.local
        remember_login(request.scope.get("session") or {}, owner)
        response = await run_in_threadpool(respond_all, state, text, visitor.local, visitor.address)
        return Response(response, media_type="application/json")

    async def upload(request: Request) -> Response:
        """Store the body under the name of the query; return the path that requests may use."""
        length, name = request.headers.get("content-length", ""), request.query_params.get("name")
        if not length.isdecimal():
            return PlainTextResponse("an upload must tell its length (Content-Length)", 411)
        visitor, size = identify(request).address, int(length[:19])
        path = await state.uploads.receive(name or "file", size, request.stream(), visitor)
        return PlainTextResponse(path)

    async def export(request: Request) -> Response:
        """Send the file that a job wrote; the token of the job is the right to have it."""
        token = request.path_params["token"]
        name = DOWNLOADS.get(state.jobs.task(token).kind)
        if name is None:
            raise SettingError("this job has no file to download")
        return FileResponse(state.jobs.result(token), filename=name)

    plotly = plotly_js()
    return [
        Mount(f"{ROOT}/app", StaticFiles(directory=asset("app").resolve())),
        Route(f"{ROOT}/plotly.min.js", lambda _: FileResponse(plotly)),
        Route(f"{ROOT}/ask", _readable(ask), methods=["POST"]),
        Route(UPLOAD, _readable(upload), methods=["POST"]),
        Route(f"{ROOT}/exports/{{token}}", _readable(export)),
    ]


def plotly_js() -> Path:
    """Return the plotting library, as the Python package contains it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def _readable(endpoint: Endpoint) -> Endpoint:
    """Turn an error that the visitor can fix into one line; a visitor who leaves is no error."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DselError as error:
            return PlainTextResponse(one_line(str(error)), STATUSES.get(error.code, 400))
        except ClientDisconnect:
            return PlainTextResponse("the request broke off", 400)

    return answer


def _text(body: bytes) -> str | bytes:
    """Return a body as text, or as it is if it is no text, which `respond` refuses."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
