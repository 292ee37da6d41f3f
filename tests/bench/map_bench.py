"""Measures the Map tab on a run of 1,000 classes x 100 images, in Chromium.

    python tests/bench/map_bench.py RUN

The run is made if it is missing, and its map is fitted first. `opened` is the time from the click
on the tab to the first drawn points with their ids, which can be hovered and selected from then on;
`figures` until the scores of all classes are there too. `pan` are the gaps between frames
(requestAnimationFrame) while the mouse drags the view; `lasso` is from letting the mouse go to the
selection. The browser draws without a graphics processor. Prints one JSON object; times in
milliseconds.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from app_bench import opened, spread

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.browsing import FLAGS, served  # noqa: E402
from support.large import large_run  # noqa: E402

from dsel.pipeline.image_map import fit_image_map  # noqa: E402
from dsel.runs import open_run  # noqa: E402

PAN = """async () => {
    const gaps = [];
    let last = performance.now();
    while (!window.panned) {
        await new Promise(resolve => requestAnimationFrame(resolve));
        const now = performance.now();
        gaps.push(now - last);
        last = now;
    }
    return gaps;
}"""
"""Record the gaps between frames while the mouse drags."""

SELECTED = """async () => {
    const facts = document.querySelector('.actions-bar .facts');
    const before = facts.textContent, began = performance.now();
    while (facts.textContent === before) {
        if (performance.now() - began > 20000) throw new Error('nothing was selected');
        await new Promise(resolve => setTimeout(resolve, 1));
    }
    await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
    return performance.now() - began;
}"""
"""Wait until another selection is written and drawn."""


def map_side(path: Path) -> dict[str, Any]:
    """Times of the Map tab."""
    from playwright.sync_api import sync_playwright

    if not path.exists():
        large_run(path, 1000, 100, objects=False)
    began = time.perf_counter()
    events = list(fit_image_map(open_run(path)))
    found: dict[str, Any] = {"images": open_run(path).summary.scored}
    if len(events) > 1:
        found["fitted_s"] = round(time.perf_counter() - began, 1)
    with served(path) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        found["opened"] = spread([_open_map(browser, url)[0] for _ in range(3)])
        _, page, began = _open_map(browser, url)
        page.wait_for_selector(".map-figures:empty", state="attached", timeout=600_000)
        found["figures"] = round(1000 * (time.perf_counter() - began), 1)
        for style in ("density", "points"):
            page.get_by_label("Draw", exact=True).select_option(style)
            found[f"pan_{style}"] = _pan(page)
        found["lasso"] = spread(list(_map_lassos(page)))
        browser.close()
    return found


def _open_map(browser: Any, url: str) -> tuple[float, Any, float]:
    page = opened(browser, url)[1]
    page.wait_for_timeout(1000)
    began = time.perf_counter()
    page.get_by_role("tab", name="Map").click()
    page.wait_for_selector(".map-field[data-seen]")
    return 1000 * (time.perf_counter() - began), page, began


def _pan(page: Any) -> dict[str, float]:
    """Drag to and fro; the frames that the page could show in that time."""
    box = page.locator(".map-field").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(f"() => {{ window.panned = false; window.gaps = ({PAN})(); }}")
    for n in range(120):
        page.mouse.move(x + 150 * np.sin(n / 8), y + 80 * np.cos(n / 8))
    page.evaluate("() => { window.panned = true; }")
    gaps = page.evaluate("() => window.gaps")
    page.mouse.up()
    return spread(gaps) | {"frames_per_s": round(1000 * len(gaps) / sum(gaps), 1)}


def _map_lassos(page: Any) -> Iterator[float]:
    """From letting the mouse go to the selection; every lasso is around another part."""
    page.get_by_role("button", name="Show all points").click()
    page.get_by_role("button", name="Lasso", exact=True).click()
    box = page.locator(".map-field").bounding_box()
    for n in range(6):
        left, top = box["x"] + 10 + 4 * n, box["y"] + 10
        width, height = (box["width"] - 60) * (0.55 + 0.07 * n), box["height"] - 20
        page.mouse.move(left, top)
        page.mouse.down()
        for across, down in ((1, 0), (1, 1), (0, 1)):
            page.mouse.move(left + across * width, top + down * height, steps=12)
        page.evaluate(f"() => {{ window.selected = ({SELECTED})(); }}")
        page.mouse.up()
        yield page.evaluate("() => window.selected")


if __name__ == "__main__":
    print(json.dumps(map_side(Path(sys.argv[1])), indent=2))
