"""Locate, cluster and rank the patches of a run: a generator of events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from dsel.config import SelectSettings
from dsel.core.composing import shortfall
from dsel.core.patch_features import Featurizer
from dsel.pipeline.confidences import asks_teacher
from dsel.pipeline.selector import Selector
from dsel.runs import Run
from dsel.types import (
    ClassSelection,
    Done,
    Event,
    Notice,
    Progress,
    Started,
    Teacher,
)


def select(
    run: Run,
    settings: SelectSettings,
    featurizer: Featurizer | None = None,
    teacher: Teacher | None = None,
) -> Iterator[Event]:
    """Select the patches of every class, and store them in the run as the current selection.

    The featurizer computes features that scoring does not store, the teacher answers baselines that
    ask one. What they give is stored in the run, so that the app can show the same without them.
    """
    selector = Selector(run, featurizer=featurizer, teacher=teacher)
    for text in unused(settings):
        yield Notice(text)
    selections = yield from select_classes(selector, settings)
    run.write_selection(settings, selections)
    yield Done(
        "select",
        {
            "classes": len(selections),
            "patches": sum(len(s.patches) for s in selections),
            "images": sum(len(s.kept_images(settings.ipc)) for s in selections),
            "selection": run.selection_name(settings),
        },
    )


def unused(settings: SelectSettings) -> Iterator[str]:
    """Name the settings that were given but change nothing beside the others."""
    if settings.context != SelectSettings().context and settings.cut != "context":
        yield f"context {settings.context:g} is not used: it needs cut context, not {settings.cut}"
    if settings.teacher and not asks_teacher(settings):
        yield f"teacher {settings.teacher} is not used: baseline {settings.baseline} asks none"


def select_classes(
    selector: Selector, settings: SelectSettings
) -> Generator[Event, None, Sequence[ClassSelection]]:
    """Select the patches of every class and return them.

    A notice names each class that gives fewer images than IPC.
    """
    selector.check_overrides(settings)
    yield Started("select", len(selector.classes), "classes")
    selections = []
    for index in range(len(selector.classes)):
        selected = selector.select(index, settings)
        selections.append(selected)
        if lack := shortfall(selected, settings):
            yield Notice(lack)
        yield Progress()
    return selections
