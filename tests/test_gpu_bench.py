"""The benchmark of GPUs runs without one on a toy, and says what is missing."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCH = Path(__file__).parent / "bench" / "gpu_bench.py"


def run(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH), *arguments],
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def test_gpu_bench__on_a_processor_with_a_toy(tmp_path):
    arguments = ["--images", "4", "--timesteps", "300", "--draws", "2", "--backend", "torch"]
    done = run("--device", "cpu", "--tiny", *arguments, cache=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["device"], found["rows_per_image"]) == ("cpu", 4)
    assert found["backend"] == found["engine_backend"] == "torch"
    assert found["unet_gflop_per_row"] > 0
    assert found["imagenet"]["evaluations"] == 4 * 1_281_167
    hours = 1_281_167 / found["engine"]["images_per_s"] / 3600
    assert found["imagenet"]["device_hours"] == pytest.approx(hours, rel=0.02)
    for part in ("scorer", "engine"):
        # On a processor without bfloat16 units, products are no faster than convolutions.
        most = 1 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else math.inf
        assert 0 < found[part]["share_of_measured_peak"] < most


def test_gpu_bench__the_engine_runs_the_backend_that_was_chosen(tmp_path):
    pytest.importorskip("openvino")
    spied = f"""
import sys
sys.path.insert(0, {str(BENCH.parent)!r})
import gpu_bench
from dsel.priors.backends import Trial
from dsel.priors.scorer import Scorer
Scorer.try_backend = lambda self, backend: Trial(9.0, 0.0)
sys.argv = "gpu_bench.py --device cpu --tiny --images 4 --timesteps 300 --draws 2".split()
gpu_bench.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", spied], env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["backend"] == found["engine_backend"] == "openvino"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_gpu_bench__where_there_is_no_gpu(tmp_path):
    done = run(cache=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "there is no CUDA device here" in done.stderr
