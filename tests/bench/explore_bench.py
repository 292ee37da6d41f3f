"""Measures an open run: sliders, whole-run figures, memory, and a selection that is stored.

    python tests/bench/explore_bench.py
    python tests/bench/explore_bench.py --shapes 1x20000 --moves 30 --runs FOLDER

For each shape, classes x images per class, a run is written (kept in the folder of `--runs`), and
measured in a process of its own, without browser and network. Times are processor times of what
the app responds to its page, in milliseconds, and of `dsel select`, in seconds: a shared machine
slows the clock on the wall, which `wall` gives besides. Prints one JSON object. Goals: medians
of sliders of 100, 100 and 50 ms, whole-run figures repeated in 100 ms, at most twice the scores of
a class as memory beyond that of the imported libraries, and the first answer of a run in 1 s.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil

sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.large import large_run  # noqa: E402

GOALS_MS = {"1x20000": 100, "1000x100": 100, "10x1000": 50}
REPEATED_MS = 100
UNCOUNTED = 3
BATCH = 10
"""Classes in one request of the page."""

MB = 2**20


def main() -> None:
    options = _options()
    if options.measure:
        print(json.dumps(measure(options.measure, options.moves)))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = options.runs or Path(folder)
        figures = {shape: _measured(runs / shape, shape, options.moves) for shape in options.shapes}
    print(json.dumps(figures, indent=2))


def _measured(path: Path, shape: str, moves: int) -> Mapping[str, Any]:
    if not path.exists():
        large_run(path, *map(int, shape.split("x")))
    command = [sys.executable, __file__, "--measure", str(path), "--moves", str(moves)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"goal_ms": GOALS_MS.get(shape), **json.loads(done.stdout.splitlines()[-1])}


def measure(path: Path, moves: int) -> dict[str, Any]:
    """Measure a run in this process."""
    import sklearn.cluster  # noqa: F401  # so that its import is no part of an answer

    from dsel.app.rpc import respond
    from dsel.app.state import AppState

    imported = psutil.Process().memory_info().rss
    began = _now()
    state = AppState(path)
    name = state.first.classes[0]

    def ask(method: str, params: Mapping[str, Any] | None = None, **view: Any) -> Any:
        request = {
            "method": method, "params": params or {},
            "view": urlencode({"class": name, **view}, doseq=True),
        }  # fmt: skip
        response = json.loads(respond(state, json.dumps(request), local=True))
        assert "result" in response, response
        return response["result"]

    ask("start")
    ask("image")
    ask("gallery", {"rows": 60})
    first = _since(began)
    sliders = {
        slider: _slide(ask, slider, values)
        for slider, values in _values(state.first.geometry, moves).items()
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - imported
    scores = _scores_bytes(state.first.scores(0))
    return {
        "first_answer_s": {name: round(took / 1000, 2) for name, took in first.items()},
        "slider_ms": sliders,
        "memory_mb": {
            "scores_of_a_class": round(scores / MB),
            "imported": round(imported / MB),
            "peak_beyond": round(peak / MB),
            "times_scores": round(peak / scores, 2),
        },
        "whole_run_ms": whole_run(ask, state.first.classes),
        "select_s": select_twice(path),
    }


def whole_run(ask: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """The time of each question about all classes, the first time and when all were asked."""

    def of_classes(method: str) -> None:
        for start in range(0, len(classes), BATCH):
            ask(method, {"classes": classes[start : start + BATCH]})

    questions = {
        "distilled": lambda: of_classes("distilled"),
        "quality": lambda: of_classes("quality"),
        "quality_overall": lambda: ask("quality_overall"),
        "localization_overall": lambda: ask("localization_overall"),
        "compare_overall": lambda: ask("compare_overall", a="patch_px=32"),
        "export_summary": lambda: ask("export_summary"),
        "repeat_free_clusters": lambda: ask("repeat_free_clusters", factor=2),
    }
    times: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(3):
        for name, question in questions.items():
            began = _now()
            question()
            times[name].append(_since(began)["cpu"])
    return {
        name: {"first": round(found[0]), "repeated": round(float(np.median(found[1:])), 1)}
        for name, found in times.items()
    }


def select_twice(path: Path) -> dict[str, float]:
    """Seconds of `dsel select` in a process of its own, for the first time and again."""
    command = [sys.executable, "-m", "dsel.cli", "select", str(path), "--patch-px", "56"]
    times = []
    for _ in range(2):
        before = _children_s()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        times.append(round(_children_s() - before, 2))
    return dict(zip(("first", "again"), times, strict=True))


def _slide(ask: Any, slider: str, values: list[Any]) -> dict[str, float]:
    times = []
    for value in values:
        began = _now()
        ask("image", **{slider: value})
        ask("gallery", {"rows": 60}, **{slider: value})
        times.append(_since(began))
    counted = times[UNCOUNTED:]
    cpu, wall = ([one[clock] for one in counted] for clock in ("cpu", "wall"))
    p50, p95 = np.percentile(cpu, [50, 95])
    return {
        "median": round(float(p50), 1),
        "p95": round(float(p95), 1),
        "wall_median": round(float(np.median(wall)), 1),
    }


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _since(began: tuple[float, float]) -> dict[str, float]:
    """Milliseconds since then, of the processor and on the wall."""
    return {
        name: 1000 * (now - then)
        for name, now, then in zip(("cpu", "wall"), _now(), began, strict=True)
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _values(geometry: Any, moves: int) -> dict[str, list[Any]]:
    """Values of each slider that differ from one another, as far as it has so many."""
    scored, cell = sorted(geometry.timesteps), geometry.cell_px
    ranges = [
        scored[start:end]
        for start in range(len(scored))
        for end in range(start + 1, len(scored) + 1)
    ]
    return {
        "timesteps": _shuffled(ranges)[:moves],
        "patch_px": _shuffled(list(range(cell, geometry.resolution_px + 1, cell)))[:moves],
        "clusters": _shuffled(list(range(2, 101)))[:moves],
    }


def _shuffled(values: list[Any]) -> list[Any]:
    return random.Random(0).sample(values, len(values))


def _scores_bytes(scores: Any) -> int:
    """Bytes of all scores of a class, whether they have been read or not."""
    return int(scores.features.nbytes) + sum(bucket.nbytes for bucket in scores.buckets)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=list(GOALS_MS), metavar="CLASSESxIMAGES")
    parser.add_argument("--moves", type=int, default=30)
    parser.add_argument("--runs", type=Path, help="folder of the runs; those missing are written")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
