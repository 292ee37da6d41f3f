"""Tell other processes how many of a job's students are trained, for `dsel status`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import time

from dsel.errors import RunError
from dsel.pipeline.tasks import Finished
from dsel.runs.workers import (
    StudentsState,
    remove_gone,
    remove_students_state,
    write_students_state,
)
from dsel.types import Event


def told(
    folder: Path, stream: Generator[Event | Finished, None, None], total: int, done: int = 0
) -> Generator[Event | Finished, None, None]:
    """Pass on what a runner yields, and write how many students are done.

    folder: of the evaluations, which is locked. total and done: students of the job, and those that
    an earlier try has trained. What is written is removed at the end, unless students are left.
    """
    remove_gone(folder)
    state = StudentsState(total, done, 0, time())
    write_students_state(folder, state)
    try:
        with closing(stream):
            for event in stream:
                if isinstance(event, Finished):
                    state = replace(state, done=state.done + 1, updated=time())
                    write_students_state(folder, state)
                yield event
    except RunError as error:
        failed = len(error.fields.get("failed", ()))
        write_students_state(folder, replace(state, failed=failed, updated=time()))
        raise
    remove_students_state(folder)
