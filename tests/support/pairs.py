"""What two processes do to one folder at the same time: score, select, export, a job of the app."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

# Imported once by the server that forks the processes.
import scipy.linalg  # noqa: F401
import sklearn.cluster  # noqa: F401

from dsel.app.jobs.queue import BUG, Jobs
from dsel.app.jobs.runner import JobRunner, Priors
from dsel.app.jobs.tasks import ExportTask
from dsel.config import ExportSettings
from dsel.errors import DselError, RunError
from dsel.pipeline.export import export
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.priors import scorer, threads  # noqa: F401
from dsel.runs import open_run
from support.jobs import wait
from support.toyset import QUICK, SMALL, dataset_of, finish, toy_prior

HOW = ExportSettings(image_px=20)


def scoring(source: Path, folder: Path) -> None:
    dataset = dataset_of(source)
    finish(score(dataset, toy_prior(dataset.classes), folder / "run", QUICK))


def selecting(_source: Path, folder: Path) -> None:
    finish(select(open_run(folder / "run"), SMALL))


def exporting(_source: Path, folder: Path) -> None:
    """As a folder and as a zip file."""
    run = open_run(folder / "run")
    finish(export(run, folder / "out", HOW))
    finish(export(run, folder / "out.zip", HOW))


def job(_source: Path, folder: Path) -> None:
    """An export of the app; both processes keep their jobs in one folder."""
    jobs = Jobs(folder / "jobs", runner=JobRunner(Priors(lambda _: toy_prior())))
    task = ExportTask(title="pets", run=str(folder / "run"), select=SMALL, settings=HOW)
    token = jobs.start(task)
    report = wait(jobs, token)
    jobs.close()
    assert report.error != BUG
    if report.state != "done":
        raise RunError(report.error)
    (folder / "jobs" / f"{time.time_ns()}.zip").write_bytes(jobs.result(token).read_bytes())


def report_threads(report: Path) -> None:
    """Write the number of torch's threads in this process, which a run records."""
    report.write_text(str(threads.thread_count()))


KINDS: Mapping[str, Callable[[Path, Path], None]] = MappingProxyType(
    {"score": scoring, "select": selecting, "export": exporting, "job": job}
)


def act(kind: str, source: Path, folder: Path, delay_s: float, report: Path) -> None:
    """Do one thing after a while; the report is `done`, or a refusal in one line."""
    time.sleep(delay_s)
    try:
        KINDS[kind](source, folder)
        text = "done"
    except DselError as error:
        text = f"refused: {error}"
    report.write_text(text)
