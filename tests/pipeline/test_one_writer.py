"""Each stage is refused while another writes to its folder, and clears what a killed one left."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.toyset import (
    QUICK,
    SMALL,
    TINY,
    dataset_of,
    finish,
    scored_run,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.config import ExportSettings, TeachSettings
from dsel.data.toybox_dataset import write_toybox
from dsel.errors import RunError, StorageError
from dsel.files import PARTIAL, remove_partial_files
from dsel.locks import LOCK
from dsel.pipeline.export import export
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.pipeline.teach import teach
from dsel.runs import Run, open_run
from dsel.types import Event

TEACH = TeachSettings(student="convnet-3", image_px=16, steps=4, batch_size=4, threads=1)


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return scored_run(source, tmp_path_factory.mktemp("scored") / "run")


def training(source: Path, out: Path) -> Iterator[Event]:
    from dsel.priors.training import train

    return train(dataset_of(source), TINY, out)


STAGES: dict[str, Callable[[Path, Run, Path], Iterator[Event]]] = {
    "score": lambda source, _, out: score(dataset_of(source), toy_prior(), out, QUICK),
    "export": lambda _, run, out: export(run, out, ExportSettings(image_px=20)),
    "zip": lambda _, run, out: export(run, out / "set.zip", ExportSettings(image_px=20)),
    "train": lambda source, _, out: training(source, out),
    "teach": lambda source, _, out: teach(dataset_of(source), TEACH, out),
    "toybox": lambda _, __, out: write_toybox(out, per_class=1),
}


@pytest.mark.parametrize("name", STAGES)
def test_stages__the_second_writer_is_refused(name, source, run, tmp_path):
    """It changes nothing; the lock is free as soon as the first one has stopped."""
    out = tmp_path / "out"
    first = STAGES[name](source, run, out)
    next(first)
    there = tree(out)
    with pytest.raises(StorageError) as refused:
        next(STAGES[name](source, run, out))
    assert f"is being written by process {os.getpid()} on {socket.gethostname()} " in str(
        refused.value
    )
    assert "\n" not in str(refused.value)
    assert tree(out) == there
    first.close()
    assert not list(out.rglob(f"*{LOCK}"))
    second = STAGES[name](source, run, out)
    next(second)
    second.close()


def test_select__the_second_one_is_refused(run):
    first = select(run, SMALL)
    next(first)
    with pytest.raises(StorageError, match="selections is being written by process"):
        next(select(run, SMALL))
    finish(first)
    finish(select(run, SMALL))


def test_select__while_the_run_is_scored(source, tmp_path):
    events = score(dataset_of(source), toy_prior(), tmp_path, QUICK)
    for _ in events:
        if open_run(tmp_path).finished_shards():
            break
    # The writer's thread may store one more shard meanwhile.
    waits = rf"^{re.escape(str(tmp_path))} is not finished: [12] of 3 shards are scored; "
    with pytest.raises(RunError, match=waits + "wait for process"):
        finish(select(open_run(tmp_path), SMALL))
    events.close()
    with pytest.raises(RunError, match=waits + "run dsel score again with its settings"):
        finish(select(open_run(tmp_path), SMALL))


def test_score__spares_the_temporary_files_of_a_selection(source, run):
    mark = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    path = run.path / "selections" / f".{mark}-{os.getpid()}-00000000{PARTIAL}"
    path.write_bytes(b"half")
    finish(score(dataset_of(source), toy_prior(), run.path, QUICK))
    assert path.exists()
    os.utime(path, (0, 0))  # as if it were older than this process
    remove_partial_files(run.path)
    assert not path.exists()


KILLED = """
import os, signal, sys
sys.path.insert(0, "tests")
from pathlib import Path
from dsel.config import ExportSettings
from dsel.pipeline.export import export
from dsel.runs import open_run

events = export(open_run(Path(sys.argv[1])), Path(sys.argv[2]), ExportSettings(image_px=20))
next(events), next(events)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_export__a_killed_zip_leaves_nothing_behind_the_next_one(run, tmp_path):
    out = tmp_path / f"{'z' * 251}.zip"  # 255 bytes, the most that file systems allow
    command = [sys.executable, "-c", KILLED, str(run.path), str(out)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, timeout=120)
    assert done.returncode < 0
    assert [path for path in tmp_path.iterdir() if path.is_dir()]
    finish(export(run, out, ExportSettings(image_px=20)))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_export__beside_a_living_zip(source, run, tmp_path):
    """Another zip in the same folder clears nothing that is in use."""
    first = export(run, tmp_path / "one.zip", ExportSettings(image_px=20))
    next(first)
    finish(export(run, tmp_path / "two.zip", ExportSettings(image_px=20)))
    finish(first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]
    one, two = ((tmp_path / name).read_bytes() for name in ("one.zip", "two.zip"))
    assert one == two


def test_training_folders__take_no_foreign_ones(source, run, tmp_path):
    """A folder of other files is refused as before, and no lock is left in it."""
    root = write_pictures(tmp_path / "photos", {"cat": 1})
    for name in ("score", "export", "train", "teach", "toybox"):
        with pytest.raises(StorageError, match="other files"):
            finish(STAGES[name](source, run, root))
    assert sorted(path.name for path in root.rglob("*")) == ["00.png", "cat"]
