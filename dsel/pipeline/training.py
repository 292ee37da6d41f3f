"""Train students of a set, each of which is stored when it is finished."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from dsel import __version__
from dsel.config import EvaluateSettings
from dsel.config.base import fingerprint
from dsel.pipeline.held_out import HeldOut
from dsel.pipeline.training_set import TrainingSet
from dsel.runs.evaluations import StudentResult, read_students, write_student
from dsel.students.recipes import recipe_of
from dsel.students.records import LabelledImages, Outcome
from dsel.students.sides import check_side
from dsel.types import Notice, Progress

LARGEST_STUDENT_PX: Final = 64
"""Side of the students' images unless the settings say another one, at most."""


def resolved(settings: EvaluateSettings, image_px: int) -> EvaluateSettings:
    """Return the settings with the side of the students' images filled in.

    Raises `SettingError` for a side that the student cannot take.
    """
    side = settings.student_px or min(image_px, LARGEST_STUDENT_PX)
    check_side(settings.student, side)
    return settings.replace(student_px=side)


def how_trained(settings: EvaluateSettings) -> dict[str, Any]:
    """Return everything that a student of a given set and seed depends on."""
    named = {name: getattr(settings, name) for name in ("student", "student_px", "steps")}
    found = {**named, **asdict(recipe_of(settings))}
    if settings.precision == "auto":  # students from before there was a choice keep their names
        del found["precision"]
    return found


class StudentTrainer:
    """Trains students of any sets on one source of held-out images.

    Students are stored under the content of their set, so that an interrupted evaluation resumes,
    and evaluations that share a set share its students.
    """

    def __init__(
        self, held_out: HeldOut, images: LabelledImages, settings: EvaluateSettings
    ) -> None:
        """images: those of `held_out` at the students' size; settings: as `resolved` gives them."""
        self._held_out = held_out
        self._images = images
        self._settings = settings

    def stored(self, training_set: TrainingSet) -> dict[int, StudentResult]:
        """Return the students of a set that are stored, by seed."""
        found = read_students(self._folder, self._name(training_set.fingerprint))
        return {student.seed: student for student in found}

    def store(self, training_set: TrainingSet, outcome: Outcome) -> StudentResult:
        """Store a student of a set."""
        content = training_set.fingerprint
        result = StudentResult(**asdict(outcome), trained_on=content)
        write_student(self._folder, self._name(content), result)
        return result

    def outcome(
        self, training_set: TrainingSet, seed: int, threads: int
    ) -> Iterator[Outcome | Progress | Notice]:
        """Train a student without storing it; threads: of the processor, 0 for all."""
        from dsel.students.training import train_students

        classes = len(self._held_out.subject.classes)
        settings = self._settings.replace(threads=threads)
        events = train_students(training_set.images, self._images, classes, settings, [seed])
        yield from (event for event in events if isinstance(event, Outcome | Progress | Notice))

    def _name(self, content: str) -> str:
        return fingerprint(
            __version__, content, self._held_out.source.fingerprint, how_trained(self._settings)
        )

    @property
    def _folder(self) -> Path:
        return self._held_out.subject.folder
