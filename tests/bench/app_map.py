"""The Map tab in Chromium: opening it, moving the view, and the lasso."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from app_browser import browser, settled, spread

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

SELECTED = """() => new Promise((resolve, reject) => {
    const facts = document.querySelector('.actions-bar .facts');
    const began = performance.now();
    const observer = new MutationObserver(() => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    observer.observe(facts, { childList: true, characterData: true, subtree: true });
    setTimeout(() => reject(new Error('nothing was selected')), 30000);
})"""
"""Wait until another selection is written and drawn."""

OPENED = """() => new Promise(resolve => {
    const tab = document.querySelector('#dsel-tab-map'), began = performance.now();
    const observer = new MutationObserver(() => {
        if (!document.querySelector('.map-field[data-seen]')) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    const all = { childList: true, subtree: true, attributeFilter: ['data-seen'] };
    observer.observe(document.querySelector('#dsel-panel-map'), all);
    tab.click();
})"""
"""Open the tab; its points have their ids when they are first drawn."""


def image_map(url: str, repeats: int) -> dict[str, Any]:
    with browser() as chromium:
        times = []
        for _ in range(repeats):
            page = settled(chromium, url)
            times.append(page.evaluate(OPENED))
            if len(times) < repeats:
                page.context.close()
        found: dict[str, Any] = {
            "points": int(page.locator(".map-field").get_attribute("data-seen")),
            "first": round(times[0], 1),
            "opened": spread(times, median=3000),
        }
        for style in ("density", "points"):
            page.get_by_label("Draw", exact=True).select_option(style)
            found[f"pan_{style}"] = _pan(page)
        found["lasso"] = spread(list(_lassos(page)), median=500)
    return found


def _pan(page: Any) -> dict[str, Any]:
    """Drag to and fro; the frames that the page could show in that time."""
    box = page.locator(".map-field").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(f"() => {{ window.panned = false; window.gaps = ({PAN})(); }}")
    end = time.perf_counter() + 2
    while (now := time.perf_counter()) < end:
        page.mouse.move(x + 150 * np.sin(5 * now), y + 80 * np.cos(5 * now))
    page.evaluate("() => { window.panned = true; }")
    gaps = page.evaluate("() => window.gaps")
    page.mouse.up()
    rate = round(1000 * len(gaps) / sum(gaps), 1)
    return spread(gaps) | {"frames_per_s": rate, "goal": 30, "met": rate >= 30}


def _lassos(page: Any) -> Iterator[float]:
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
        page.wait_for_timeout(300)
