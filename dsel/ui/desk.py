"""What an app holds for all its visitors: the runs that are open, and nothing of any visitor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from dsel.errors import SettingError
from dsel.explore import Explorer
from dsel.runs import open_run

MOST_OPEN: Final = 16
"""Runs of jobs that stay open; the one not looked at for longest is closed first."""


class Desk:
    """The run that the app was opened on, and those that jobs made, by their tokens."""

    def __init__(self, first: Path, run_of: Callable[[str], Path] | None = None) -> None:
        """`run_of` says where the run of a job is; raises `SettingError` for an unknown token."""
        self.first = Explorer(open_run(first))
        self._run_of = run_of
        self._lock = Lock()
        self._open: OrderedDict[str, Explorer] = OrderedDict()

    def explorer(self, token: str) -> Explorer:
        """The run of a token, and the first one for none; raises `DselError` where there is none.

        What is known of a run that was scored anew under the same token is forgotten.
        """
        if not token:
            return self.first
        if self._run_of is None:
            raise SettingError("this app has no runs but the one that it was opened on")
        path = self._run_of(token)
        with self._lock:
            if token not in self._open:
                self._open[token] = Explorer(open_run(path))
            self._open.move_to_end(token)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
            return self._open[token]
