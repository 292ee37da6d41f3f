"""A small Hugging Face Hub on this machine: datasets in memory, and the tokens that were sent."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPO = re.compile(r"/api/datasets/(?P<repo>[^/]+/[^/?]+)(?P<rest>.*)")


@dataclass
class Hub:
    """files: the content of each file by dataset. private: of each dataset. tokens: as sent."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    refuses: bool = False


@contextmanager
def local_hub() -> Iterator[Hub]:
    """Serve an empty Hub."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._respond(None)

        def do_POST(self) -> None:
            self._respond(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _respond(self, body: bytes | None) -> None:
            hub.tokens.add(self.headers.get("Authorization", ""))
            status, found = (403, {"error": "no"}) if hub.refuses else respond(hub, self.path, body)
            content = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def respond(hub: Hub, path: str, body: bytes | None) -> tuple[int, Any]:
    """Answer as the Hub does, as far as the client asks in a push."""
    if path == "/api/repos/create":
        asked = json.loads(body or b"{}")
        repo = asked.get("organization", "me") + "/" + asked["name"]
        is_new = repo not in hub.files
        if is_new:
            hub.files[repo] = {".gitattributes": b""}
            hub.private[repo] = asked.get("visibility") == "private"
        return (200 if is_new else 409), {"url": f"{hub.url}/datasets/{repo}", "name": repo}
    if path == "/api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    found = REPO.fullmatch(path)
    if found is None:
        return 404, {"error": path}
    repo, rest = found["repo"], found["rest"]
    files = hub.files[repo]
    if "/preupload/" in rest:
        asked = json.loads(body or b"{}")["files"]
        mode = {"uploadMode": "regular", "shouldIgnore": False}
        return 200, {"files": [{"path": one["path"], **mode} for one in asked]}
    if "/commit/" in rest:
        commit(files, body or b"")
        return 200, {"commitUrl": f"{hub.url}/datasets/{repo}/commit/0123", "commitOid": "0123"}
    entries = [{"type": "file", "path": p, "size": len(c), "oid": "0"} for p, c in files.items()]
    if "/tree/" in rest:
        return 200, entries
    siblings = [{"rfilename": name} for name in files]
    return 200, {"id": repo, "private": hub.private[repo], "siblings": siblings, "sha": "0123"}


def commit(files: dict[str, bytes], body: bytes) -> None:
    """Apply a commit: lines of JSON."""
    for line in body.splitlines():
        entry = json.loads(line)
        value = entry["value"]
        if entry["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif entry["key"] == "deletedFile":
            files.pop(value["path"], None)
