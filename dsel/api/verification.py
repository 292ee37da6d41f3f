"""Verification of stored files in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dsel.api.progress import follow
from dsel.types import Event, Notice


def verify(path: str | Path, *, progress: bool = True) -> tuple[str, ...]:
    """Read every file of a run or of an exported set again; returns a line per damaged file.

    Raises `RunError` or `SourceError` for a path that is neither.
    """
    found: list[str] = []
    follow(_without_notices(iter_verify(path), found), progress)
    return tuple(found)


def iter_verify(path: str | Path) -> Iterator[Event]:
    """Verify like `verify`, and yield the events; a notice names each damaged file."""
    from dsel.pipeline.verify import verify as verify_all

    yield from verify_all(Path(path))


def _without_notices(events: Iterator[Event], texts: list[str]) -> Iterator[Event]:
    for event in events:
        if isinstance(event, Notice):
            texts.append(event.text)
        else:
            yield event
