"""The benchmark of a run of a million images, in miniature."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.vast import Vast, finish, vast_run

from dsel.config import SelectSettings
from dsel.pipeline.selector import Selector
from dsel.pipeline.verify import verify
from dsel.types import Done

BENCH = Path(__file__).parent / "bench" / "scale_bench.py"
COMMANDS = ("select", "select_again", "export_csv", "export_proxies", "info", "verify")


def test_vast_run__is_a_whole_run(tmp_path: Path) -> None:
    run = vast_run(tmp_path, Vast(classes=3, images=100, shard_size=32))
    finish(run)
    done = [event for event in verify(tmp_path) if isinstance(event, Done)]
    assert done[0].figures["damaged"] == 0
    assert (run.summary.scored, run.summary.skipped) == (100, 0)
    assert np.bincount(run.images.class_index).tolist() == [34, 33, 33]
    selected = Selector(run).select(1, SelectSettings(ipc=5))
    assert len(selected.patches) == 33
    assert {one.split("/")[0] for one in selected.patches.image_ids} == {"00001"}


@pytest.mark.slow
def test_scale_bench__measures_a_miniature(tmp_path: Path) -> None:
    sizes = ["--images", "60", "120", "--classes", "2", "--moves", "3"]
    command = [sys.executable, str(BENCH), "--folder", str(tmp_path / "runs"), *sizes]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    for images in (60, 120):
        measured = found[f"2 classes, {images} images"]
        assert {"open", "slider", *COMMANDS} <= measured.keys()
        assert all(measured[step]["memory_mb"] > 0 for step in COMMANDS)
    assert found["growth"]["images"] == [2.0]
