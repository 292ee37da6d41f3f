"""A trainer that trains nothing: accuracies that follow from the set and the seed, and a record."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from types import ModuleType

import numpy as np
import pytest

from dsel.config import EvaluateSettings
from dsel.students.records import LabelledImages, Outcome
from dsel.types import Progress


class Interrupted(BaseException):
    """The process ends here."""


class InstantTrainer:
    """Stands in for `dsel.students.training`; `calls` are the seeds of each training.

    at_once: how many students are trained at a time. stop_after: raise `Interrupted` once so many
    are trained.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.sets: list[LabelledImages] = []
        self.tests: list[LabelledImages] = []
        self.stop_after = -1
        self.at_once = 1

    def divide_threads(self, _threads: int, _students: int) -> tuple[int, int]:
        return self.at_once, 1

    def train_students(
        self, train: LabelledImages, test: LabelledImages, _classes: int,
        settings: EvaluateSettings, seeds: Sequence[int],
    ) -> Iterator[Outcome | Progress]:  # fmt: skip
        self.calls.append(tuple(seeds))
        self.sets.append(train)
        self.tests.append(test)
        for seed in seeds:
            if self.stop_after == 0:
                raise Interrupted
            self.stop_after -= 1
            yield Progress(settings.steps)
            last = float(train.images.mean() / 255 + 0.01 * seed) % 1
            yield Outcome(seed, last, last + 0.1, (settings.steps,), (last,))

    @property
    def students(self) -> int:
        return sum(map(len, self.calls))


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> InstantTrainer:
    """Replace the training of students by an instant one."""
    instant = InstantTrainer()
    module = ModuleType("dsel.students.training")
    module.train_students = instant.train_students  # type: ignore[attr-defined]
    module.divide_threads = instant.divide_threads  # type: ignore[attr-defined]
    module.limit_threads = nullcontext  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return instant


def same_images(a: LabelledImages, b: LabelledImages) -> bool:
    return np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels)
