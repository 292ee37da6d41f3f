"""Soft labels: a teacher's probabilities for images, and for random crops of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.cut_boxes import TileScale
from dsel.files import write_atomically
from dsel.students.exported import ExportedTile, image_tiles, read_image
from dsel.students.label_crops import cropped, random_crops
from dsel.students.label_file import LABELS, CropLabels, SoftLabels, ViewName, label_bytes
from dsel.students.records import Images
from dsel.students.unpack import unpack
from dsel.types import Event, Progress, Started

if TYPE_CHECKING:
    from dsel.students.teachers import Teacher

VIEWS: Final[tuple[ViewName, ...]] = ("images", "tiles")
_Image: TypeAlias = tuple[Path, Sequence[ExportedTile]]
"""The file of an image, and its tiles."""

GROUP: Final = 64
"""Pictures and crops that a teacher labels at a time, about."""


def soft_for(teacher: Teacher, images: Images) -> NDArray[np.float16]:
    """Return a teacher's probabilities (N, C) of images (N, px, px, 3), as exports store them."""
    return teacher.probabilities(images).astype(np.float16)


def write_labels(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    tile_scale: TileScale,
    teacher: Teacher,
    crops: int,
    classes: Sequence[str],
) -> Iterator[Event]:
    """Write the labels of an export's images, given by their entries in the manifest.

    The images are labelled as they were written to `folder`, and so are the unpacked tiles of
    mosaics. crops: random crops of each that are labelled, too.
    """
    images = [(folder / entry["file"], image_tiles(entry)) for entry in entries]
    views = VIEWS if images and len(images[0][1]) > 1 else VIEWS[:1]
    yield Started("label", len(images) * len(views), "images")
    labels: dict[ViewName, SoftLabels] = {}
    for view in views:
        labels[view] = yield from _label_view(images, view, tile_scale, teacher, crops)
    write_atomically(folder / LABELS, label_bytes(labels, teacher.origin, classes))


def _label_view(
    images: Sequence[_Image], view: ViewName, tile_scale: TileScale, teacher: Teacher, crops: int
) -> Generator[Event, None, SoftLabels]:
    """Label one view of the images, a group at a time; yields progress by image."""
    each = (len(images[0][1]) if view == "tiles" else 1) if images else 1
    size, first = group_size(each, crops), 0
    parts = []
    for start in range(0, len(images), size):
        group = images[start : start + size]
        pictures = np.concatenate([_pictures(*image, view, tile_scale) for image in group])
        parts.append(label_pictures(pictures, teacher, crops, (VIEWS.index(view), first)))
        first += len(pictures)
        yield Progress(len(group))
    return (
        joined(parts) if parts else SoftLabels(soft_for(teacher, np.zeros((0, 1, 1, 3), np.uint8)))
    )


def group_size(tiles: int, crops: int) -> int:
    """Return how many images of so many tiles are labelled at a time, with their crops."""
    return max(1, GROUP // (tiles * (1 + crops)))


def label_pictures(
    pictures: Images, teacher: Teacher, crops: int, stream: tuple[int, int]
) -> SoftLabels:
    """Label pictures (K, px, px, 3), and `crops` random crops of each.

    stream: seeds the crops of the first picture; the others follow, so that groups do not matter.
    """
    whole = soft_for(teacher, pictures)
    if not crops:
        return SoftLabels(whole)
    of, number = stream
    places = [
        random_crops(np.random.default_rng([of, number + row]), crops)
        for row in range(len(pictures))
    ]
    shown = [
        cropped(picture, box, bool(flip), teacher.image_px)
        for picture, (boxes, flips) in zip(pictures, places, strict=True)
        for box, flip in zip(boxes, flips, strict=True)
    ]
    labels = soft_for(teacher, np.stack(shown)).reshape(len(pictures), crops, -1)
    boxes, flips = (np.stack(part) for part in zip(*places, strict=True))
    return SoftLabels(whole, CropLabels(labels, boxes, flips))


def joined(parts: Sequence[SoftLabels]) -> SoftLabels:
    """Join the labels of consecutive pictures."""
    whole = np.concatenate([part.probabilities for part in parts])
    crops = [part.crops for part in parts if part.crops is not None]
    if not crops:
        return SoftLabels(whole)
    return SoftLabels(
        whole,
        CropLabels(
            np.concatenate([one.probabilities for one in crops]),
            np.concatenate([one.boxes for one in crops]),
            np.concatenate([one.flips for one in crops]),
        ),
    )


def _pictures(
    path: Path, tiles: Sequence[ExportedTile], view: ViewName, tile_scale: TileScale
) -> Images:
    """Return an image of an export, or its tiles at full size, (T, px, px, 3)."""
    pixels = read_image(path)
    return pixels[None] if view == "images" else unpack(pixels, tiles, len(pixels), tile_scale)
