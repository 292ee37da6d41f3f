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
from dsel.app.uploads import Uploads
from dsel.app.zerogpu import accelerator
from dsel.config import PriorSettings
from dsel.errors import SettingError
from dsel.files import user_caches
from dsel.runs import open_run

UPLOADS: Final = "uploads"
"""The folder of uploads, beside those of jobs."""

MOST_OPEN: Final = 16
"""Open runs of jobs; the one that was not used for longest is closed first."""


class AppState:
    """The run of the app, and those that jobs made, by their tokens."""

    def __init__(
        self, first: Path, jobs: Jobs | None = None, access: Access | None = None, uploads: str = ""
    ) -> None:
        """`uploads` is the folder of uploads, if the app takes any; without `jobs` it has none."""
        self.first = Explorer(open_run(first))
        self.access = access or access_of()
        self._uploads = (
            Uploads(Path(uploads), self.access.upload_bytes, self.access.quotas)
            if uploads else None
        )  # fmt: skip
        self._jobs = jobs
        self._lock = Lock()
        self._open: OrderedDict[str, Explorer] = OrderedDict()

    @property
    def jobs(self) -> Jobs:
        """The jobs of the app; raises `SettingError` if it has none."""
        if self._jobs is None:
            raise SettingError("this app shows one run only and has no jobs")
        return self._jobs

    @property
    def uploads(self) -> Uploads:
        """The uploads of the app; raises `SettingError` if it takes none."""
        if self._uploads is None:
            raise SettingError("this app takes no uploads")
        return self._uploads

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

    def remove_job(self, token: str) -> None:
        """Delete a job with its files, and close its run."""
        self.jobs.remove(token)
        with self._lock:
            self._open.pop(token, None)

    def explorer_at(self, path: Path) -> Explorer:
        """Return the run in a folder, preferably an open one, whose results are in memory."""
        with self._lock:
            opened = [self.first, *self._open.values()]
        return next((one for one in opened if one.run.path == path), None) or Explorer(
            open_run(path)
        )


def open_state(first: Path, access: Access, folder: Path | None = None) -> AppState:
    """Open a state with jobs and uploads, stored in `folder` or in the default folder of jobs.

    No web server serves that folder; a download is asked for by the token of its job.
    """
    root = folder or jobs_folder()
    lent = accelerator()  # first: it must come before torch
    jobs = Jobs(
        root,
        runner=JobRunner(
            limits=Limits(access.images, access.evaluations),
            accelerate=lent,
            open_explorer=lambda path: state.explorer_at(path),
        ),
        quotas=access.quotas,
        keep_s=access.keep_s,
    )
    state = AppState(first, jobs, access, str(root / UPLOADS))
    if lent:  # a prior that is loaded now need not be loaded while the accelerator is lent
        jobs.runner.priors.get(PriorSettings(backend="torch"))
    return state


def jobs_folder() -> Path:
    """Return the folder of jobs: DSEL_JOBS, or one in this user's cache folder."""
    return Path(os.environ.get("DSEL_JOBS") or user_caches() / "jobs").expanduser()
