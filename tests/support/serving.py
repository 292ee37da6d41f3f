"""A folder served over HTTP on this machine, and the proxy of an app that is asleep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


@dataclass
class Served:
    """The address, and the paths of which parts were asked for, with the bytes that were sent."""

    url: str = ""
    sent: list[tuple[str, int]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(count for _, count in self.sent)


class Ranges(SimpleHTTPRequestHandler):
    """Sends the part of a file that a request names."""

    protocol_version = "HTTP/1.0"

    def __init__(self, *arguments: Any, served: Served, ranges: bool, **keywords: Any) -> None:
        self._served, self._ranges = served, ranges
        super().__init__(*arguments, **keywords)

    def do_GET(self) -> None:
        path, asked = Path(self.translate_path(self.path)), self.headers.get("Range")
        if not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        low, high, code = 0, len(content), 200
        if self._ranges and asked:
            start, _, end = asked.removeprefix("bytes=").partition("-")
            low, high, code = int(start), min(int(end or high) + 1, high), 206
        self.send_response(code)
        if self._ranges:
            self.send_header("Accept-Ranges", "bytes")
        if code == 206:
            self.send_header("Content-Range", f"bytes {low}-{high - 1}/{len(content)}")
        self.send_header("Content-Length", str(high - low))
        self.end_headers()
        if code == 206 or not self._ranges:  # fsspec asks whether a file exists by a GET, unread
            self._served.sent.append((self.path, high - low))
        with suppress(ConnectionError):
            self.wfile.write(content[low:high])

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve(folder: Path, ranges: bool = True) -> Iterator[Served]:
    """Serve a folder on a free port of 127.0.0.1."""
    served = Served()
    handler = partial(Ranges, directory=str(folder), served=served, ranges=ranges)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Asleep(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        page = b"<!doctype html><title>This Space is sleeping</title><h1>It is waking up</h1>"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(503)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def asleep(port: int) -> Iterator[None]:
    """Answer all requests at a port as the proxy of a Space does while the Space sleeps."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Asleep)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
