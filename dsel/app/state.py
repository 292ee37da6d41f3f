"""The state that all visitors of an app share: open runs, jobs and access; nothing of a visitor."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

from dsel.analysis.explorer import Explorer
from dsel.app.access import Access, access_of
from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.runner import JobRunner, Limits
from dsel.app.zerogpu import accelerator
from dsel.config import PriorSettings
from dsel.errors import SettingError
from dsel.runs import open_run

EXPORTS: Final = "dsel_exports"
MOST_OPEN: Final = 16
"""Open runs of jobs; the one that was not used for longest is closed first."""


class AppState:
    """The run of the app, and those that jobs made, by their tokens."""

    def __init__(
        self, first: Path, jobs: Jobs | None = None, access: Access | None = None, uploads: str = ""
    ) -> None:
        """`uploads` is Gradio's upload folder; without `jobs` the app has none."""
        self.first = Explorer(open_run(first))
        self.access = access or access_of()
        self.uploads = uploads
        self._jobs = jobs
        self._lock = Lock()
        self._open: OrderedDict[str, Explorer] = OrderedDict()

    @property
    def jobs(self) -> Jobs:
        """The jobs of the app; raises `SettingError` if it has none."""
        if self._jobs is None:
            raise SettingError("this app shows one run only and has no jobs")
        return self._jobs

    def explorer(self, token: str) -> Explorer:
        """Return the run of a token, or the app's run for ""; raises `DselError` if unknown."""
        if not token:
            return self.first
        path = self.jobs.result(token)
        with self._lock:
            if token not in self._open:
                self._open[token] = Explorer(open_run(path))
            self._open.move_to_end(token)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return self._open[token]

    def explorer_at(self, path: Path) -> Explorer:
        """Return the run in a folder, preferably an open one, whose results are in memory."""
        with self._lock:
            opened = [self.first, *self._open.values()]
        return next((one for one in opened if one.run.path == path), None) or Explorer(
            open_run(path)
        )


def open_state(first: Path, access: Access, uploads: Path, folder: Path | None = None) -> AppState:
    """Open a state with jobs, stored in `folder` or in the default folder of jobs.

    uploads: Gradio's upload folder. Exports are stored below it, since Gradio serves files from
    there, under names that nobody can guess.
    """
    lent = accelerator()  # first: it must come before torch
    jobs = Jobs(
        folder or jobs_folder(),
        runner=JobRunner(
            limits=Limits(access.images, access.evaluations),
            accelerate=lent,
            open_explorer=lambda path: state.explorer_at(path),
        ),
        served=uploads / EXPORTS,
        keep_s=access.keep_s,
    )
    state = AppState(first, jobs, access, str(uploads))
    if lent:  # a prior that is loaded now need not be loaded while the accelerator is lent
        jobs.runner.priors.get(PriorSettings())
    return state


def jobs_folder() -> Path:
    """Return the folder of jobs: DSEL_JOBS, or one in this user's cache folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("DSEL_JOBS") or f"{caches}/dsel/jobs").expanduser()
