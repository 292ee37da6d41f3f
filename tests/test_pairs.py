"""Two processes on one folder: results are whole, and whoever is refused gets one line."""

from __future__ import annotations

import itertools
import multiprocessing
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from support.forking import fork_server
from support.pairs import KINDS, act, exporting, report_threads, scoring, selecting
from support.toyset import tree, write_pictures

from dsel.files import PARTIAL
from dsel.locks import LOCK
from dsel.priors.threads import torch_threads

PAIRS = tuple(itertools.combinations_with_replacement(KINDS, 2))
TEXTS = (
    "is being written by", "is not finished: ", "is not a run", "has no selection yet",
    "images.parquet is missing",
)  # fmt: skip
"""What may be refused: a folder in use, and a run that has not come so far."""


@pytest.fixture(scope="module", autouse=True)
def processes() -> Iterator[ForkServerContext]:
    with fork_server() as context:
        yield context


@pytest.fixture(scope="module", autouse=True)
def same_threads(
    processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Let this process have as many threads as the others, whatever other tests have left."""
    report = tmp_path_factory.mktemp("threads") / "count.txt"
    process = processes.Process(target=report_threads, args=(report,))
    process.start()
    process.join(120)
    with torch_threads(int(report.read_text())):
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), {"cat": 4, "dog": 3})


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything made by one process alone."""
    folder = tmp_path_factory.mktemp("whole")
    for stage in (scoring, selecting, exporting):
        stage(source, folder)
    return folder


def race(pair: tuple[str, str], source: Path, folder: Path, delays: list[float]) -> list[str]:
    """Let two processes work on a folder; returns their reports."""
    context = multiprocessing.get_context("forkserver")  # `processes` has set it up
    reports = [folder.with_name(f"{folder.name}-{number}.txt") for number in (0, 1)]
    both = [
        context.Process(target=act, args=(kind, source, folder, delay, report))
        for kind, delay, report in zip(pair, delays, reports, strict=True)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    return [report.read_text() for report in reports]


def check_pair(
    pair: tuple[str, str], number: int, source: Path, whole: Path, at: Path
) -> list[str]:
    """Race in a finished folder, or in every other try in a new one; then finish everything."""
    folder = at / f"{number:02d}"
    if "score" not in pair or (number % 2 and pair != ("score", "score")):
        shutil.copytree(whole, folder)
        if "export" in pair:
            shutil.rmtree(folder / "out")
            (folder / "out.zip").unlink()
        if "select" in pair:
            shutil.rmtree(folder / "run" / "selections")
    else:
        folder.mkdir()
    rng = random.Random(f"{pair} {number}")
    reports = race(pair, source, folder, [rng.uniform(0, 0.3), rng.uniform(0, 0.3)])
    for report in reports:
        assert report == "done" or any(text in report for text in TEXTS), report
        assert "\n" not in report
    for stage in (scoring, selecting, exporting):
        stage(source, folder)
    zips = list((folder / "jobs").glob("*.zip"))
    assert len(zips) == [*zip(pair, reports, strict=True)].count(("job", "done"))
    assert all(file.read_bytes() == (whole / "out.zip").read_bytes() for file in zips)
    shutil.rmtree(folder / "jobs", ignore_errors=True)
    assert tree(folder) == tree(whole)
    left = [path for path in folder.rglob(".*") if path.name.endswith((PARTIAL, LOCK))]
    assert left == []
    return reports


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_pairs__two_processes_on_one_folder(pair, source, whole, tmp_path) -> None:
    for number in (0, 1):
        check_pair(pair, number, source, whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_pairs__twenty_times(pair, source, whole, tmp_path) -> None:
    counts: Counter[str] = Counter()
    for number in range(20):
        reports = check_pair(pair, number, source, whole, tmp_path)
        counts.update(next((t for t in TEXTS if t in text), text) for text in reports)
    print(f"{'-'.join(pair)}: {dict(counts)}")  # shown with -rP
