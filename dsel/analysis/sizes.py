"""About how large an exported class is: a few of its images encoded, and the rest taken alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dsel.config import ExportSettings, SelectSettings
from dsel.core.composing import Cut, compose_class
from dsel.data.images import encode
from dsel.types import ClassSelection

SAMPLED: Final = 4
"""Images of a class that are encoded."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a class's image files, of which `sampled` were weighed: exact where that is all."""

    name: str
    images: int
    sampled: int
    bytes: int


def class_size(
    selected: ClassSelection,
    settings: SelectSettings,
    export: ExportSettings,
    image_px: int,
    cut: Cut,
) -> Size:
    """The size of a class's distilled images, `image_px` square, in the export's file format."""
    images = selected.images[: settings.ipc]
    chosen = tuple(images[place] for place in spread_over(len(images)))
    weights = [
        len(encode(image.pixels, export.file_format))
        for image in compose_class(replace(selected, images=chosen), settings, image_px, cut)
    ]
    return Size(selected.name, len(images), len(weights), _scaled(weights, len(images)))


def spread_over(count: int, most: int = SAMPLED) -> list[int]:
    """Up to `most` places of so many, from the first to the last, evenly apart."""
    taken = min(count, most)
    return [place * (count - 1) // max(taken - 1, 1) for place in range(taken)]


def _scaled(weights: Sequence[int], count: int) -> int:
    return round(sum(weights) * count / len(weights)) if weights else 0
