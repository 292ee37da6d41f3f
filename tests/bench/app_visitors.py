"""Many visitors at once: clients and two browsers that open every tab, and what they were told."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from app_browser import address, browser, painted, settled, spread
from support.browsing import SETTLED

from dsel.app.access import access_of
from dsel.app.rpc import respond
from dsel.app.state import AppState, open_state

CYCLES = 3
BROWSERS = 2
SETTINGS = 5
"""Different settings of the clients in a cycle; each browser has others."""

MOST_MB = 100
"""What memory may grow by from the first cycle to the last."""

REQUESTS = {
    "inspect": [("image", {}), ("gallery", {"rows": 60})],
    "map": [("map_points", {}), ("map_ids", {}), ("map_marks", {})],
    "find": [("find", {"rows": 60}), ("class_figures", {})],
    "clusters": [("gallery", {"rows": 60}), ("cluster_cards", {}), ("marks", {})],
    "distilled": [("distilled", {}), ("quality", {}), ("overrides", {})],
    "compare": [("compare", {"rows": 60})],
    "baselines": [("baselines", {"seed": 0}), ("baseline_selection", {"seed": 0})],
    "evaluate": [("evaluations", {}), ("evaluate_options", {}), ("sweeps", {})],
    "score": [("score_options", {})],
    "export": [("export_summary", {}), ("export_commands", {})],
}
"""What the page requests when a tab is opened."""

TABS = tuple(REQUESTS)

BY_CLASSES = {"map_marks": 20, "distilled": 10, "quality": 10}
"""Requests that name classes, and how many the page names at once."""


PAINTED = """tab => {
    const { painted } = document.querySelector('.dsel').dataset;
    return new URLSearchParams(painted).get('tab') === tab
        && !document.querySelector('.panel:not([hidden]) [aria-busy=true]');
}"""


FITTED = {"layout_status", "projection"}
"""Answers that differ before and after a layout is fitted, whoever asks."""


@dataclass
class Heard:
    """Every request with its answer, what failed, and how long tabs took."""

    answers: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


@dataclass
class Tab:
    """A page, and its requests that have been answered since they were last read."""

    page: Any
    finished: list[Any] = field(default_factory=list)


def crowd(url: str, run: Path, visitors: int) -> dict[str, Any]:
    """Let visitors open every tab in cycles; memory is that of the app's process."""
    server, heard = _server_of(url), Heard()
    names = [one["name"] for one in _result(_ask(url, _request("start", "")))["classes"]]
    memory, cycles = [], []
    with browser() as chromium:
        pages = [_tab(chromium, url, heard) for _ in range(min(BROWSERS, visitors))]
        for cycle in range(CYCLES):
            began = time.perf_counter()
            threads = [
                threading.Thread(target=_visit, args=(url, number, cycle, names, heard))
                for number in range(visitors - len(pages))
            ]
            for thread in threads:
                thread.start()
            for number, page in enumerate(pages):
                _browse(page, number, cycle, names, heard)
            for thread in threads:
                thread.join()
            cycles.append(round(time.perf_counter() - began, 1))
            memory.append(server.memory_info().rss // 2**20)
    wrong = list(_wrong(run, heard.answers))
    grown = memory[-1] - memory[0]
    return {
        "visitors": {"clients": visitors - len(pages), "browsers": len(pages)},
        "cycles_s": cycles,
        "tabs_opened": len(heard.times),
        "tab": spread(heard.times),
        "answers": len(heard.answers),
        "errors": heard.errors[:3],
        "wrong": wrong[:3],
        "memory_mb": {"after_each_cycle": memory, "grown": grown, "goal": MOST_MB},
        "met": not wrong and not heard.errors and grown <= MOST_MB,
    }


def _settings(number: int, cycle: int, names: list[str]) -> dict[str, Any]:
    """Return settings that differ for each number and in each cycle."""
    rng = random.Random(f"{number} {cycle}")
    return {
        "class": rng.choice(names), "patch_px": rng.randrange(16, 129, 8),
        "clusters": rng.randint(2, 40), "ipc": 2 + number, "a": "patch_px=32",
    }  # fmt: skip


def _visit(url: str, number: int, cycle: int, names: list[str], heard: Heard) -> None:
    """Open every tab once, as a client that sends what the page does."""
    view = urlencode(_settings(number % SETTINGS, cycle, names))
    for tab in random.Random(f"{number} {cycle}").sample(TABS, len(TABS)):
        began = time.perf_counter()
        for method, params in REQUESTS[tab]:
            if method in BY_CLASSES:
                params = params | {"classes": names[: BY_CLASSES[method]]}
            _told(url, _request(method, f"{view}&tab={tab}", **params), heard)
        heard.times.append(1000 * (time.perf_counter() - began))


def _told(url: str, text: str, heard: Heard) -> None:
    """Ask until the answer is whole, as the page does."""
    answer = '{"result": {"ready": 0, "classes": 1}}'
    try:
        while _is_part(json.loads(answer)):
            answer = _ask(url, text)
        heard.answers.append((text, answer))
    except Exception as error:  # noqa: BLE001  # counted, whatever it is
        heard.errors.append(f"{text[:200]}: {error!r}")


def _is_part(answer: Any) -> bool:
    """Whether an answer is about the classes that there was time for; the next one has more."""
    found = answer.get("result")
    if not isinstance(found, dict) or not {"ready", "classes"} <= found.keys():
        return False
    return bool(found["ready"] < found["classes"])


def _tab(chromium: Any, url: str, heard: Heard) -> Tab:
    tab = Tab(settled(chromium, url))
    tab.page.on("requestfinished", lambda request: tab.finished.append(request))
    tab.page.on("pageerror", lambda error: heard.errors.append(str(error)))
    tab.page.on("console", lambda m: heard.errors.append(m.text) if m.type == "error" else None)
    return tab


def _browse(at: Tab, number: int, cycle: int, names: list[str], heard: Heard) -> None:
    """Open a link, and every tab once by a click, until the page says that it is painted."""
    page, values = at.page, _settings(SETTINGS + number, cycle, names)
    page.goto(page.url.partition("?")[0] + "?" + urlencode(values))
    page.wait_for_selector(SETTLED)
    at.finished.clear()
    for tab in TABS:
        page.locator(f"#dsel-tab-{tab}").click()
        page.wait_for_function(PAINTED, arg=tab)
        if painted(page) != address(page):
            heard.errors.append(f"{tab}: {page.url} shows {painted(page)}")
        toasts = page.locator(".toast.error").all_inner_texts()
        heard.errors.extend(f"{tab}: {toast}" for toast in toasts)
        for request in at.finished:
            if request.url.endswith("/ask"):
                texts = request.post_data, request.response().text()
                heard.answers += zip(*(text.split("\n") for text in texts), strict=True)
        at.finished.clear()


def _wrong(run: Path, answers: list[tuple[str, str]]) -> Iterator[str]:
    """Yield each request whose answer differs from that of an engine that nobody else uses."""
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(run, access_of("127.0.0.1"), Path(folder))
        expected: dict[str, Any] = {}
        for text, answer in answers:
            request, given = json.loads(text), json.loads(answer)
            if request["method"] in FITTED or _is_part(given):
                continue
            asked = _answered(request, given)
            if asked not in expected:
                expected[asked] = _whole(state, asked)
            if "result" not in given or given != expected[asked]:
                yield f"{text[:300]} -> {answer[:200]}"
        state.jobs.close()


def _answered(request: dict[str, Any], given: dict[str, Any]) -> str:
    """Return the request with the classes that were answered: of some, as many as time allowed."""
    if request["method"] == "map_marks" and "result" in given:
        request["params"]["classes"] = given["result"]["classes"]
    return json.dumps(request)


def _whole(state: AppState, text: str) -> Any:
    """Return the answer to all that was asked; what is in memory takes no time again."""
    while True:
        found = json.loads(respond(state, text))
        if not _is_part(found) and _answered(json.loads(text), found) == text:
            return found


def _request(method: str, view: str, **params: Any) -> str:
    return json.dumps({"method": method, "view": view, "params": params})


def _result(answer: str) -> Any:
    return json.loads(answer)["result"]


def _ask(url: str, text: str) -> str:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/_dsel/ask", text.encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as reply:
        return str(reply.read().decode())


def _server_of(url: str) -> psutil.Process:
    port = int(url.rpartition(":")[2])
    for child in psutil.Process().children(recursive=True):
        if any(c.laddr.port == port for c in child.net_connections() if c.status == "LISTEN"):
            return child
    raise RuntimeError(f"no process listens at {url}")
