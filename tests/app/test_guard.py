"""Attacks on a served app: by foreign pages, through proxies, and by programs."""

from __future__ import annotations

import http.client
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.browsing import TOKEN, served
from support.synthetic import synthetic_run

JSON = {"Content-Type": "application/json"}
OWN = JSON | {"X-Dsel-Token": TOKEN}
BYTES = {"Content-Type": "application/octet-stream"}
SCORE = json.dumps({
    "method": "score_start",
    "params": {"source": {"kind": "toybox"}, "source_settings": {"per_class": 1}},
})  # fmt: skip
ASK, UPLOAD = "/_dsel/ask", "/_dsel/upload?name=pets.zip"


@dataclass
class Reply:
    """A status and a body."""

    status: int
    text: str

    @property
    def line(self) -> str:
        """The body, which is one short line."""
        assert "\n" not in self.text
        assert len(self.text) < 1500
        return self.text


class Sender:
    """Sends requests to an app as a program does."""

    def __init__(self, url: str, folder: Path, run: Path) -> None:
        self.url, self.folder, self.run = url, folder, run
        self.address = url.removeprefix("http://")

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=True)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode())
        finally:
            connection.close()

    def ask(self, method: str, headers: dict[str, str] = JSON, **more: Any) -> Any:
        reply = self.send("POST", ASK, json.dumps({"method": method, **more}), headers)
        return json.loads(reply.text)

    def jobs(self) -> int:
        """How many jobs there are, also those that are waiting."""
        return len(list((self.folder / "jobs").glob("*/job.json")))

    def uploads(self) -> list[Path]:
        return [path for path in (self.folder / "jobs" / "uploads").glob("*/*") if path.is_file()]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    folder = tmp_path_factory.mktemp("attacked")
    run = synthetic_run(folder / "secret place" / "run", classes=2, per_class=4).path
    with served(run, DSEL_JOBS=str(folder / "jobs")) as url:
        yield Sender(url, folder, run)


# Hosts and origins

EVIL_PAGE = {"Origin": "https://evil.example"}
FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "evil.example:7860"},
    {"Host": "192.0.2.1"},
    EVIL_PAGE,
    {"Origin": "http://localhost:1234"},
    {"Origin": "http://127.0.0.1:1234"},
    {"Origin": "null"},
    {"X-Forwarded-Host": "evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_guard__a_foreign_host_or_page_gets_nothing(app: Sender, foreign: dict[str, str]) -> None:
    before = app.jobs()
    for method, path, body, headers in (
        ("GET", "/", None, {}),
        ("GET", "/config", None, {}),
        ("GET", "/_dsel/app/main.js", None, {}),
        ("GET", "/gradio_api/info", None, {}),
        ("POST", ASK, '{"method": "images"}', OWN),
        ("POST", ASK, SCORE, OWN),
        ("POST", UPLOAD, b"12345", BYTES | {"X-Dsel-Token": TOKEN}),
        ("POST", "/gradio_api/call/classes", '{"data": [""]}', JSON),
        ("POST", "/gradio_api/queue/join", '{"data": []}', JSON),
    ):
        reply = app.send(method, path, body, headers | foreign)
        assert reply.status == 403, path
        assert reply.line.startswith("dsel does not answer")
    assert app.jobs() == before
    assert app.uploads() == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
             "multipart/form-data; boundary=x", "", None],
)  # fmt: skip
def test_guard__what_a_form_of_any_page_can_send_starts_nothing(
    app: Sender, kind: str | None
) -> None:
    before, headers = app.jobs(), {} if kind is None else {"Content-Type": kind}
    for path in (ASK, UPLOAD, "/gradio_api/call/classes", "/gradio_api/queue/join"):
        reply = app.send("POST", path, SCORE, headers)
        assert reply.status == 415
        assert "the content type must be application/" in reply.line
    assert (app.jobs(), app.uploads()) == (before, [])


def test_guard__a_link_of_another_page_opens_the_app(app: Sender) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert app.send("GET", "/?ipc=3", None, followed).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd", "/gradio_api/file=https://example.org/",
        "/gradio_api/file/etc/passwd", "/gradio_api/proxy=https://example.org", "/file=/etc/passwd",
        "/gradio_api/stream/x", "/gradio_api/custom_component/x/client/component/style.css",
        "/gradio_api/upload_progress?upload_id=x", "/monitoring", "/gradio_api/vibe-code",
        "/_dsel/app/../rpc.py", "/_dsel/app/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/_dsel/app/..%2f..%2fetc/passwd", "/_dsel/nothing",
    ],
)  # fmt: skip
def test_guard__other_files_and_hosts_are_not_served(app: Sender, path: str) -> None:
    reply = app.send("GET", path)
    assert reply.status in (404, 405)
    assert len(reply.text) < 200


# Who is local


def trusted(app: Sender, headers: dict[str, str]) -> bool:
    return bool(app.ask("score_options", OWN | headers)["result"]["trusted"])


def test_token__makes_a_visitor_local(app: Sender) -> None:
    assert trusted(app, {})
    assert trusted(app, {"Origin": app.url})
    assert trusted(app, {"Host": "localhost:9000", "Origin": "http://localhost:9000"})  # a tunnel
    assert not trusted(app, {"X-Dsel-Token": ""})
    assert not trusted(app, {"X-Dsel-Token": "another-token-of-a-start"})
    hint = app.ask("score_options")["result"]["hint"]
    assert hint.endswith("open the address that the app printed when it started.")


@pytest.mark.parametrize(
    "header",
    [
        "CF-Connecting-IP", "True-Client-IP", "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via",
        "X-Forwarded-Proto", "X-Client-IP", "Fastly-Client-IP", "X-Cluster-Client-IP",
    ],
)  # fmt: skip
def test_token__does_not_count_behind_a_proxy(app: Sender, header: str) -> None:
    for value in ("127.0.0.1", "203.0.113.9", "for=127.0.0.1", ""):
        assert not trusted(app, {header: value})


def test_token__without_it_no_folder_is_scored(app: Sender, tmp_path: Path) -> None:
    params = {"source": {"kind": "folder", "path": str(tmp_path)}}
    message = app.ask("score_start", params=params)["error"]["message"]
    assert "opened with the address that the app printed when it started" in message
    assert app.jobs() == 0


# Bodies


def chunks(count: int) -> Iterator[bytes]:
    yield from (b"x" * 65536 for _ in range(count))


def test_bodies__too_large(app: Sender) -> None:
    for path in (ASK, "/gradio_api/call/classes", "/gradio_api/queue/join"):
        reply = app.send("POST", path, b"x" * (5 << 20), JSON)
        assert (reply.status, "at most 4194304 bytes" in reply.line) == (413, True)
        reply = app.send("POST", path, chunks(80), JSON | {"Transfer-Encoding": "chunked"})
        assert reply.status in (400, 413)
        assert len(reply.text) < 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff\xfe\x00", "a request must be a text, got bytes"),
        (b"", "a request must be JSON, got ''"),
        (b"3", "a request must be an object with a method, got '3'"),
        (b"[" * 100_000, "a request must be JSON, got '[["),
        (b'{"method": "image", "params": {"nth": -2}}', "nth must be a whole number of at least 0"),
        (SCORE.replace('"params"', '"setting": 1, "params"').encode(), "unknown parameter 'setti"),
        (SCORE.replace('"toybox"', '"toybox", "per_class": 9').encode(), "unknown parameter 'per"),
        (b'{"method": "gallery", "view": "class=' + b"y" * 200_000 + b'"}', "unknown class 'yyy"),
    ],
)
def test_bodies__that_are_no_request(app: Sender, body: bytes, words: str) -> None:
    reply = app.send("POST", ASK, body, JSON)
    assert reply.status == 200
    error = json.loads(reply.line)["error"]
    assert error["code"] == "setting"
    assert error["message"].startswith(words)
    assert app.jobs() == 0


def test_bodies__that_gradio_refuses_are_not_repeated(app: Sender) -> None:
    for path in ("/gradio_api/queue/join", "/gradio_api/call/patches", "/gradio_api/run/patches"):
        reply = app.send("POST", path, json.dumps({"data": "x" * 200_000}), JSON)
        assert reply.status in (400, 422)
        assert len(reply.line) < 1000


# Uploads


def test_uploads__20_at_once(app: Sender, tmp_path: Path) -> None:
    content = b"0123456789abcdef" * 65536
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(app.send, "POST", UPLOAD, content, BYTES) for _ in range(20)]
        replies = [call.result() for call in calls]
    stored = {reply.line for reply in replies if reply.status == 200}
    assert len(stored) == sum(reply.status == 200 for reply in replies) >= 1
    for reply in replies:
        assert reply.status == 200 or (reply.status == 429 and "try again" in reply.line)
    files = app.uploads()
    assert sorted(f"{file.parent.name}/{file.name}" for file in files) == sorted(stored)
    assert all(file.read_bytes() == content for file in files)
    for file in files:
        file.unlink()
        file.parent.rmdir()


def test_uploads__that_are_refused(app: Sender) -> None:
    reply = app.send("POST", UPLOAD, b"1", BYTES | {"Content-Length": str(3 << 30)})
    assert (reply.status, reply.line) == (
        400, "the file has 3072 MiB; at most 2048 MiB can be uploaded here",
    )  # fmt: skip
    reply = app.send("POST", UPLOAD, chunks(1), BYTES | {"Transfer-Encoding": "chunked"})
    assert (reply.status, reply.line) == (411, "an upload must tell its length (Content-Length)")
    assert app.send("POST", "/gradio_api/upload", b"1", JSON).status == 404
    assert app.uploads() == []


# Paths


def test_paths__none_is_visible_from_elsewhere(app: Sender) -> None:
    token = app.ask("export_start", view="ipc=1")["result"]["token"]
    while (report := app.ask("job", params={"token": token})["result"])["state"] != "done":
        assert report["state"] in ("waiting", "running"), report
    assert report["download"]["path"] == f"exports/{token}"
    views = ("", "pixels=source")
    shown = [
        *(app.send("GET", path).text for path in ("/", "/config", "/gradio_api/info")),
        *(json.dumps(app.ask(method, view=view)) for view in views for method in (
            "start", "gallery", "export_summary", "export_commands", "score_options", "evaluations",
        )),
        json.dumps(report),
    ]  # fmt: skip
    places = (str(app.run), str(app.folder), str(Path(__file__).parents[2]), "site-packages")
    for text in shown:
        assert not [place for place in places if place in text]


def test_paths__beside_an_export_nothing_is_served(app: Sender) -> None:
    token = app.ask("export_start", view="ipc=1")["result"]["token"]
    while app.ask("job", params={"token": token})["result"]["state"] != "done":
        pass
    with urllib.request.urlopen(f"{app.url}/_dsel/exports/{token}", timeout=60) as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="dsel_export.zip"'
        (app.folder / "got.zip").write_bytes(response.read())
    assert zipfile.is_zipfile(app.folder / "got.zip")
    exports = (app.folder / "jobs").glob("*/dsel_export.zip")
    file = max(exports, key=lambda path: path.stat().st_mtime)
    assert file.read_bytes() == (app.folder / "got.zip").read_bytes()
    for path in (
        f"/_dsel/exports/{token}/../job.json", f"/_dsel/exports/{token}/job.json",
        f"/gradio_api/file={file}", f"/gradio_api/file={file.with_name('job.json')}",
        f"/_dsel/exports/{file.parent.name}",
    ):  # fmt: skip
        assert app.send("GET", path).status in (400, 404)


# What keeps working


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """An app behind a proxy, which has a name."""
    folder = tmp_path_factory.mktemp("public")
    run = synthetic_run(folder / "run", classes=2, per_class=4).path
    with served(run, DSEL_JOBS=str(folder / "jobs"), DSEL_HOSTS="dsel.example.org") as url:
        yield Sender(url, folder, run)


PASSED_ON = [
    {"Host": "dsel.example.org", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "dsel.example.org", "X-Forwarded-Proto": "https", "X-Real-IP": "::2"},
]


@pytest.mark.parametrize("passed_on", PASSED_ON)
def test_proxy__serves_the_app_by_its_public_name(
    public: Sender, passed_on: dict[str, str]
) -> None:
    page = public.send("GET", "/", None, passed_on)
    assert page.status == 200
    assert '"root":"https://dsel.example.org"' in page.text.replace(": ", ":")
    own = passed_on | {"Origin": "https://dsel.example.org"}
    assert "result" in public.ask("start", JSON | own)
    assert not trusted(public, own)
    assert public.send("POST", UPLOAD, b"12345", BYTES | own).status == 200
    for other in (EVIL_PAGE, {"Origin": "https://dsel.example.org:444"}):
        assert public.send("POST", ASK, SCORE, JSON | passed_on | other).status == 403
    assert trusted(public, {})  # who sits at the machine itself


def test_space__serves_the_app_by_its_name(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=4).path
    space = {"SPACE_ID": "me/dsel", "SPACE_HOST": "me-dsel.hf.space", "SYSTEM": "spaces"}
    with served(run, DSEL_JOBS=str(tmp_path / "jobs"), **space) as url:
        app = Sender(url, tmp_path, run)
        named = {"Host": "me-dsel.hf.space", "X-Forwarded-For": "203.0.113.9"}
        own = named | {"Origin": "https://me-dsel.hf.space"}
        assert app.send("GET", "/", None, named).status == 200
        assert app.send("GET", "/", None, {"Host": "10.0.0.7:7860"}).status == 200  # its own checks
        options = app.ask("score_options", OWN | own)["result"]
        assert (options["trusted"], options["upload_bytes"]) == (False, 512 << 20)
        assert "folder" not in options["kinds"]
        for foreign in (EVIL_PAGE, {"Origin": "https://you-dsel.hf.space"}):
            assert app.send("POST", ASK, SCORE, JSON | named | foreign).status == 403
        assert app.send("GET", "/", None, {"Host": "you-dsel.hf.space"}).status == 403


def test_public_functions__by_gradios_client(app: Sender) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(app.url, verbose=False)
    assert client.predict(api_name="/classes") == ["disc", "square"]
    assert len(client.predict("disc", "patch_px=32", api_name="/patches")) == 4
    with pytest.raises(AppError, match="must be at most 1024 for remote visitors"):
        client.predict("disc", "clusters=10000&ipc=100000", api_name="/patches")


def test_public_functions__by_http(app: Sender) -> None:
    reply = app.send("POST", "/gradio_api/call/classes", '{"data": [""]}', JSON)
    found = app.send("GET", f"/gradio_api/call/classes/{json.loads(reply.text)['event_id']}")
    assert 'data: [["disc", "square"]]' in found.text
