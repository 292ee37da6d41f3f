"""Select the patches of one class of given scores, without a run on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

from dsel.config import SelectSettings
from dsel.config.presets import PRESETS
from dsel.pipeline.selector import Selector
from dsel.types import ClassScores, ClassSelection, Frame, Geometry

BY_PATCH = SelectSettings(**PRESETS["paper"]).replace(factor=1)
"""Patches are ranked by their own scores and cut as they are."""


@dataclass(frozen=True)
class OneClass:
    """The parts of a run that a selection reads; `others` are images of other classes."""

    scores: ClassScores
    geometry: Geometry
    others: Mapping[str, Frame | None] = field(default_factory=dict)

    @property
    def identity(self) -> SimpleNamespace:
        before = (f"class {n}" for n in range(self.scores.index))
        return SimpleNamespace(classes=(*before, self.scores.name))

    @property
    def summary(self) -> SimpleNamespace:
        return SimpleNamespace(rounds=())

    @property
    def copies(self) -> Mapping[str, str]:
        return {}

    @property
    def frames(self) -> Mapping[str, Frame | None]:
        return {**dict(zip(self.scores.ids, self.scores.frames, strict=True)), **self.others}

    def class_scores(self, class_index: int) -> ClassScores:
        assert class_index == self.scores.index
        return self.scores


def select_class(
    scores: ClassScores,
    geometry: Geometry,
    settings: SelectSettings,
    others: Mapping[str, Frame | None] | None = None,
) -> ClassSelection:
    """What a Selector without a cache gives of these scores."""
    run = OneClass(scores, geometry, others or {})
    return Selector(run).select(scores.index, settings)  # type: ignore[arg-type]
