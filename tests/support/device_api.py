"""The service that lends GPUs to a ZeroGPU Space, as far as its client, `spaces`, uses it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

GRANT = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "allowed"}


@dataclass
class Device:
    """What the service answers to requests for a GPU, and what it was asked.

    status and body: of the answer; a text is a stream of events. headers: of the answer.
    """

    status: int = 200
    body: Any = field(default_factory=lambda: GRANT)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def of(self, path: str) -> list[dict[str, str]]:
        """The parameters of the requests to a path."""
        return [found for where, found in self.asked if where == path]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, device: Device) -> None:
        self._device = device
        super().__init__(*arguments)

    def do_POST(self) -> None:
        parts, device = urlsplit(self.path), self._device
        device.asked.append((parts.path, dict(parse_qsl(parts.query))))
        if parts.path != "/schedule":
            self._answer(200, "{}", {"Content-Type": "application/json"})
            return
        is_text = isinstance(device.body, str)
        kind = "text/event-stream" if is_text else "application/json"
        body = device.body if is_text else json.dumps(device.body)
        self._answer(device.status, body, {"Content-Type": kind, **device.headers})

    def _answer(self, status: int, body: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def lend(device: Device) -> Iterator[Device]:
    """Serve the service on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, device=device))
    device.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield device
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def visitor_token() -> str:
    """A token as the proxy of a Space adds it to requests."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, {"user": "visitor"}))
    return ".".join([*(base64.urlsafe_b64encode(part).decode() for part in parts), ""])


def zerogpu(url: str, scratch: Path) -> dict[str, str]:
    """The environment of a ZeroGPU Space whose GPUs are lent at `url`; it writes to `scratch`."""
    cgroup = scratch / "cgroup"  # the file by which a Space knows its container
    cgroup.write_text("0::/kubepods.slice/pod.slice/container.scope\n")
    return {
        "SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": url,
        "HOME": str(scratch), "XDG_CACHE_HOME": str(scratch / "caches"),
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(cgroup),
    }  # fmt: skip
