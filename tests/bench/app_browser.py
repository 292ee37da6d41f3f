"""The app in Chromium: opening it, its sliders, its classes, its lasso, and a slow line."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from support.browsing import FLAGS, SEEN, SETTLED

LINE = {"offline": False, "latency": 40, "downloadThroughput": 125_000, "uploadThroughput": 125_000}
"""1 Mbit/s: bytes per second, and milliseconds from a request to the head of its response."""

FIRST_PICTURE = """() => {
    const image = document.querySelector('.dsel[data-painted] .detail .heat-map img');
    return image && image.complete && image.naturalWidth
        && document.querySelector('.detail canvas');
}"""

LOADED = """() => {
    const all = performance.getEntriesByType('resource').filter(one => one.responseEnd);
    const page = performance.getEntriesByType('navigation')[0];
    const kB = some => Math.round(some.reduce((sum, one) => sum + one.transferSize, 0) / 1000);
    const ours = all.filter(one => one.name.includes('/_dsel/'));
    const answers = ours.filter(one => one.name.endsWith('/ask'));
    return {
        requests: all.length + 1,
        kB: kB([page, ...all]),
        kB_page: kB([page]),
        kB_answers: kB(answers),
        kB_modules_and_styles: kB(ours.filter(one => !answers.includes(one))),
        kB_gradio: kB(all.filter(one => !ours.includes(one))),
    };
}"""
"""What was transferred so far, with the heads of responses."""

MOVE = """([selector, value]) => new Promise(resolve => {
    const widget = document.querySelector(selector), root = document.querySelector('.dsel');
    const before = root.dataset.painted;
    const observer = new MutationObserver(() => {
        if (root.dataset.painted === before) return;
        observer.disconnect();
        resolve(performance.now() - began);
    });
    observer.observe(root, { attributes: true, attributeFilter: ['data-painted'] });
    setTimeout(() => resolve(null), 15000);
    const began = performance.now();
    if (value === null) return widget.click();
    widget.value = value;
    widget.dispatchEvent(new Event('input', { bubbles: true }));
    widget.dispatchEvent(new Event('change', { bubbles: true }));
})"""
"""Move a slider or press a button; the page says what it has painted after the frame that shows it.

Null where nothing was painted: the slider was there already.
"""

LASSO = """() => new Promise((resolve, reject) => {
    const count = document.querySelector('#dsel-panel-clusters .gallery .count');
    const began = performance.now();
    const observer = new MutationObserver(() => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    observer.observe(count, { childList: true, characterData: true, subtree: true });
    setTimeout(() => reject(new Error('the gallery does not follow')), 30000);
})"""

SLIDERS = {
    "timesteps": "[data-name=timesteps] input",
    "patch_px": "[data-name=patch_px] input",
    "clusters": "[data-name=clusters] input",
}
UNCOUNTED = 1
REST_MS = 150
"""What a hand rests between two moves."""


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        yield found
        found.close()


def opened(chromium: Any, url: str, slow: bool = False) -> tuple[float, Any]:
    """Open a page in a browser without a cache; the time to its first heat map and image."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(SEEN)
    page = context.new_page()
    page.set_default_timeout(120_000)
    if slow:
        line = context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.emulateNetworkConditions", LINE)
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(FIRST_PICTURE)
    return 1000 * (time.perf_counter() - began), page


def settled(chromium: Any, url: str) -> Any:
    """Open a page, and wait until all of it is loaded."""
    page = opened(chromium, url)[1]
    page.wait_for_selector(SETTLED)
    page.wait_for_timeout(1500)
    return page


def painted(page: Any) -> dict[str, list[str]]:
    """Return the view that the page says it shows."""
    return _view(page.get_attribute(".dsel", "data-painted"))


def address(page: Any) -> dict[str, list[str]]:
    """Return the view that the page was asked for."""
    return _view(page.url.partition("?")[2])


def _view(query: str) -> dict[str, list[str]]:
    """Return the settings of a view, without the tab, and the image that the page has chosen."""
    left_out = ("tab", "image")
    return {name: values for name, values in parse_qs(query).items() if name not in left_out}


def opening(url: str, repeats: int) -> dict[str, Any]:
    times = []
    with browser() as chromium:
        for _ in range(repeats + 1):
            took, page = opened(chromium, url)
            times.append(took)
            page.context.close()
    return {"first": round(times[0], 1), "later": spread(times[1:], median=2000)}


def slow_line(url: str, repeats: int) -> dict[str, Any]:
    times = []
    with browser() as chromium:
        opened(chromium, url)[1].context.close()
        for _ in range(repeats):
            took, page = opened(chromium, url, slow=True)
            times.append(took)
            loaded = page.evaluate(LOADED)
            page.context.close()
    return {"first_picture": spread(times, median=4000), "before_it": loaded}


def library(url: str) -> dict[str, Any]:
    """Open Clusters over the slow line, right after the first picture."""
    with browser() as chromium:
        _, page = opened(chromium, url, slow=True)
        early = page.evaluate(
            "performance.getEntriesByType('resource')"
            ".filter(one => one.name.includes('plotly.min') && one.responseEnd).length"
        )
        began = time.perf_counter()
        page.get_by_role("tab", name="Clusters").click()
        page.wait_for_selector("#dsel-panel-clusters .plot-loading")
        told = 1000 * (time.perf_counter() - began)
        page.wait_for_selector("#dsel-panel-clusters .points path")
        shown = 1000 * (time.perf_counter() - began)
    return {
        "loaded_before_the_first_picture": bool(early),
        "progress_shown": round(told, 1),
        "points_shown": round(shown, 1),
    }


def sliders(url: str, moves: int) -> dict[str, Any]:
    with browser() as chromium:
        page = settled(chromium, url)
        found = {name: _slide(page, name, at, moves) for name, at in SLIDERS.items()}
    times = [time for one in found.values() for time in one]
    figures: dict[str, Any] = {name: spread(one) for name, one in found.items()}
    return figures | {"all": spread(times, median=150, p95=300)}


def _slide(page: Any, name: str, selector: str, moves: int) -> list[float]:
    low, high, step = (
        page.eval_on_selector(selector, f"input => Number(input.{end})")
        for end in ("min", "max", "step")
    )
    now = page.eval_on_selector(selector, "input => Number(input.value)")
    values = _shuffled([v for v in np.arange(low, high + step / 2, step).tolist() if v != now])
    times = []
    for value in values[: moves + UNCOUNTED]:
        times.append(page.evaluate(MOVE, [selector, value]))
        page.wait_for_timeout(REST_MS)
        assert painted(page) == address(page), f"{name}={value}: {painted(page)}, {page.url}"
    return [time for time in times[UNCOUNTED:] if time is not None]


def classes(url: str, moves: int) -> dict[str, Any]:
    times = []
    with browser() as chromium:
        page = settled(chromium, url)
        for _ in range(moves):
            took = page.evaluate(MOVE, [".pick button[title^='Next']", None])
            if took is None:
                break  # the last class
            times.append(took)
            page.wait_for_timeout(REST_MS)
            assert painted(page) == address(page), f"{painted(page)}, {page.url}"
    return spread(times, median=300)


def lasso(url: str) -> dict[str, Any]:
    """Draw lassos in Clusters; each is around another part."""
    with browser() as chromium:
        page = settled(chromium, url)
        page.get_by_role("tab", name="Clusters").click()
        page.wait_for_selector("#dsel-panel-clusters .gallery .cell")
        page.wait_for_selector("#dsel-panel-clusters .points path")
        return spread(list(_lassos(page)), median=500)


def _lassos(page: Any) -> Iterator[float]:
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
        page.wait_for_timeout(REST_MS)


def spread(times: list[float], **goals: float) -> dict[str, Any]:
    """Median and 95th percentile of times, and whether they meet goals."""
    p50, p95 = np.percentile(times, [50, 95])
    found: dict[str, Any] = {"median": round(float(p50), 1), "p95": round(float(p95), 1)}
    if goals:
        met = all(found[name] <= most for name, most in goals.items())
        found |= {"goal": goals, "met": met}
    return found | {"count": len(times)}


def _shuffled(values: list[Any]) -> list[Any]:
    return random.Random(0).sample(values, len(values))
