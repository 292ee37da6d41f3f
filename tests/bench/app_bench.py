"""Measures the app on a run of 10 classes x 1,000 images, in Chromium and under many visitors.

    python tests/bench/app_bench.py
    python tests/bench/app_bench.py --run RUN --moves 40 --visitors 20 --seconds 60

The run is made by tiling the demo run. In the browser, the time of a slider's move is that from the
input event to the frame after the one in which the page drew the answer; the first three moves of
a slider are not counted, and every move is to a value that was not asked for before. `python` is
the same work without browser and network: what Python takes to answer a move. Visitors are clients
that speak to the app as its page does, each with settings of its own, and check that every answer
is of those. Prints one JSON object; all times in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.browsing import FLAGS, SEEN, served  # noqa: E402
from support.tiled import tiled_run  # noqa: E402

from dsel.app.rpc import respond  # noqa: E402
from dsel.app.state import AppState  # noqa: E402
from dsel.assets import DEMO_RUN, asset  # noqa: E402
from dsel.runs import open_run  # noqa: E402

MOVE = """async ([selector, value]) => {
    const input = document.querySelector(selector), root = document.querySelector('.dsel');
    const before = root.dataset.painted;
    const began = performance.now();
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    input.dispatchEvent(new Event('change', { bubbles: true }));
    while (root.dataset.painted === before) {
        if (performance.now() - began > 20000) throw new Error('nothing was painted');
        await new Promise(resolve => setTimeout(resolve, 1));
    }
    return performance.now() - began;
}"""
"""Move a widget, and wait until the page says that another view was painted."""

SLIDERS = {
    "timestep": "[data-name=timesteps] input",
    "patch_px": "[data-name=patch_px] input",
    "clusters": "[data-name=clusters] input",
}
UNCOUNTED = 3
REST_S = 150
"""After that, what nobody asks for has left the app's memory."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        path = options.run or Path(folder) / "run"
        if not path.exists():
            tiled_run(path, open_run(asset(DEMO_RUN)), options.per_class)
        figures: dict[str, Any] = {"images_per_class": options.per_class}
        figures["python"] = python_side(path, options.moves)
        with served(path) as url:
            figures |= browser_side(url, options.moves)
            if options.visitors:
                figures["visitors"] = crowd(url, options.visitors, options.seconds)
    print(json.dumps(figures, indent=2))


def python_side(path: Path, moves: int) -> dict[str, Any]:
    """The time that Python takes for the requests of a move, one after the other."""
    state = AppState(path)
    name, image = state.first.classes[0], state.first.scores(0).ids[0]

    def ask(method: str, params: Mapping[str, Any], **values: Any) -> None:
        view = urlencode({"class": name, "image": image, **values}, doseq=True)
        request = {"method": method, "view": view, "params": params}
        response = json.loads(respond(state, json.dumps(request)))
        assert "result" in response, response

    found = {}
    for slider, values in _values(state, moves).items():
        times = []
        for value in values:
            began = time.perf_counter()
            for method, params in (("image", {}), ("gallery", {"rows": 60})):
                ask(method, params, **{slider: value})
            times.append(1000 * (time.perf_counter() - began))
        found[slider] = spread(times[UNCOUNTED:])
    return found


def _values(state: AppState, moves: int) -> dict[str, list[Any]]:
    """Values of each slider that differ from one another, as far as it has so many."""
    geometry = state.first.geometry
    scored, cell = sorted(geometry.timesteps), geometry.cell_px
    ranges = [
        scored[start:end]
        for start in range(len(scored))
        for end in range(start + 1, len(scored) + 1)
    ]
    sides = range(cell, geometry.resolution_px + 1, cell)
    return {
        "timesteps": _shuffled(ranges)[:moves],
        "patch_px": _shuffled(list(sides))[:moves],
        "clusters": _shuffled(list(range(2, 101)))[:moves],
    }


def _shuffled(values: list[Any]) -> list[Any]:
    return random.Random(0).sample(values, len(values))


def browser_side(url: str, moves: int) -> dict[str, Any]:
    """Times in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        opened = [opened(browser, url)[0] for _ in range(4)]
        page = opened(browser, url)[1]
        found = {
            # the first visitor's page waits for what the server reads and imports
            "first_heat_map": {"first": round(opened[0], 1), "later": spread(opened[1:])},
            "slider": {name: _slide(page, at, moves) for name, at in SLIDERS.items()},
            "class_change": spread(list(_classes(page))),
            "lasso": spread(list(_lassos(opened(browser, url)[1]))),
        }
        browser.close()
    return found


def opened(browser: Any, url: str) -> tuple[float, Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(SEEN)
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(".dsel[data-painted] .detail canvas")
    return 1000 * (time.perf_counter() - began), page


def _slide(page: Any, selector: str, moves: int) -> dict[str, float]:
    low, high, step = (
        page.eval_on_selector(selector, f"input => Number(input.{end})")
        for end in ("min", "max", "step")
    )
    values = _shuffled(list(np.arange(low, high + step / 2, step)))
    now = page.eval_on_selector(selector, "input => Number(input.value)")
    times = []
    for n in range(min(moves, 4 * len(values))):
        value = values[n % len(values)]
        if value != now:
            times.append(page.evaluate(MOVE, [selector, value]))
        now = value
    return spread(times[UNCOUNTED:])


def _classes(page: Any) -> Iterator[float]:
    names = page.eval_on_selector_all(".pick option", "all => all.map(one => one.value)")
    for name in names[1:]:
        yield page.evaluate(MOVE, [".pick select", name])


LASSO = """async () => {
    const root = document.querySelector('.dsel');
    const count = () => root.querySelector('#dsel-panel-clusters .gallery .count').textContent;
    const before = count(), began = performance.now();
    while (count() === before) {
        if (performance.now() - began > 20000) throw new Error('the gallery does not follow');
        await new Promise(resolve => setTimeout(resolve, 1));
    }
    return performance.now() - began;
}"""


def _lassos(page: Any) -> Iterator[float]:
    """From letting the mouse go to the filtered gallery; every lasso is around another part."""
    page.get_by_role("tab", name="Clusters").click()
    page.wait_for_selector("#dsel-panel-clusters .gallery .cell")
    page.wait_for_selector("#dsel-panel-clusters .points path")
    box = page.locator("#dsel-panel-clusters .nsewdrag").first.bounding_box()
    for n in range(8):
        x, y = box["x"] + 20 + 5 * n, box["y"] + 20
        width, height = (box["width"] - 60) * (0.4 + 0.05 * n), box["height"] - 60
        page.mouse.move(x, y)
        page.mouse.down()
        for across, down in ((1, 0), (1, 1), (0, 1), (0, 0.1)):
            page.mouse.move(x + across * width, y + down * height, steps=6)
        page.evaluate(f"() => {{ window.lasso = ({LASSO})(); }}")
        page.mouse.up()
        yield page.evaluate("() => window.lasso")


def crowd(url: str, visitors: int, seconds: float) -> dict[str, Any]:
    """Many at once, each with settings of its own; memory is that of the app's process."""
    server = _server_of(url)
    _visit(url, 0, time.perf_counter() + 2, [], [])  # what is read once is read
    before = server.memory_info().rss
    times: list[float] = []
    wrong: list[str] = []
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_visit, args=(url, n, end, times, wrong)) for n in range(visitors)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = server.memory_info().rss
    time.sleep(REST_S)
    return {
        "visitors": visitors,
        "seconds": seconds,
        "moves": len(times),
        "errors": len(wrong),
        "first_error": wrong[:1],
        "move": spread(times),
        "memory_mb": {
            "before": before // 2**20,
            "at_the_end": peak // 2**20,
            f"{REST_S}_s_later": server.memory_info().rss // 2**20,
        },
    }


def _visit(url: str, number: int, end: float, times: list[float], wrong: list[str]) -> None:
    """Move sliders until the end; every result must be of the settings of its request."""
    rng = random.Random(number)
    ask = _asker(url)
    start = ask("start", "")
    name = rng.choice(start["classes"])["name"]
    while time.perf_counter() < end:
        side, clusters = rng.randrange(8, 129, 8), rng.randint(1, 60)
        view = urlencode({"class": name, "patch_px": side, "clusters": clusters})
        began = time.perf_counter()
        try:
            image, page = ask("image", view), ask("gallery", view)
        except Exception as error:  # noqa: BLE001  # counted, whatever it is
            wrong.append(repr(error))
            continue
        times.append(1000 * (time.perf_counter() - began))
        boxes = [patch["box"] for patch in (*page["rows"], image["explanation"]["patch"])]
        mine = {box[2] for box in boxes} == {side} and len(page["counts"]) <= clusters
        if not mine or not image["image_id"].startswith(f"{name}/"):
            wrong.append(f"visitor {number} requested {view}, and got other settings")
        time.sleep(rng.uniform(0.2, 0.6))


def _asker(url: str) -> Callable[[str, str], Any]:
    def ask(method: str, view: str) -> Any:
        text = json.dumps({"method": method, "view": view})
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/_dsel/ask", text.encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as reply:
            response = json.loads(reply.read())
        if "error" in response:
            raise RuntimeError(response["error"]["message"])
        return response["result"]

    return ask


def _server_of(url: str) -> psutil.Process:
    port = int(url.rpartition(":")[2])
    for child in psutil.Process().children(recursive=True):
        if any(c.laddr.port == port for c in child.net_connections() if c.status == "LISTEN"):
            return child
    raise RuntimeError(f"no process listens at {url}")


def spread(times: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(times, [50, 95])
    return {"median": round(float(p50), 1), "p95": round(float(p95), 1), "count": len(times)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="run folder to open; created if missing")
    parser.add_argument("--per-class", type=int, default=1000)
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
