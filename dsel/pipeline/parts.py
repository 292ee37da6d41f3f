"""Who may score into a run at the same time: one job for the whole, or one for each part of it.

A job of a part holds the lock of its part for as long as it works, and that of the whole run only
while it creates or resumes it. A job for the whole run holds that lock all the time, and begins
only if no part is held. Parts of another number of parts would share shards: they are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from dsel.errors import StorageError
from dsel.locks import HOLDER, LOCK, hold, holder_in, locked
from dsel.runs.workers import held_parts, part_lock, part_locks, remove_gone
from dsel.types import Event

PATIENCE_S: Final = 900.0
"""How long a part waits while others prepare the run, which may convert a network."""

RETRY_S: Final = 0.5


def locked_run(path: Path, events: Iterable[Event]) -> Generator[Event, None, None]:
    """Yield the events of a job for the whole run, which is locked meanwhile.

    Raises `StorageError` if the run, or a part of it, is being scored by another process.
    """
    return locked(path, _unless_parts(path, events))


@contextmanager
def locked_part(
    path: Path, part: tuple[int, int]
) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Lock a part of a run; yields what locks the whole run, and waits for other parts to do so.

    Raises `StorageError` if the same part, the whole run, or parts of another number of parts are
    being scored.
    """
    with hold(path, part_lock(path, *part)):
        yield lambda: _preparing(path, part)
    remove_gone(path)


def part_name(part: tuple[int, int]) -> str:
    """Return I/N."""
    return f"{part[0]}/{part[1]}"


def _unless_parts(path: Path, events: Iterable[Event]) -> Iterator[Event]:
    for lock in part_locks(path):
        with hold(path, lock):  # raises, or removes what a killed job left
            pass
    remove_gone(path)
    yield from events


@contextmanager
def _preparing(path: Path, part: tuple[int, int]) -> Iterator[str]:
    with _held_patiently(path, part) as notice:
        for number, parts, who in held_parts(path):
            if parts != part[1]:
                raise StorageError(
                    f"{path} is being scored in {parts} parts, {number}/{parts} by {who}: use "
                    f"--shards I/{parts}, or wait for their end",
                    path=str(path),
                )
        yield notice


@contextmanager
def _held_patiently(path: Path, part: tuple[int, int]) -> Iterator[str]:
    """Lock the run; waits while it is locked by another part, which prepares it."""
    end = time.monotonic() + PATIENCE_S
    with ExitStack() as stack:
        while True:
            try:
                notice = stack.enter_context(hold(path))
                break
            except StorageError as error:
                waits = (
                    HOLDER in error.fields and time.monotonic() < end and _is_prepared(path, part)
                )
                if not waits:
                    raise
            time.sleep(RETRY_S)
        yield notice


def _is_prepared(path: Path, part: tuple[int, int]) -> bool:
    """Whether another part holds the lock of the whole run, or nobody does any more."""
    holder = holder_in(path / LOCK)
    held = held_parts(path)
    who = {(found.pid, found.host) for *which, found in held if tuple(which) != part}
    return holder is None or (holder.pid, holder.host) in who
