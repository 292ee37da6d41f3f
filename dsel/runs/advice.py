"""Stored advice: the settings that were tried on validation images, and the recommended ones.

advice/<fingerprint>.json    one search (`Advice`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dsel.errors import RunError
from dsel.files import json_bytes, read_json, write_atomically
from dsel.runs.evaluations import HeldOutSource

FORMAT: Final = "dsel advice 1"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate of a round: what differs from the selection, and its students' accuracies."""

    changes: Mapping[str, Any]
    accuracies: tuple[float, ...]
    mean: float


@dataclass(frozen=True, slots=True)
class Rung:
    """One round of the search, the best candidate first."""

    steps: int
    seeds: int
    candidates: tuple[Candidate, ...]


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
    """Read the advice of that fingerprint; raises `RunError` if it is missing or damaged."""
    path = folder / "advice" / f"{name}.json"
    record = read_json(path)
    try:
        parts = {key: value for key, value in record.items() if key != "format"}
        rungs = tuple(_rung(rung) for rung in parts["rungs"])
        return Advice(
            **{**parts, "validation": HeldOutSource(**parts["validation"]), "rungs": rungs}
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged: delete it and ask for advice again") from error


def _rung(record: Mapping[str, Any]) -> Rung:
    tried = tuple(
        Candidate(one["changes"], tuple(one["accuracies"]), one["mean"])
        for one in record["candidates"]
    )
    return Rung(record["steps"], record["seeds"], tried)


def write_advice(folder: Path, advice: Advice) -> Path:
    """Store advice in a run; returns the file."""
    path = folder / "advice" / f"{advice.fingerprint}.json"
    write_atomically(path, json_bytes(advice.plain()))
    return path
