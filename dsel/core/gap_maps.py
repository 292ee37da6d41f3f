"""From stored maps, one per timestep, to one map per image: to locate by, or to score by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from dsel.core.chunks import chunks
from dsel.core.integral_image import Tables, summed_areas
from dsel.core.widening import widened
from dsel.errors import SettingError
from dsel.types import Bucket, ClassScores, Geometry

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

Counted: TypeAlias = Literal["positive", "signed"]
"""Which cells of the gap count: those where naming the class helps, or all."""

MapKind: TypeAlias = Literal["difference"] | Counted
"""What a map shows: the difference of the two predictions, or a gap."""


@dataclass(frozen=True)
class Maps(Sequence[Floats]):
    """Combined maps (n, h, w) of each of a class's buckets, and their integral images.

    rows: (n,) of each bucket, the images that the maps are of.
    """

    buckets: tuple[Floats, ...]
    rows: tuple[Ints, ...]

    @overload
    def __getitem__(self, at: int) -> Floats: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Floats, ...]: ...
    def __getitem__(self, at: int | slice) -> Floats | tuple[Floats, ...]:
        return self.buckets[at]

    def __len__(self) -> int:
        return len(self.buckets)

    @cached_property
    def tables(self) -> Tables:
        """The integral images of all maps, by the rows of their images."""
        return summed_areas(self.buckets, self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the maps and of their tables, made or not."""
        cells = (n * (h + 1) * (w + 1) for n, h, w in (maps.shape for maps in self.buckets))
        return int(sum(maps.nbytes for maps in self.buckets) + 8 * sum(cells))


def combined_maps(
    scores: ClassScores, geometry: Geometry, timesteps: tuple[int, ...], kind: MapKind,
    smooth: float = 0.0, *, locating: bool = False,
) -> Maps:  # fmt: skip
    """Return the combined maps of each of a class's buckets; no timesteps are all."""
    how = geometry, timesteps, kind, smooth
    return Maps(
        tuple(combined_map(bucket, *how, locating=locating) for bucket in scores.buckets),
        tuple(bucket.rows for bucket in scores.buckets),
    )


def combined_map(
    bucket: Bucket, geometry: Geometry, timesteps: tuple[int, ...], kind: MapKind,
    smooth: float = 0.0, *, locating: bool = False,
) -> Floats:  # fmt: skip
    """Return the mean map over timesteps as a share of the loss, (n, h, w); none are all.

    smooth: the standard deviation in cells of `smoothed`, 0 leaves the map as it is. locating:
    take the gap that locates, which further draws may have left as it was, not the one that scores.
    """
    columns = timestep_columns(timesteps, geometry.timesteps)
    gap = bucket.locating_gap if locating else bucket.gap
    stored = bucket.difference if kind == "difference" else gap
    maps = stored[:, adjacent(columns)]
    return smoothed(combine_timesteps(maps, geometry.losses[columns], kind == "positive"), smooth)


def combine_timesteps(
    maps: NDArray[np.floating], losses: NDArray[np.floating], positive: bool = False
) -> Floats:
    """Mean over timesteps of maps, each divided by its loss: (N, T, h, w) -> (N, h, w).

    losses: (T,), see `mean_losses`. The losses of timesteps differ in size, so that some timesteps
    would dominate the mean; after division all weigh the same, and a gap is the share of the loss
    that naming the class saves. With `positive`, cells where naming the class misleads count as 0:
    within one object it may help in some cells and mislead in others, and these should not cancel.
    """
    weights = (1.0 / np.asarray(losses, np.float32)) / len(losses)
    mean = np.empty((len(maps), *maps.shape[2:]), np.float32)
    for part in chunks(len(maps), math.prod(maps.shape[1:])):
        cells = widened(maps[part])
        counted = np.maximum(cells, 0.0) if positive else cells
        np.einsum("nthw,t->nhw", counted, weights, out=mean[part])
    return mean


def smoothed(maps: Floats, cells: float) -> Floats:
    """Gaussian mean over neighbouring cells of each map, (..., h, w); 0 cells changes nothing.

    cells: the standard deviation s. The weight of a cell d rows (and then columns) away is
    proportional to exp(-d^2 / (2 s^2)), up to a distance of 4 s, and weights sum to 1. Beyond its
    edges a map is mirrored (b a | a b c | c b), so that its mean does not change, and cells at the
    edge do not count less than others.
    """
    if not cells:
        return maps
    # Imported late: it takes a tenth of a second, and only locating smooths.
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(maps, cells, mode="reflect", truncate=4.0, axes=(-2, -1)))


def image_losses(conditional: NDArray[np.floating]) -> Doubles:
    """Mean conditional loss over the cells of each image: (N, T, h, w) -> (N, T)."""
    means: Doubles = np.asarray(conditional, np.float64).mean(axis=(2, 3))
    return means


def mean_losses(sums: Doubles, images: int) -> Floats:
    """Mean loss per timestep (T,), from sums (T,) of `image_losses` over this many images.

    Sums of parts of a run add up. Of the statistics that put timesteps on one scale, this one is
    the most stable with few draws. It is 1 for a timestep without any loss.
    """
    mean = np.asarray(sums, np.float64) / max(images, 1)
    return np.where(mean > 0, mean, 1.0).astype(np.float32)


def timestep_columns(wanted: tuple[int, ...], scored: tuple[int, ...]) -> list[int]:
    """Return the indices of the wanted timesteps in the scored ones; of all if none is named."""
    missing = [timestep for timestep in wanted if timestep not in scored]
    if missing:
        known = ", ".join(map(str, scored))
        raise SettingError(f"timestep {missing[0]} was not scored in this run; scored are {known}")
    return [scored.index(timestep) for timestep in wanted or scored]


def adjacent(columns: list[int]) -> slice | list[int]:
    """Return rising columns without gaps as a slice, which needs no copy; others as they are."""
    start, stop = columns[0], columns[-1] + 1
    return slice(start, stop) if columns == [*range(start, stop)] else columns


def image_bucket(scores: ClassScores, row: int) -> Bucket:
    """Return the maps of the `row`-th image of a class alone."""
    for bucket in scores.buckets:
        (found,) = np.nonzero(bucket.rows == row)
        if len(found):
            return bucket.take(found)
    raise IndexError(f"class {scores.name!r} has {len(scores.ids)} scored images, no row {row}")
