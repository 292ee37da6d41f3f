"""Locate, cluster and rank the patches of a run: a generator of events."""

from __future__ import annotations

from collections.abc import Iterator

from dsel.config import SelectSettings
from dsel.core.composing import shortfall
from dsel.core.selection import (
    check_overrides,
    select_class,
)
from dsel.pipeline.feature_cache import describer
from dsel.runs import Run
from dsel.types import (
    Done,
    Event,
    Featurizer,
    Notice,
    Progress,
    Started,
)


def select(
    run: Run, settings: SelectSettings, featurizer: Featurizer | None = None
) -> Iterator[Event]:
    """Locate, cluster and rank the patches of every class, and keep them as the current selection.

    The featurizer describes the patches for settings whose features are not the free ones; what it
    says is kept in the run, so that the app can show the same clusters without it.
    """
    classes = run.identity.classes
    check_overrides_of(run, settings)
    yield Started("select", len(classes), "classes")
    selections = []
    describe = describer(run, settings, featurizer)
    for index in range(len(classes)):
        selected = select_class(run.class_scores(index), run.geometry, settings, describe)
        selections.append(selected)
        if lack := shortfall(selected, settings):
            yield Notice(lack)
        yield Progress()
    run.write_selection(settings, selections)
    yield Done(
        "select",
        {
            "classes": len(classes),
            "patches": sum(len(s.patches) for s in selections),
            "images": sum(min(settings.ipc, len(s.images)) for s in selections),
            "selection": run.selection_name(settings),
        },
    )


def check_overrides_of(run: Run, settings: SelectSettings) -> None:
    """Raise `SettingError` for decisions by hand that do not fit the run."""
    if settings.overrides:
        check_overrides(settings, run.geometry, {row.id: row.frame for row in run.images})
