"""Where a class's images lie in the plane: the run's own layout, and new ones of other patches.

A layout is named by the settings that its patches follow from, so that whoever has the name can
make it again. A new one begins from the run's own, whatever was looked at before: the same settings
give the same places to everybody.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SelectSettings
from dsel.config.url import View, query_of, view_of
from dsel.core.clustering import unit_features
from dsel.core.projection import layout, principal_plane
from dsel.core.selection import Located
from dsel.errors import DselError, SettingError
from dsel.runs import Run
from dsel.types import Geometry

Floats = NDArray[np.float32]
Locate: TypeAlias = Callable[[int, SelectSettings], Located]
Places: TypeAlias = Callable[[int], Floats]
Key: TypeAlias = Hashable

OWN: Final = "own"
"""The layout that was fitted when the run was scored; principal components where none is kept."""

PREFIX: Final = "of:"
"""A name begins so where the query of its settings follows."""

USUAL: Final = SelectSettings()
FAILURES: Final = 64
NICE: Final = 10
"""How much a fit steps back for the answers to slider moves, where the system knows of it."""

BUG: Final = "a new layout could not be computed: dsel's log says why"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The layout of some patches: is it ready, and if it failed, why; empty if it did not."""

    name: str
    ready: bool
    failed: str = ""


def layout_settings(settings: SelectSettings, geometry: Geometry) -> SelectSettings:
    """What a layout follows from, each value written in one way only.

    Clusters and ranks colour a layout and do not change it; nor do decisions by hand, of which each
    concerns one image.
    """
    side, cell = geometry.resolution_px, geometry.cell_px
    every = set(settings.timesteps) == set(geometry.timesteps)
    wanted = USUAL.replace(
        patch_px=0 if settings.patch_px == side // 2 else settings.patch_px,
        stride_px=0 if settings.stride_px == cell else settings.stride_px,
        timesteps=() if every else tuple(sorted(settings.timesteps)),
        gap=settings.gap,
    )
    if settings.features == "free":
        return wanted
    # What another model said was kept for just these patches.
    free = {"clusters": 0, "ipc": USUAL.ipc, "within": USUAL.within, "across": USUAL.across}
    return settings.replace(**free, factor=1, pins=(), bans=())


def layout_name(run: Run, class_index: int, settings: SelectSettings) -> str:
    """The name of the layout of these patches."""
    wanted = layout_settings(settings, run.geometry)
    if wanted == USUAL and run.read_layout(class_index) is not None:
        return OWN
    return PREFIX + query_of(View(select=wanted))


def settings_of_layout(name: str) -> SelectSettings:
    """The settings that a name stands for; raises `SettingError` for one that means nothing."""
    if name == OWN:
        return USUAL
    if not name.startswith(PREFIX):
        raise SettingError(f"a layout is named {OWN} or {PREFIX} and a query, got {name!r:.60}")
    return view_of(name.removeprefix(PREFIX)).select


def place_images(
    run: Run, class_index: int, name: str, locate: Locate, places_of: Places
) -> Floats:
    """Places (N, 2) of a class's images in a layout; `places_of` gives those of the run's own."""
    if name != OWN:
        settings = layout_settings(settings_of_layout(name), run.geometry)
        located = locate(class_index, settings)
        return place_patches(located, places_of(class_index), run.identity.settings.noise_seed)
    kept = run.read_layout(class_index)
    if kept is not None:
        return kept
    located = locate(class_index, USUAL)
    places = np.zeros((len(run.class_rows(class_index)), 2), np.float32)
    rows, first = np.unique(located.image, return_index=True)
    places[rows] = principal_plane(unit_features(located.features[first]))
    return places


def place_patches(located: Located, start: Floats, seed: int) -> Floats:
    """A new layout (N, 2) of a class's images by their best patches, begun from the places before.

    Images that have no patch stay where they were.
    """
    places = start.copy()
    rows, first = np.unique(located.image, return_index=True)  # an image's patches stand best first
    if len(rows):
        with _FITTING:
            places[rows] = layout(located.features[first], seed, start[rows])
    return places


def warm_up() -> None:
    """Load what a layout needs and let it be compiled, which takes longer than a layout."""
    step_back()
    with _FITTING:
        points = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        layout(points, 0, points[:, :2])


def step_back() -> None:
    """Let other threads go first; on systems that give a thread no rank of its own, nothing."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class Fitter:
    """Does one thing at a time in a thread of its own; of those that wait, the newest is next.

    What is pushed aside so must be asked for again, as a page does that still wants it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: Key | None = None
        self._next: tuple[Key, Callable[[], Any]] | None = None
        self._failed: OrderedDict[Key, str] = OrderedDict()

    def wanted(self, name: str, key: Key, ready: bool, work: Callable[[], Any]) -> Wanted:
        """How a layout stands; unless it is ready, its work is done next."""
        with self._lock:
            failed = self._failed.get(key, "")
            if not ready and not failed and key != self._now:
                self._next = key, work
                if self._now is None:
                    self._now = key
                    Thread(target=self._run, name="dsel-layouts", daemon=True).start()
        return Wanted(name, ready, failed)

    def _run(self) -> None:
        step_back()
        while True:
            with self._lock:
                if self._next is None:
                    self._now = None
                    return
                (self._now, work), self._next = self._next, None
            failed = _failure(work)
            if failed:
                with self._lock:
                    self._failed[self._now] = failed
                    while len(self._failed) > FAILURES:
                        self._failed.popitem(last=False)
            del work  # nothing holds a run that is closed


FITTER: Final = Fitter()
"""The one of the process."""

_FITTING: Final = Lock()


def _failure(work: Callable[[], Any]) -> str:
    """Why some work could not be done; empty if it was."""
    try:
        work()
    except DselError as error:
        return str(error)
    except Exception:  # the thread must live on; the log keeps the traceback
        log.exception("a layout failed")
        return BUG
    return ""
