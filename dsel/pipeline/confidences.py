"""A teacher's confidence in boxes of images, stored in the run for later selections.

teachers/<fingerprint>/teacher.json                        the teacher's name
teachers/<fingerprint>/00000-<fingerprint>.safetensors     log odds (M,) of one class in M boxes
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import with_config

from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.config.shell import select_command
from dsel.core.baselines.base import Boxes, Confidence, Doubles, Ints, Teacher, log_odds
from dsel.core.baselines.registry import BASELINES
from dsel.data.images import crop
from dsel.errors import DamageError, SettingError
from dsel.files import (
    STORED,
    opened_tensors,
    read_record,
    record_bytes,
    tensor_bytes,
    write_atomically,
)
from dsel.pipeline.cutting import read_proxy
from dsel.runs import Run, remedies
from dsel.types import Box, ClassScores, Pixels

FOLDER: Final = "teachers"
TEACHER: Final = "teacher.json"
AT_ONCE: Final = 256
"""Crops that are shown to the teacher in one call."""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Named:
    name: str


def teacher_for(run: Run, settings: SelectSettings, device: str = "auto") -> Teacher | None:
    """Load the teacher that the baseline of these settings asks; None if it asks none."""
    if not asks_teacher(settings) or not settings.teacher:
        return None
    from dsel.students.teachers import load_teacher

    return load_teacher(settings.teacher, run.identity.classes, device)


def asks_teacher(settings: SelectSettings) -> bool:
    """Whether these settings select by a baseline that needs a teacher."""
    return settings.baseline != "none" and BASELINES[settings.baseline].needs == "teacher"


def last_teacher(run: Run) -> str:
    """Return the name of the teacher whose answers were stored last; empty without one."""
    found = list((run.path / FOLDER).glob(f"*/{TEACHER}"))
    if not found:
        return ""
    last = max(found, key=lambda path: path.stat().st_mtime_ns)
    return read_record(last, _Named, remedies.SELECT).name


def confidence_of(
    run: Run,
    settings: SelectSettings,
    scores: ClassScores,
    teacher: Teacher | None,
    repaired: Callable[[DamageError], None] = lambda _: None,
) -> Confidence:
    """Return what answers for a teacher in the images of one class.

    Without a teacher it returns stored answers, and raises `SettingError` for any others, and
    `DamageError` for damaged ones. repaired: is told of damaged files that are made again.
    """
    if not settings.teacher:
        raise SettingError(
            f"the baseline {settings.baseline} needs a teacher: pass --teacher with a folder that "
            "dsel teach saved, or an image classifier of transformers",
            setting="teacher",
        )

    def confidence(rows: Ints, boxes: Boxes) -> Doubles:
        path, stored = _path(run, settings.teacher, scores, rows, boxes), None
        try:
            stored = _read(path, teacher)
        except DamageError as error:
            if teacher is None:
                raise
            repaired(error)
        if stored is not None:
            return stored
        if teacher is None:
            command = select_command(Path("RUN"), settings.replace(teacher="TEACHER"))
            raise SettingError(
                f"the answers of teacher {Path(settings.teacher).name} to these images are not in "
                f"the run: compute them with {command}"
            )
        odds = _ask(teacher, _crops(run, scores, rows, boxes, teacher.image_px), scores.index)
        record = {"teacher": teacher.fingerprint}
        write_atomically(path, tensor_bytes({"log_odds": odds}, record))
        write_atomically(path.parent / TEACHER, record_bytes({"name": settings.teacher}))
        return odds

    return confidence


def _ask(teacher: Teacher, crops: Iterator[Pixels], class_index: int) -> Doubles:
    """Return the log odds (M,) of the class for M crops, shown in parts."""
    found = []
    while part := list(islice(crops, AT_ONCE)):
        found.append(log_odds(teacher.probabilities(np.stack(part)), class_index))
    return np.concatenate(found)


def _crops(
    run: Run, scores: ClassScores, rows: Ints, boxes: Boxes, image_px: int
) -> Iterator[Pixels]:
    """Cut boxes out of the proxies, each resampled to the teacher's size."""
    images = run.class_rows(scores.index)
    read = lru_cache(1)(lambda row: read_proxy(run, images[row]))
    for row, (x, y, side) in zip(rows.tolist(), boxes.tolist(), strict=True):
        yield crop(read(row), Box(x, y, side, side), image_px, image_px)


def _path(run: Run, teacher: str, scores: ClassScores, rows: Ints, boxes: Boxes) -> Path:
    """Return the file for a teacher's answers to these boxes of these images."""
    ids = [scores.ids[row] for row in rows.tolist()]
    asked = fingerprint(ids, hashlib.sha256(boxes.astype("<f8").tobytes()).hexdigest())
    folder = run.path / FOLDER / fingerprint(run.identity.fingerprint, teacher)
    return folder / f"{scores.index:05d}-{asked}.safetensors"


def _read(path: Path, teacher: Teacher | None) -> Doubles | None:
    """Return stored answers, unless they are another teacher's; raises `DamageError`."""
    if not path.exists():
        return None
    with opened_tensors(path, remedies.SELECT) as file:
        given_by, odds = file.record.get("teacher"), file.all("log_odds")
    return odds if teacher is None or given_by == teacher.fingerprint else None
