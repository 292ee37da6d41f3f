"""The map of all scored images of a run, class by class: positions in the plane, and best patches.

layouts/all.safetensors   positions (N, 2) float32, and what `BestPatches` has of each image at
                          default settings: cluster, rank, score, standard_error, margin, box, kept
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsel.checksums import damaged
from dsel.config import SelectSettings
from dsel.config.base import fingerprint
from dsel.core.best_patches import BestPatches
from dsel.files import opened_tensors, tensor_bytes, write_atomically
from dsel.runs import remedies
from dsel.runs.run import Run

FILE: Final = Path("layouts", "all.safetensors")
COLUMNS: Final = tuple(one.name for one in fields(BestPatches))


@dataclass(frozen=True, slots=True)
class ImageMap:
    """Positions (N, 2) of the scored images, those of the first class first, and their patches.

    best: at default settings; None if further draws have changed them since. fitted: images that
    UMAP laid out; the others are placed among them. problem: why the positions are no layout of
    UMAP, empty if they are.
    """

    positions: NDArray[np.float32]
    best: BestPatches | None
    fitted: int
    problem: str = ""

    def rows(self, start: int, stop: int) -> BestPatches | None:
        """Return the patches of some of the images."""
        if self.best is None:
            return None
        parts = {name: getattr(self.best, name)[start:stop] for name in COLUMNS}
        return replace(self.best, **parts)


def class_starts(run: Run) -> NDArray[np.int64]:
    """Return where each class starts in the map, and the number of its images, (C + 1,)."""
    images, classes = run.images, len(run.identity.classes)
    counts = np.bincount(images.class_index[images.is_scored], minlength=classes)
    return np.concatenate([[0], np.cumsum(counts)])


def rows_by_class(run: Run) -> NDArray[np.int64]:
    """Return the rows of the scored images in the run's table, in the order of the map, (N,)."""
    rows = np.flatnonzero(run.images.is_scored)
    return rows[np.argsort(run.images.class_index[rows], kind="stable")]


def read_image_map(run: Run) -> ImageMap | None:
    """Read the map of a run; None before it is fitted; raises `DamageError` for a damaged one."""
    path = run.path / FILE
    if not path.exists():
        return None
    with opened_tensors(path, remedies.SCORE) as file:
        positions = file.all("positions")
        columns = {name: file.all(name) for name in COLUMNS}
        record = file.record
    if {len(one) for one in (positions, *columns.values())} != {run.summary.scored}:
        raise damaged(path, "it has positions of other images", remedies.SCORE)
    best = BestPatches(**columns) if record.get("patches") == _patches(run) else None
    return ImageMap(positions, best, int(record.get("fitted", 0)), str(record.get("problem", "")))


def write_image_map(run: Run, image_map: ImageMap) -> None:
    """Store the map of a run, with its patches."""
    best = image_map.best
    if best is None:
        raise ValueError("a map is stored with its patches")
    tensors = {name: getattr(best, name) for name in COLUMNS}
    record = {
        "patches": _patches(run),
        "fitted": image_map.fitted,
        "problem": image_map.problem,
    }
    content = tensor_bytes({"positions": image_map.positions, **tensors}, record)
    write_atomically(run.path / FILE, content)


def _patches(run: Run) -> str:
    """Name the patches at default settings: they follow from the scores and all their draws."""
    return fingerprint(
        run.identity.fingerprint, SelectSettings(), list(map(list, run.summary.rounds))
    )
