"""A teacher's confidence in boxes of images, stored in the run for later selections.

teachers/<fingerprint>/00000.safetensors    (M,) log odds of one class in the boxes asked for
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.config.shell import select_command
from dsel.core.baselines.base import Boxes, Confidence, Doubles, Ints, log_odds
from dsel.core.baselines.registry import BASELINES
from dsel.data.images import crop
from dsel.errors import SettingError
from dsel.files import write_atomically
from dsel.pipeline.cutting import read_proxy
from dsel.runs import Run
from dsel.types import Box, ClassScores, Pixels, Teacher

AT_ONCE: Final = 256
"""Crops that are shown to the teacher in one call."""


def teacher_for(run: Run, settings: SelectSettings, device: str = "auto") -> Teacher | None:
    """Load the teacher that the baseline of these settings asks; None if it asks none."""
    if not asks_teacher(settings) or not settings.teacher:
        return None
    from dsel.students.teachers import load_teacher

    return load_teacher(settings.teacher, run.identity.classes, device)


def asks_teacher(settings: SelectSettings) -> bool:
    """Whether these settings select by a baseline that needs a teacher."""
    return settings.baseline != "none" and BASELINES[settings.baseline].needs == "teacher"


def confidence_of(
    run: Run, settings: SelectSettings, scores: ClassScores, teacher: Teacher | None
) -> Confidence:
    """Return what answers for a teacher in the images of one class.

    Without a teacher it returns stored answers, and raises `SettingError` for any others.
    """
    if not settings.teacher:
        raise SettingError(
            f"the baseline {settings.baseline} needs a teacher: pass --teacher with a folder that "
            "dsel teach saved, or an image classifier of transformers",
            setting="teacher",
        )

    def confidence(rows: Ints, boxes: Boxes) -> Doubles:
        path = _path(run, settings.teacher, scores, rows, boxes)
        stored = _read(path, teacher)
        if stored is not None:
            return stored
        if teacher is None:
            raise SettingError(
                f"the answers of teacher {settings.teacher} to these images are not in the run: "
                f"compute them with {select_command(Path('RUN'), settings)}"
            )
        odds = _ask(teacher, _crops(run, scores, rows, boxes, teacher.image_px), scores.index)
        write_atomically(path, save({"log_odds": odds}, {"teacher": teacher.fingerprint}))
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
    asked = hashlib.sha256(boxes.astype("<f8").tobytes()).hexdigest()
    name = fingerprint(run.identity.fingerprint, teacher, ids, asked)
    return run.path / "teachers" / name / f"{scores.index:05d}.safetensors"


def _read(path: Path, teacher: Teacher | None) -> Doubles | None:
    """Return stored answers, unless they are damaged or another teacher's."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            given_by = (file.metadata() or {}).get("teacher")
            odds: Doubles = file.get_tensor("log_odds")
    except (SafetensorError, OSError):
        return None
    return odds if teacher is None or given_by == teacher.fingerprint else None
