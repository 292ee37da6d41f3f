"""Stored advice: the settings that were tried on validation images, and the recommended ones.

advice/<fingerprint>.json    one search (`Advice`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import with_config

from dsel.files import STORED, read_record, record_bytes, write_atomically
from dsel.runs import remedies
from dsel.runs.evaluations import HeldOutSource

FORMAT: Final = "dsel advice 1"


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate of a round: what differs from the selection, and its students' accuracies."""

    changes: Mapping[str, Any]
    accuracies: tuple[float, ...]
    mean: float


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Rung:
    """One round of the search, the best candidate first."""

    steps: int
    seeds: int
    candidates: tuple[Candidate, ...]


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Advice:
    """The recommended settings, and their figures against random whole images.

    select: the recommended select settings, plain. command: the `dsel select` that gives them.
    mean, sd, random_mean, random_sd: of the last accuracies on the validation images, in 0 to 1, of
    students that took no part in the search. better: whether Welch's test says so.
    """

    fingerprint: str
    validation: HeldOutSource
    select: Mapping[str, Any]
    changes: Mapping[str, Any]
    command: str
    students: int
    mean: float
    sd: float | None
    random_mean: float
    random_sd: float | None
    difference: float
    p_value: float | None
    better: bool
    text: str
    rungs: tuple[Rung, ...]

    def plain(self) -> dict[str, Any]:
        """The JSON object that is stored."""
        return {"format": FORMAT, **asdict(self)}


def list_advice(folder: Path) -> tuple[Advice, ...]:
    """Read all advice of a run, the oldest first."""
    paths = sorted((folder / "advice").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return tuple(read_advice(folder, path.stem) for path in paths)


def read_advice(folder: Path, name: str) -> Advice:
    """Read the advice of that fingerprint; raises `DamageError` if it is missing or damaged."""
    return read_record(folder / "advice" / f"{name}.json", Advice, remedies.ADVISE, FORMAT)


def write_advice(folder: Path, advice: Advice) -> Path:
    """Store advice in a run; returns the file."""
    path = folder / "advice" / f"{advice.fingerprint}.json"
    write_atomically(path, record_bytes(advice.plain()))
    return path
