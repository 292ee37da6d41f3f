"""Measures a run of a million images: opening, sliders, select, export, info, verify, and memory.

    python tests/bench/scale_bench.py --folder FOLDER
    python tests/bench/scale_bench.py --folder FOLDER --images 128117 320292 1281167
    python tests/bench/scale_bench.py --folder FOLDER --images 600 --classes 3 --moves 3

Synthetic runs are written below FOLDER, 4.5 GB per million images, and used again. Each step is
measured in a process of its own: seconds of the processor and of the clock, and its largest
resident memory, the imported libraries included. A slider is one move of the app, without browser
and network, in a class of the run and in one of the same size in a small run. Goals: opening
within 5 s, select and export below 4 GB and linear in the number of images, and sliders as in the
small run. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.vast import Vast, finish, vast_run  # noqa: E402

IMAGES, CLASSES = 1_281_167, 1000
UNCOUNTED = 2
"""Moves of a slider that are not counted."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "select": ("select", "{run}", "--patch-px", "56"),
    "select_again": ("select", "{run}", "--patch-px", "56"),
    "export_csv": ("export", "{run}", "--out", "{out}/csv", "--format", "csv"),
    "export_proxies": ("export", "{run}", "--out", "{out}/folder", "--pixels", "proxy"),
    "info": ("info", "{run}"),
    "verify": ("verify", "{run}"),
}


def main() -> None:
    options = _options()
    if options.measure:
        print(json.dumps(_here(options)))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"goals": {"open_wall_s": 5, "select_and_export_mb": 4000}}
    for images in options.images:
        figures[f"{options.classes} classes, {images} images"] = _measured(options, images)
    largest = max(options.images)
    small = options.folder / f"small-{largest // options.classes}"
    _write(small, Vast(1, largest // options.classes))
    figures["one class of that size"] = {"slider_ms": _step(options, small, "slider")["slider_ms"]}
    if len(options.images) > 1:
        figures["growth"] = _growth(figures, options)
    print(json.dumps(figures, indent=2))


def _measured(options: argparse.Namespace, images: int) -> dict[str, Any]:
    run = options.folder / f"{options.classes}x{images}"
    found: dict[str, Any] = _write(run, Vast(options.classes, images))
    found["bytes"] = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    shutil.rmtree(run / "selections", ignore_errors=True)
    out = options.folder / f"out-{options.classes}x{images}"
    shutil.rmtree(out, ignore_errors=True)
    for step in ("open", "slider"):
        found[step] = _step(options, run, step)
    for step in COMMANDS:
        found[step] = _step(options, run, step)
    shutil.rmtree(out, ignore_errors=True)
    return found


def _write(run: Path, size: Vast) -> dict[str, Any]:
    """Write a run that is missing, and measure the last step of scoring, which gathers shards."""
    if (run / "summary.json").exists():
        return {}
    shutil.rmtree(run, ignore_errors=True)
    began = _now()
    opened = vast_run(run, size)
    written, began = _since(began), _now()
    finish(opened)
    return {"write": written, "finish": _since(began)}


def _step(options: argparse.Namespace, run: Path, step: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--folder", str(options.folder), "--measure", step]
    command += ["--run", str(run), "--moves", str(options.moves)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _here(options: argparse.Namespace) -> dict[str, Any]:
    """Measure a step in this process."""
    if options.measure in COMMANDS:
        return _command(options.run, options.folder / f"out-{options.run.name}", options.measure)
    began = _now()
    ask, state = _opened(options.run)
    found: dict[str, Any] = {**_since(began), "memory_mb": _memory(resource.RUSAGE_SELF)}
    if options.measure == "slider":
        began = _now()
        ask("image")
        found["first_answer_s"] = _since(began)
        found["slider_ms"] = _sliders(ask, state.first.geometry, options.moves)
        found["memory_mb"] = _memory(resource.RUSAGE_SELF)
    return found


def _opened(run: Path) -> tuple[Callable[..., Any], Any]:
    from dsel.app.rpc import respond
    from dsel.app.state import AppState

    state = AppState(run)
    name = state.first.classes[len(state.first.classes) // 2]

    def ask(method: str, **view: Any) -> Any:
        request = {
            "method": method, "params": {"rows": 60} if method == "gallery" else {},
            "view": urlencode({"class": name, **view}, doseq=True),
        }  # fmt: skip
        response = json.loads(respond(state, json.dumps(request), local=True))
        assert "result" in response, response
        return response["result"]

    ask("start")
    return ask, state


def _sliders(ask: Callable[..., Any], geometry: Any, moves: int) -> dict[str, float]:
    cell = geometry.cell_px
    values = {
        "patch_px": list(range(cell, geometry.resolution_px + 1, cell)),
        "clusters": list(range(2, 101)),
    }
    return {
        slider: _slide(ask, slider, random.Random(0).sample(each, len(each))[:moves])
        for slider, each in values.items()
    }


def _slide(ask: Callable[..., Any], slider: str, values: list[int]) -> float:
    times = []
    for value in values:
        began = time.process_time()
        ask("image", **{slider: value})
        ask("gallery", **{slider: value})
        times.append(1000 * (time.process_time() - began))
    return round(float(np.median(times[UNCOUNTED:])), 1)


def _command(run: Path, out: Path, name: str) -> dict[str, Any]:
    words = [word.format(run=run, out=out) for word in COMMANDS[name]]
    began = time.perf_counter()
    command = [sys.executable, "-m", "dsel.cli", *words]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "wall_s": round(time.perf_counter() - began, 2),
        "memory_mb": _memory(resource.RUSAGE_CHILDREN),
    }


def _growth(figures: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The processor time of each command from one size to the next, against that of the images."""
    sizes = sorted(options.images)
    of = [figures[f"{options.classes} classes, {images} images"] for images in sizes]
    return {
        "images": [round(b / a, 2) for a, b in pairwise(sizes)],
        **{
            step: [round(b[step]["cpu_s"] / a[step]["cpu_s"], 2) for a, b in pairwise(of)]
            for step in ("open", *COMMANDS)
        },
    }


def _memory(of: int) -> int:
    return round(resource.getrusage(of).ru_maxrss / 1024)


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _since(began: tuple[float, float]) -> dict[str, float]:
    return {
        name: round(now - then, 2)
        for name, now, then in zip(("cpu_s", "wall_s"), _now(), began, strict=True)
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the runs are written")
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--images", type=int, nargs="+", default=[IMAGES])
    parser.add_argument("--moves", type=int, default=15)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
