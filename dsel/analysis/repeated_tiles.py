"""Tiles of mosaics that repeat a patch of the set, and the number of clusters that avoids them.

A mosaic's patches come from one cluster. A cluster with too few of them fills its last mosaic with
patches that the set already shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dsel.config import SelectSettings
from dsel.types import ClassSelection


def repeated_tiles(selected: ClassSelection, ipc: int) -> int:
    """Count the tiles of the first `ipc` images that show a patch that another tile shows."""
    tiles = sum(len(image) for image in selected.kept_images(ipc))
    return tiles - len(selected.kept(ipc))


def clusters_without_repeats(
    settings: SelectSettings, select: Callable[[SelectSettings], Iterable[ClassSelection]]
) -> int:
    """Return a number of clusters, below that of the settings, without repeated tiles; 0 if none.

    select: returns the selections of all classes. Halves are tried, since fewer clusters are larger
    and leave fewer patches over; no class may give fewer images than it does.
    """
    images = [len(one.kept_images(settings.ipc)) for one in select(settings)]
    clusters = settings.k // 2
    while clusters:
        found = select(settings.replace(clusters=clusters))
        if all(_is_whole(one, settings.ipc, most) for one, most in zip(found, images, strict=True)):
            return clusters
        clusters //= 2
    return 0


def _is_whole(selected: ClassSelection, ipc: int, images: int) -> bool:
    """Whether a class gives so many images, none of which repeats a tile."""
    return len(selected.kept_images(ipc)) == images and not repeated_tiles(selected, ipc)
