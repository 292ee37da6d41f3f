"""Compose ranked patches to distilled images: single patches, or mosaics of one cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.types import ClassSelection, Distilled, Patch, Pixels

Cut: TypeAlias = Callable[[Patch, int, int], Pixels]
"""(patch, width_px, height_px) -> the patch's pixels, resampled to that size."""


def compose_class(
    selected: ClassSelection, settings: SelectSettings, image_px: int, cut: Cut
) -> Iterator[Distilled]:
    """Yield the first IPC images of a class, each `image_px` square, or all if there are fewer."""
    sides = tile_sides(image_px, settings.factor)
    for number, positions in enumerate(selected.kept_images(settings.ipc)):
        patches = tuple(selected.patches[position] for position in positions)
        tiles = [
            cut(patch, sides[tile % settings.factor], sides[tile // settings.factor])
            for tile, patch in enumerate(patches)
        ]
        yield Distilled(selected.index, number, mosaic(tiles, settings.factor), patches)


def shortfall(selected: ClassSelection, settings: SelectSettings) -> str:
    """Return a sentence if a class gives fewer images than IPC; else an empty string."""
    given = len(selected.images)
    if given >= settings.ipc:
        return ""
    made_of = f"{settings.factor} x {settings.factor} mosaics" if settings.factor > 1 else "images"
    return (
        f"class {selected.name!r} has {len(selected.patches)} patches and gives {given} {made_of}, "
        f"fewer than IPC {settings.ipc}: all are used; raise --per-image or lower --ipc to even out"
    )


def check_image_px(image_px: int, factor: int) -> None:
    """Raise `SettingError` for an image that is too small for its mosaic."""
    if image_px < factor:
        raise SettingError(
            f"image px must be at least {factor} for {factor} x {factor} mosaics, got {image_px}"
        )


def tile_sides(image_px: int, factor: int) -> list[int]:
    """Split a side into `factor` whole numbers that differ by at most 1 and add up to it."""
    side, rest = divmod(image_px, factor)
    return [side + (tile < rest) for tile in range(factor)]


def mosaic(tiles: Sequence[Pixels], factor: int) -> Pixels:
    """Join factor x factor tiles row by row; their sides must add up (see `tile_sides`)."""
    if len(tiles) != factor * factor:
        raise ValueError(f"a mosaic of factor {factor} has {factor * factor} tiles: {len(tiles)}")
    rows = [np.hstack(tiles[start : start + factor]) for start in range(0, len(tiles), factor)]
    return np.ascontiguousarray(np.vstack(rows))
