"""The map of all images of an open run: stored with the run, or fitted in the background."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.explorer import Explorer
from dsel.analysis.layouts import Fitter
from dsel.config import SelectSettings
from dsel.core.best_patches import BestPatches
from dsel.errors import StorageError
from dsel.pipeline.image_map import fit_image_map
from dsel.pipeline.selector import DEFAULTS
from dsel.runs.image_map import FILE, ImageMap, class_starts, read_image_map, write_image_map
from dsel.types import Progress, Started

NAME: Final = "map"
BUDGET_S: Final = 1.0
"""Seconds that one request may take to select classes."""

STAGES: Final = {"layout": "reading", "map": "fitting"}
NO_IMAGES: Final = "no image of this run was scored"


@dataclass(slots=True)
class MapStatus:
    """Whether the map is ready, and how far it is if not.

    stage: reading the scores of `total` classes, of which `done` are read, or fitting; empty before
    either. failed: why there will be no map.
    """

    ready: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """The best patches of the images of some classes, class by class."""

    classes: tuple[int, ...]
    best: tuple[BestPatches, ...]


MAPS: Final = Fitter()
"""Fits one map at a time; layouts of single classes do not wait for it."""

_FITTED: Final[WeakKeyDictionary[Explorer, ImageMap]] = WeakKeyDictionary()
"""Maps that were fitted here, which a run that cannot be written to does not store."""

_PROGRESS: Final[WeakKeyDictionary[Explorer, MapStatus]] = WeakKeyDictionary()


def map_status(explorer: Explorer) -> MapStatus:
    """Return how far the map of a run is; a missing one is started in the background."""
    if not explorer.run.summary.scored:
        return MapStatus(failed=NO_IMAGES)
    ready = image_map(explorer) is not None
    found = MAPS.request(NAME, ref(explorer), ready, lambda: _fit(explorer))
    if ready or found.failed:
        return MapStatus(ready, failed=found.failed)
    return _PROGRESS.get(explorer) or MapStatus()


def image_map(explorer: Explorer) -> ImageMap | None:
    """Return the map of a run; None before it is fitted."""
    fitted = _FITTED.get(explorer)
    if fitted is not None:
        return fitted
    return explorer.kept_in_memory((NAME, *_stamp(explorer)), lambda: read_image_map(explorer.run))


def map_marks(
    explorer: Explorer,
    settings: SelectSettings,
    classes: Sequence[int],
    budget_s: float = BUDGET_S,
) -> Marks:
    """Return the best patches of classes, of the first one at least, as the seconds allow.

    Those of default settings are stored with the map.
    """
    end = monotonic() + budget_s
    best: list[BestPatches] = []
    for index in classes:
        best.append(_stored(explorer, settings, index) or explorer.best_patches(index, settings))
        if monotonic() > end:
            break
    return Marks(tuple(classes[: len(best)]), tuple(best))


def in_unit_square(positions: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return positions (N, 2) in 65,535ths of the longer side of the plane; directions stay."""
    low = positions.min(axis=0)
    side = max(float((positions.max(axis=0) - low).max()), np.finfo(np.float32).tiny)
    shares = (positions - low).astype(np.float64) / side
    found: NDArray[np.uint16] = np.rint(shares * np.iinfo(np.uint16).max).astype(np.uint16)
    return found


def _stored(explorer: Explorer, settings: SelectSettings, class_index: int) -> BestPatches | None:
    """Return the stored patches of a class; None where the settings give others."""
    if settings.replace(pins=(), bans=(), moves=()) != DEFAULTS:
        return None
    found = image_map(explorer)
    if found is None:
        return None
    named = {*settings.pins, *settings.bans, *settings.overrides.corners}
    row_of = explorer.images(class_index).row_of if named else {}
    if any(image_id in row_of for image_id in named):
        return None
    starts = explorer.kept_in_memory(("class starts",), lambda: class_starts(explorer.run))
    return found.rows(int(starts[class_index]), int(starts[class_index + 1]))


def _stamp(explorer: Explorer) -> tuple[int, ...]:
    """Tell one stored file from the next, which `dsel score` may write while the app runs."""
    with suppress(OSError):
        found = (explorer.run.path / FILE).stat()
        return found.st_mtime_ns, found.st_size
    return ()


def _fit(explorer: Explorer) -> None:
    """Fit the map, and store it where the run can be written to."""
    status = _PROGRESS.setdefault(explorer, MapStatus())
    for event in fit_image_map(explorer.run, store=False):
        if isinstance(event, Started):
            status.stage, status.total, status.done = STAGES[event.stage], event.total, 0
        elif isinstance(event, Progress):
            status.done += event.count
        elif isinstance(event, ImageMap):
            _FITTED[explorer] = event
    with suppress(StorageError, OSError):
        write_image_map(explorer.run, _FITTED[explorer])
