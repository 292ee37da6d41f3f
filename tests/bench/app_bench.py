"""Measures the app as visitors see it: in Chromium, over a slow line, and with twenty at once.

    python tests/bench/app_bench.py --make --runs FOLDER
    python tests/bench/app_bench.py --runs FOLDER
    python tests/bench/app_bench.py --runs FOLDER --shapes 1000x100 --parts map --repeats 5

`--make` writes the runs of `--shapes`, classes x images per class, fits their maps, and measures
nothing. Without it the parts are measured on each run, one after the other with one app:

opening    from the address to the first heat map; `first` is the first visitor of the app
line       the same at 1 Mbit/s with 40 ms of latency and an empty cache, and what was transferred
library    the Clusters tab over that line: when it says that it loads, and when points are there
sliders    from a slider's event to the frame after its answer was drawn; each move is to a value
           that was not asked for before, and the first one of each slider is not counted
classes    the same from one class to the next
lasso      in Clusters, from letting the mouse go to the filtered gallery
map        the Map tab: from the click to points that can be hovered and selected; the gaps between
           frames while the mouse drags the view; from letting the mouse go to the selection
visitors   clients and two browsers that open every tab in turn, with other settings each time; all
           answers are compared with those of an engine that nobody else uses, but for layouts,
           which are drawn before they are fitted

The browser draws without a graphics processor. A figure with a goal says whether it is met. Prints
one JSON object; times in milliseconds, memory in MB. Exits with 1 if an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

import app_browser  # noqa: E402
import app_map  # noqa: E402
import app_visitors  # noqa: E402
from support.browsing import served  # noqa: E402
from support.large import large_run  # noqa: E402

from dsel.pipeline.image_map import fit_image_map  # noqa: E402
from dsel.runs import open_run  # noqa: E402

SHAPES = ("10x1000", "1000x100")
PARTS: Mapping[str, Callable[[str, Path, argparse.Namespace], dict[str, Any]]] = {
    "opening": lambda url, _, options: app_browser.opening(url, options.repeats),
    "line": lambda url, _, options: app_browser.slow_line(url, options.repeats),
    "library": lambda url, *_: app_browser.library(url),
    "sliders": lambda url, _, options: app_browser.sliders(url, options.moves),
    "classes": lambda url, _, options: app_browser.classes(url, options.moves),
    "lasso": lambda url, *_: app_browser.lasso(url),
    "map": lambda url, _, options: app_map.image_map(url, options.repeats),
    "visitors": lambda url, run, options: app_visitors.crowd(url, run, options.visitors),
}


def main() -> int:
    options = _options()
    figures: dict[str, Any] = {}
    for shape in options.shapes:
        path = options.runs / shape
        figures[shape] = _made(path, shape) if options.make else _measured(path, options)
    print(json.dumps(figures, indent=2))
    return int(any(one.get("visitors", {}).get("wrong") for one in figures.values()))


def _made(path: Path, shape: str) -> dict[str, Any]:
    """Write a run and fit its map, where they are missing."""
    began = time.perf_counter()
    if not path.exists():
        large_run(path, *map(int, shape.split("x")), objects=False)
    made = time.perf_counter()
    list(fit_image_map(open_run(path)))
    fitted = time.perf_counter()
    return {"made_s": round(made - began, 1), "map_fitted_s": round(fitted - made, 1)}


def _measured(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    with served(path) as url:
        return {part: PARTS[part](url, path, options) for part in options.parts}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--make", action="store_true", help="write the runs, measure nothing")
    parser.add_argument("--shapes", nargs="+", default=SHAPES, metavar="CLASSESxIMAGES")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--moves", type=int, default=40, help="of each slider and of the class")
    parser.add_argument("--repeats", type=int, default=5, help="pages that are opened")
    parser.add_argument("--visitors", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
