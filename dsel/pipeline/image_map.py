"""Fit the map of all images of a run: one projection of their default patches, class by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from dsel.cache import Cache
from dsel.core.best_patches import BestPatches, best_patches
from dsel.core.large_projection import MOST_FITTED, project_many
from dsel.errors import DamageError
from dsel.pipeline.selector import DEFAULTS, Selector
from dsel.runs import Run, made_again
from dsel.runs.image_map import ImageMap, read_image_map, write_image_map
from dsel.types import Event, Notice, Progress, Started


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the map is made of: features (n, d) and patches of each class."""

    features: list[NDArray[np.float32]] = field(default_factory=list)
    best: list[BestPatches] = field(default_factory=list)

    def add(self, selector: Selector, class_index: int) -> None:
        """Add the images of the next class."""
        ids = selector.images(class_index).ids
        if not ids:
            return
        located = selector.located(class_index, DEFAULTS)
        features = np.zeros((len(ids), located.features.shape[1]), np.float32)
        rows, first = np.unique(located.image, return_index=True)  # the best patch comes first
        features[rows] = located.features[first]
        self.features.append(features)
        self.best.append(best_patches(selector.select(class_index, DEFAULTS), ids, DEFAULTS))

    @property
    def patches(self) -> BestPatches:
        """The patches of all classes."""
        names = [one.name for one in fields(BestPatches)]
        columns = {name: [getattr(one, name) for one in self.best] for name in names}
        return BestPatches(**{name: np.concatenate(parts) for name, parts in columns.items()})


def class_selector(run: Run) -> Selector:
    """Return a selector for one class, whose scores it reads once for all that is asked of it."""
    return Selector(run, Cache())


def is_current(known: ImageMap | None) -> bool:
    """Whether a stored map has the patches of all draws."""
    return known is not None and known.best is not None


def stored_map(run: Run) -> tuple[ImageMap | None, str]:
    """Return the stored map, and why there is none where it is damaged."""
    try:
        return read_image_map(run), ""
    except DamageError as error:
        return None, made_again(error)


def fitted_map(run: Run, gathered: Gathered, known: ImageMap | None) -> ImageMap:
    """Return the map of what was gathered; known: an earlier one, whose positions stay."""
    if not gathered.best:
        raise ValueError("a run without scored images has no map")
    if known is not None:
        return ImageMap(known.positions, gathered.patches, known.fitted, known.problem)
    features = np.concatenate(gathered.features)
    found = project_many(features, run.identity.settings.noise_seed)
    fitted = min(len(features), MOST_FITTED)
    return ImageMap(found.positions, gathered.patches, fitted, found.problem)


def fit_image_map(run: Run, store: bool = True) -> Iterator[Event | ImageMap]:
    """Fit the map of a run, unless it has a current one; the last event is the map.

    store: whether the run stores it. Without scored images there is none.
    """
    known, damage = stored_map(run)
    if damage:
        yield Notice(damage)
    if known is not None and is_current(known):
        yield known
        return
    classes = range(len(run.identity.classes))
    yield Started("layout", len(classes), "classes")
    gathered = Gathered()
    for index in classes:
        gathered.add(class_selector(run), index)
        yield Progress()
    if not gathered.best:
        return
    yield Started("map", 1, "maps")
    found = fitted_map(run, gathered, known)
    if store:
        write_image_map(run, found)
    yield Progress()
    yield found
