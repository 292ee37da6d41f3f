"""Stored evaluations: what students scored on held-out images, and what was held out.

evaluations/<fingerprint>/evaluation.json   one evaluation (`Evaluation`); written again after every
                                            student, so an interrupted one has its finished ones
evaluations/students/<fingerprint>-<seed>.json
                                            a student of one training set: evaluations that share a
                                            set, its test images and its recipe share it
evaluations/workers/                        what workers do that train students
evaluations/validations.json                the sources that sweeps and advice have used
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import with_config

from dsel.config import EvaluateSettings
from dsel.files import STORED, read_record, record_bytes, write_atomically
from dsel.runs import remedies

FORMAT: Final = "dsel evaluation 1"
FOLDER: Final = "evaluations"
STUDENTS: Final = "students"
_FILE: Final = "evaluation.json"


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class StudentResult:
    """The test accuracies of one student, in 0 to 1.

    last: after the last step. best: the highest of `curve`, the accuracies at the steps in `steps`.
    trained_on: the SHA-256 of the pixels and labels of its training set. per_class: those of `last`
    on the test images of each class, None for a class without any; students that were stored before
    it was measured have none.
    """

    seed: int
    last: float
    best: float
    steps: tuple[int, ...]
    curve: tuple[float, ...]
    trained_on: str
    per_class: tuple[float | None, ...] = ()


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The students of one set: `dsel`, or a baseline, at one IPC.

    images: distilled images of all classes. training_images: what students see of them, the tiles
    where mosaics are unpacked. mean, sd and standard_error: of the students' last accuracies;
    best_mean: the mean of their best ones. difference and p_value: to random whole images of the
    same IPC, by Welch's t test. None where there are too few students. per_class: the mean of the
    students' accuracies of each class; empty unless all students have them.
    """

    name: str
    ipc: int
    images: int
    training_images: int
    image_px: int
    student_px: int
    students: tuple[StudentResult, ...] = ()
    mean: float | None = None
    sd: float | None = None
    standard_error: float | None = None
    best_mean: float | None = None
    difference: float | None = None
    p_value: float | None = None
    per_class: tuple[float | None, ...] = ()


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class HeldOutSource:
    """A source of held-out images: as it was given, how to open it again, and its fingerprint."""

    source: str
    origin: Mapping[str, Any]
    fingerprint: str
    images: int

    def overlaps(self, fingerprint: str, origin: Mapping[str, Any]) -> bool:
        """Whether a dataset is this one, or other images of the same source and split."""
        return self.fingerprint == fingerprint or _place(self.origin) == _place(origin)


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Evaluation:
    """Students that were trained on sets of equal budget, and their accuracies on `test`.

    select: the plain select settings of the evaluated set. selection: its fingerprint, empty for an
    exported set without a run. made_of: the fingerprint of the run or of the export. notices: what
    a reader of the figures should know, such as an unequal budget. is_export: whether the set is an
    export, of which a smaller IPC than its own takes the first images.
    """

    fingerprint: str
    complete: bool
    settings: EvaluateSettings
    select: Mapping[str, Any]
    selection: str
    made_of: str
    test: HeldOutSource
    validation: bool
    classes: tuple[str, ...]
    rows: tuple[EvaluationRow, ...] = ()
    notices: tuple[str, ...] = ()
    is_export: bool = False

    def row(self, name: str, ipc: int) -> EvaluationRow | None:
        """The row of a set at an IPC; None without one."""
        return next((row for row in self.rows if (row.name, row.ipc) == (name, ipc)), None)

    def plain(self) -> dict[str, Any]:
        """The JSON object that is stored."""
        return {"format": FORMAT, **asdict(self), "settings": self.settings.plain()}


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Students:
    students: tuple[StudentResult, ...]


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Validations:
    sources: tuple[HeldOutSource, ...]


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Store an evaluation in a run, or in an exported set without one."""
    path = folder / FOLDER / evaluation.fingerprint / _FILE
    write_atomically(path, record_bytes(evaluation.plain()))


def read_evaluation(folder: Path, name: str) -> Evaluation | None:
    """Read the evaluation of that fingerprint; None if there is none.

    Raises `DamageError` for a damaged one.
    """
    path = folder / FOLDER / name / _FILE
    return _read(path) if path.exists() else None


def list_evaluations(folder: Path) -> tuple[Evaluation, ...]:
    """Read all evaluations of a run or of an exported set, the oldest first."""
    paths = (folder / FOLDER).glob(f"*/{_FILE}")
    return tuple(map(_read, sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path))))


def write_student(folder: Path, name: str, student: StudentResult) -> None:
    """Store a student of one training set, in a file of its own: workers share the folder."""
    record = {"format": FORMAT, "students": [asdict(student)]}
    path = folder / FOLDER / STUDENTS / f"{name}-{student.seed}.json"
    write_atomically(path, record_bytes(record))


def read_students(folder: Path, name: str) -> tuple[StudentResult, ...]:
    """Read the students of one training set, by seed; none if there is no such file.

    Files of several students, without a seed in their name, are from before workers shared them.
    """
    paths = sorted((folder / FOLDER / STUDENTS).glob(f"{name}*.json"))
    records = [read_record(path, _Students, remedies.EVALUATE, FORMAT) for path in paths]
    found = {student.seed: student for one in records for student in one.students}
    return tuple(found[seed] for seed in sorted(found))


def list_validations(folder: Path) -> tuple[HeldOutSource, ...]:
    """The sources whose images settings of this run were chosen by."""
    path = folder / FOLDER / "validations.json"
    if not path.exists():
        return ()
    return read_record(path, _Validations, remedies.VALIDATIONS, FORMAT).sources


def add_validation(folder: Path, source: HeldOutSource) -> None:
    """Record that settings are chosen by these images, so that no test uses them."""
    known = list_validations(folder)
    if source not in known:
        record = {"format": FORMAT, "sources": [asdict(one) for one in (*known, source)]}
        write_atomically(folder / FOLDER / "validations.json", record_bytes(record))


def _place(origin: Mapping[str, Any]) -> tuple[Any, ...]:
    """The source, the split and the seed of the scenes: images of one place may be the same."""
    source = str(origin.get("source", ""))
    if source == "toybox":
        return source, origin.get("scene_seed", 0)
    if "://" in source:
        return source, origin.get("subset", ""), origin.get("split", "")
    place = Path(source).expanduser().resolve() / str(origin.get("split", ""))
    return str(place), origin.get("subset", "")


def _read(path: Path) -> Evaluation:
    return read_record(path, Evaluation, remedies.EVALUATE, FORMAT)
