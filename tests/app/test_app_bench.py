"""The benchmark of the app in miniature: it gives all its figures, and no answer is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # a benchmark waits only so long for a page

BENCH = Path(__file__).parents[1] / "bench" / "app_bench.py"
SHAPE = "3x40"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    assert set(bench(folder, "--make")) == {"made_s", "map_fitted_s"}
    return folder


def bench(runs: Path, *options: str) -> Any:
    command = [sys.executable, str(BENCH), "--runs", str(runs), "--shapes", SHAPE, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[SHAPE]


def test_app_bench__in_a_browser(runs: Path, chromium: Any) -> None:
    parts = ["opening", "line", "sliders", "classes", "lasso", "map"]
    found = bench(runs, "--moves", "2", "--repeats", "1", "--parts", *parts)
    assert set(found) == set(parts)
    goals = {
        "opening": found["opening"]["later"], "line": found["line"]["first_picture"],
        "sliders": found["sliders"]["all"], "classes": found["classes"],
        "lasso": found["lasso"], "map": found["map"]["opened"], "map lasso": found["map"]["lasso"],
    }  # fmt: skip
    assert all(one["median"] > 0 and one["count"] and "met" in one for one in goals.values())
    assert found["map"]["points"] == 120
    assert all(found["map"][f"pan_{how}"]["frames_per_s"] > 0 for how in ("density", "points"))
    loaded = found["line"]["before_it"]
    assert loaded["requests"] > 20
    assert 0 < loaded["kB_answers"] < loaded["kB"]


def test_app_bench__visitors(runs: Path, chromium: Any) -> None:
    found = bench(runs, "--parts", "visitors", "--visitors", "4")["visitors"]
    assert found["visitors"] == {"clients": 2, "browsers": 2}
    assert (found["errors"], found["wrong"]) == ([], [])
    assert found["tabs_opened"] == 2 * 10 * 3
    assert found["answers"] > 200
    assert len(found["memory_mb"]["after_each_cycle"]) == 3
