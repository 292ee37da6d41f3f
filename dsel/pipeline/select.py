"""Locate, cluster and rank the patches of a run: a generator of events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from dsel import __version__
from dsel.config import SelectSettings
from dsel.core.baselines.base import Teacher
from dsel.core.baselines.registry import BASELINES
from dsel.core.composing import shortfall
from dsel.core.patch_features import Featurizer
from dsel.errors import DamageError, RunError
from dsel.locks import locked
from dsel.pipeline.confidences import asks_teacher
from dsel.pipeline.selector import Selector
from dsel.runs import Run, made_again
from dsel.runs.copies import note_of_copies
from dsel.runs.selections import FOLDER as SELECTIONS
from dsel.runs.selections import current_selection, make_current
from dsel.types import (
    ClassSelection,
    Done,
    Event,
    Notice,
    Progress,
    Started,
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
    Raises `StorageError` while another process selects in this run.
    """
    selector = Selector(run, featurizer=featurizer, teacher=teacher)
    events = _select(selector, settings)
    if featurizer is not None or teacher is not None:
        events = _with_threads_of(run, events)
    yield from locked(run.path / SELECTIONS, events)


def _with_threads_of(run: Run, events: Iterator[Event]) -> Iterator[Event]:
    """Let models compute with the run's number of threads, which changes their last digits."""
    from dsel.priors.threads import torch_threads  # torch, which the model has loaded

    with torch_threads(run.identity.threads):
        yield from events


def _select(selector: Selector, settings: SelectSettings) -> Iterator[Event]:
    run = selector.run
    for text in unused(settings):
        yield Notice(text)
    settings = selector.with_known_ids(settings)
    stored = stored_selection(run, settings) if follows_from_run(settings) else None
    if stored is None:
        selections = yield from select_classes(selector, settings)
        yield from _damaged_before(run, settings)
        run.write_selection(settings, selections)
    else:
        selections = stored
        yield from _stored(selector, settings, stored)
    yield Done(
        "select",
        {
            "classes": len(selections),
            "patches": sum(len(s.patches) for s in selections),
            "images": sum(len(s.kept_images(settings.ipc)) for s in selections),
            "selection": run.selection_name(settings),
        },
    )


def stored_selection(run: Run, settings: SelectSettings) -> tuple[ClassSelection, ...] | None:
    """Return the selection with these settings and make it the current one; None without it.

    A damaged one, and one that another version of dsel may have made, counts as none.
    """
    name = run.selection_name(settings)
    try:
        if run.identity.dsel != __version__:
            return None
        _, selections = run.read_selection(name)
        if current_selection(run.path) != name:
            make_current(run.path, name)
    except RunError:
        return None
    return selections


def follows_from_run(settings: SelectSettings) -> bool:
    """Return whether a selection follows from the run and its settings alone.

    Models that describe patches or teach, and the true objects, may change beside them.
    """
    own = settings.baseline == "none" or BASELINES[settings.baseline].needs is None
    return own and settings.features == "free"


def _stored(
    selector: Selector, settings: SelectSettings, selections: Sequence[ClassSelection]
) -> Iterator[Event]:
    """Yield the events of selecting what is stored already."""
    if note := note_of_copies(selector.run.copies):
        yield Notice(note)
    yield Started("select", len(selections), "classes", done=len(selections))
    for selected in selections:
        if lack := shortfall(selected, settings):
            yield Notice(lack)


def _damaged_before(run: Run, settings: SelectSettings) -> Iterator[Event]:
    """Name what is damaged of this selection as it was stored before; it is written again."""
    name = run.selection_name(settings)
    for read in (lambda: current_selection(run.path), lambda: run.read_selection(name)):
        try:
            read()
        except DamageError as error:
            yield Notice(made_again(error))
        except RunError:
            continue  # none yet, or one of another version


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

    Notices name images that are left out as copies of others, and each class that gives fewer
    images than IPC.
    """
    selector.check_overrides(settings)
    if note := note_of_copies(selector.run.copies):
        yield Notice(note)
    yield Started("select", len(selector.classes), "classes")
    selections = []
    for index in range(len(selector.classes)):
        selected = selector.select(index, settings)
        selections.append(selected)
        for text in selector.notices():
            yield Notice(text)
        if lack := shortfall(selected, settings):
            yield Notice(lack)
        yield Progress()
    return selections
