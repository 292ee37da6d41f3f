"""Positions of a class's images in the plane: the run's own layout, and layouts of other patches.

A layout is named by the settings that its patches follow from, so it can be computed again from its
name. A new one always starts from the run's own layout: the same settings give the same positions.
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
from dsel.pipeline.selector import narrowed
from dsel.runs import Run
from dsel.types import Geometry

Floats = NDArray[np.float32]
Locate: TypeAlias = Callable[[int, SelectSettings], Located]
Positions: TypeAlias = Callable[[int], Floats]
Key: TypeAlias = Hashable

OWN: Final = "own"
"""The layout that was fitted when the run was scored; principal components without one."""

PREFIX: Final = "of:"
"""Prefix of a name that consists of the query of its settings."""

DEFAULTS: Final = SelectSettings()
FAILURES: Final = 64
NICE: Final = 10
"""Niceness of the thread that fits layouts, so that requests are answered first."""

BUG: Final = "a new layout could not be computed: see the log of dsel"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LayoutStatus:
    """Whether a layout is ready; failed: why it could not be computed, empty otherwise."""

    name: str
    ready: bool
    failed: str = ""


def layout_settings(settings: SelectSettings, geometry: Geometry) -> SelectSettings:
    """Return the settings that a layout follows from, each value in its one canonical form.

    Clusters and ranks colour a layout but do not change it. Manual overrides do not change it
    either, since each concerns one image.
    """
    side, cell = geometry.resolution_px, geometry.cell_px
    every = set(settings.timesteps) == set(geometry.timesteps)
    wanted = DEFAULTS.replace(
        patch_px=0 if settings.patch_px == side // 2 else settings.patch_px,
        stride_px=0 if settings.stride_px == cell else settings.stride_px,
        timesteps=() if every else tuple(sorted(settings.timesteps)),
        locate=settings.locate,
        smooth=settings.smooth,
    )
    if settings.features == "free":
        return wanted
    # Features of another model are stored for exactly these patches.
    return narrowed(settings, "located")


def layout_name(run: Run, class_index: int, settings: SelectSettings) -> str:
    """Return the name of the layout of these patches."""
    wanted = layout_settings(settings, run.geometry)
    if wanted == DEFAULTS and run.read_layout(class_index) is not None:
        return OWN
    return PREFIX + query_of(View(select=wanted))


def settings_of_layout(name: str) -> SelectSettings:
    """Return the settings of a layout's name; raises `SettingError` for an invalid name."""
    if name == OWN:
        return DEFAULTS
    if not name.startswith(PREFIX):
        raise SettingError(f"a layout is named {OWN} or {PREFIX} and a query, got {name!r:.60}")
    return view_of(name.removeprefix(PREFIX)).select


def image_positions(
    run: Run, class_index: int, name: str, locate: Locate, own_positions: Positions
) -> Floats:
    """Return the positions (N, 2) of a class's images; `own_positions` gives those of `OWN`."""
    if name != OWN:
        settings = layout_settings(settings_of_layout(name), run.geometry)
        located = locate(class_index, settings)
        return patch_positions(
            located, own_positions(class_index), run.identity.settings.noise_seed
        )
    kept = run.read_layout(class_index)
    if kept is not None:
        return kept
    located = locate(class_index, DEFAULTS)
    positions = np.zeros((len(run.class_rows(class_index)), 2), np.float32)
    rows, first = np.unique(located.image, return_index=True)
    positions[rows] = principal_plane(unit_features(located.features[first]))
    return positions


def patch_positions(located: Located, start: Floats, seed: int) -> Floats:
    """Compute a layout (N, 2) of a class's images by their best patches, from starting positions.

    Images without a patch keep their starting position.
    """
    positions = start.copy()
    rows, first = np.unique(
        located.image, return_index=True
    )  # the best patch of an image comes first
    if len(rows):
        with _FITTING:
            positions[rows] = layout(located.features[first], seed, start[rows])
    return positions


def warm_up() -> None:
    """Import and compile UMAP, which takes longer than a layout."""
    lower_priority()
    with _FITTING:
        points = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
        layout(points, 0, points[:, :2])


def lower_priority() -> None:
    """Lower the priority of this thread, on systems where threads have their own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


class Fitter:
    """Fits one layout at a time in a background thread; only the newest waiting request is kept.

    A request that was dropped has to be repeated, as the page does while it needs the layout.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: Key | None = None
        self._next: tuple[Key, Callable[[], Any]] | None = None
        self._failed: OrderedDict[Key, str] = OrderedDict()

    def request(self, name: str, key: Key, ready: bool, work: Callable[[], Any]) -> LayoutStatus:
        """Return the status of a layout; unless it is ready, do its work next."""
        with self._lock:
            failed = self._failed.get(key, "")
            if not ready and not failed and key != self._now:
                self._next = key, work
                if self._now is None:
                    self._now = key
                    Thread(target=self._run, name="dsel-layouts", daemon=True).start()
        return LayoutStatus(name, ready, failed)

    def _run(self) -> None:
        lower_priority()
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
            del work  # a reference would keep a closed run in memory


FITTER: Final = Fitter()
"""The fitter of this process."""

_FITTING: Final = Lock()


def _failure(work: Callable[[], Any]) -> str:
    """Do some work and return why it failed, empty if it did not."""
    try:
        work()
    except DselError as error:
        return str(error)
    except Exception:  # the thread must survive; the log keeps the traceback
        log.exception("a layout failed")
        return BUG
    return ""
