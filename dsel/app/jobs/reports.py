"""What the page is told about a job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from dsel.app.jobs.folder import State
from dsel.pipeline.progress import SkippedImage

Kind: TypeAlias = Literal["score", "export", "push", "report", "evaluate", "advise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """The state of a job.

    place: 1 for the next waiting job, 0 for a job that does not wait. stopping: cancelled, but its
    present step is still running. `skips` are the first of the `skipped` images. asked, started
    and finished are seconds since 1970. left_s is of this stage. quota: what was used up if that is
    the error, as in `QuotaError`. bytes: of the folder at its end.
    """

    token: str
    kind: Kind
    title: str
    state: State
    place: int
    stopping: bool
    resumable: bool
    stage: str
    done: int
    total: int
    unit: str
    note: str
    per_second: float | None
    left_s: float | None
    notices: tuple[str, ...]
    skipped: int
    skips: tuple[SkippedImage, ...]
    figures: Mapping[str, float | int | str]
    error: str
    quota: str
    asked: float
    started: float | None
    finished: float | None
    bytes: int


@dataclass(frozen=True, slots=True)
class PathsHidden:
    """Removes the path of a job's folder from texts for visitors."""

    folder: Path

    def text(self, text: str) -> str:
        """Return a text without the path."""
        return text.replace(f"{self.folder.resolve()}{os.sep}", "").replace(
            f"{self.folder}{os.sep}", ""
        )

    def value(self, value: float | str) -> float | int | str:
        """Return a figure; in one that is a text, the path is removed."""
        return self.text(value) if isinstance(value, str) else value
