"""What an app holds for all its visitors: open runs, jobs, its place; and nothing of a visitor."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

from dsel.analysis.explorer import Explorer
from dsel.app.jobs.queue import Jobs
from dsel.app.jobs.work import JobRunner, Limits
from dsel.app.uploads import Place, place_of
from dsel.app.zerogpu import accelerator
from dsel.config import PriorSettings
from dsel.errors import SettingError
from dsel.runs import open_run

EXPORTS: Final = "dsel_exports"
MOST_OPEN: Final = 16
"""Runs of jobs that stay open; the one not looked at for longest is closed first."""


class AppState:
    """The run that the app was opened on, and those that jobs made, by their tokens."""

    def __init__(
        self, first: Path, jobs: Jobs | None = None, place: Place | None = None, uploads: str = ""
    ) -> None:
        """`uploads` is the folder that Gradio puts them in; without `jobs` there are none."""
        self.first = Explorer(open_run(first))
        self.place = place or place_of()
        self.uploads = uploads
        self._jobs = jobs
        self._lock = Lock()
        self._open: OrderedDict[str, Explorer] = OrderedDict()

    @property
    def jobs(self) -> Jobs:
        """The jobs of the app; raises `SettingError` where there are none."""
        if self._jobs is None:
            raise SettingError("this app has no runs but the one that it shows, and no jobs")
        return self._jobs

    def explorer(self, token: str) -> Explorer:
        """The run of a token, the first one for none; raises `DselError` for an unknown one."""
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
        """The run in a folder: an open one, since it knows already what was asked before."""
        with self._lock:
            opened = [self.first, *self._open.values()]
        return next((one for one in opened if one.run.path == path), None) or Explorer(
            open_run(path)
        )


def open_state(first: Path, place: Place, uploads: Path, folder: Path | None = None) -> AppState:
    """A state with jobs, in `folder` or where this user's caches are; `uploads` is Gradio's folder.

    Exports lie below `uploads`, which is what Gradio hands out, under names that nobody can guess.
    """
    lent = accelerator()  # first: it must come before torch
    jobs = Jobs(
        folder or jobs_folder(),
        runner=JobRunner(
            limits=Limits(place.images, place.evaluations),
            accelerate=lent,
            open_explorer=lambda path: state.explorer_at(path),
        ),
        served=uploads / EXPORTS,
        keep_s=place.keep_s,
    )
    state = AppState(first, jobs, place, str(uploads))
    if lent:  # what is loaded before the accelerator is lent need not be loaded in that time
        jobs.runner.priors.get(PriorSettings())
    return state


def jobs_folder() -> Path:
    """Where jobs lie: DSEL_JOBS, or a folder of this user's caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("DSEL_JOBS") or f"{caches}/dsel/jobs").expanduser()
