"""True objects of a run's images: a COCO file matched with images, classes, sizes and turns."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import compress
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.data.images import UPRIGHT
from dsel.errors import SourceError
from dsel.runs.coco import Picture, TrueObject, read_coco, short
from dsel.runs.coco_masks import Mask, Shape, annotation_mask, drawing_px, reaches_beyond
from dsel.runs.file_names import match_names
from dsel.runs.object_classes import ObjectClasses, object_classes
from dsel.runs.run import Run
from dsel.runs.schema import ImageRow
from dsel.types import Frame

Side: TypeAlias = Literal["shown", "stored", "either"]
"""Whether a picture's size is that of its pixels as shown or as stored, before an EXIF turn."""

TURNED: Final = 5
"""The EXIF orientations from this one on swap width and height."""


@dataclass(frozen=True, slots=True)
class ObjectsOfImage:
    """The objects of one image of a run; iterating draws them one by one, (height, width) each.

    shape: of the upright source. orientation: the EXIF orientation by which the objects are turned;
    1 leaves them as they are.
    """

    picture: Picture
    objects: tuple[TrueObject, ...]
    shape: Shape
    orientation: int

    def __iter__(self) -> Iterator[Mask]:
        drawn = self.shape[::-1] if self.orientation >= TURNED else self.shape
        turn = UPRIGHT.get(self.orientation)
        for one in self.objects:
            mask = self._drawn(one, (drawn[0], drawn[1]))
            yield turn(mask) if turn else mask

    def _drawn(self, one: TrueObject, shape: Shape) -> Mask:
        try:
            return annotation_mask(one.annotation, _shape(self.picture), shape)
        except SourceError as error:
            raise SourceError(f"{one.label}: {error}") from error


@dataclass(frozen=True, slots=True)
class Matched:
    """How a file of true objects fits a run.

    images: scored images of the run, of which `boxed` have an object. pictures: images of the file,
    of which `unknown` are not in the run. notes: what was left out or assumed, a sentence each.
    """

    images: int
    boxed: int
    pictures: int
    unknown: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The true objects of a run's images by image id, drawn on access."""

    objects: Mapping[str, Iterable[Mask]]
    matched: Matched = field(default=Matched(0, 0, 0, 0))

    def mask(self, image_id: str) -> Mask | None:
        """Return the joined objects of an image, (height, width); None without any."""
        masks = self.each(image_id)
        first = next(masks, None)
        return None if first is None else reduce(np.logical_or, masks, first)

    def each(self, image_id: str) -> Iterator[Mask]:
        """Draw the objects of an image one by one."""
        yield from self.objects.get(image_id, ())


def read_ground_truth(run: Run, path: Path, most_px: float = math.inf) -> GroundTruth:
    """Read a COCO file and match its objects with the images of a run.

    most_px: the pixels that drawing all objects may take, of a file of strangers.
    Raises `SourceError` for a file that cannot be read, for an object that cannot be in its image,
    and where no image of the run has an object.
    """
    file = read_coco(path)
    rows = {row.id: row for row in run.images}
    classes = object_classes(run, file.categories)
    names = match_names(file.pictures, rows, classes.folders)
    pictures = {image_id: file.pictures[name] for image_id, name in names.items()}
    scored = {one: pictures[one] for one in pictures if rows[one].frame is not None}
    try:
        found = _Fitted(scored, rows, classes, most_px)
        objects, notes = found.objects(), found.notes()
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error
    boxed = {image_id: one for image_id, one in objects.items() if one.objects}
    if not boxed:
        raise SourceError(_nothing(path, bool(names), notes))
    images = sum(row.frame is not None for row in run.images)
    unknown = len(file.pictures) - len(set(names.values()))
    return GroundTruth(boxed, Matched(images, len(boxed), len(file.pictures), unknown, notes))


def largest_shares(truth: GroundTruth, frames: Mapping[str, Frame]) -> NDArray[np.float64]:
    """Return the share of each image's view that its largest object covers, NaN without one: (N,).

    frames: of N images by their ids.
    """
    return np.array([
        max((_share_of_view(mask, frame) for mask in truth.each(image_id)), default=np.nan)
        for image_id, frame in frames.items()
    ])  # fmt: skip


class _Fitted:
    """Pictures of a file that belong to scored images, fitted to their classes, sizes and turns."""

    def __init__(
        self,
        pictures: Mapping[str, Picture],
        rows: Mapping[str, ImageRow],
        classes: ObjectClasses,
        most_px: float,
    ) -> None:
        self._left_px, self._most_px = most_px, most_px
        self._pictures, self._rows, self._classes = pictures, rows, classes
        self._sides = {one: _side(picture, rows[one]) for one, picture in pictures.items()}
        told = {self._sides[one] for one in pictures if rows[one].orientation >= TURNED}
        told -= {"either"}
        self._common = told.pop() if len(told) == 1 else "either"
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def objects(self) -> dict[str, ObjectsOfImage]:
        """Return the objects of each image; draws them once, so that bad ones are found now."""
        found = {}
        for image_id, picture in self._pictures.items():
            row, side = self._rows[image_id], self._sides[image_id]
            side = self._common if side == "either" else side
            if side == "either":
                self._count("unclear", short(picture.name), bool(picture.objects))
            else:
                found[image_id] = self._of_image(picture, row, side)
        return found

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for everything that was left out or assumed."""
        return (
            *self._classes.notes,
            *(
                text.format(count=count, first=self._first[what])
                for what, text in _NOTES.items()
                if (count := self._counts[what])
            ),
        )

    def _of_image(self, picture: Picture, row: ImageRow, side: Side) -> ObjectsOfImage:
        frame = row.frame
        assert frame is not None  # of a scored image
        orientation = row.orientation if side == "stored" else 1
        shape = frame.source_height, frame.source_width
        index = row.class_index
        own = [one for one in picture.objects if self._classes.fits(index, one.category)]
        self._spend(own, _shape(picture), shape)
        every = ObjectsOfImage(picture, tuple(own), shape, orientation)
        visible = [bool(mask.any()) for mask in every]
        self._count("crowds", short(picture.name), picture.crowds)
        self._count("others", short(picture.name), len(picture.objects) - len(own))
        self._count("turned", short(picture.name), orientation > 1)
        stored = shape[::-1] if orientation >= TURNED else shape
        self._count("scaled", short(picture.name), _shape(picture) != stored)
        for one, is_visible in zip(own, visible, strict=True):
            self._count("empty", one.label, not is_visible)
            self._count("cut", one.label, reaches_beyond(one.annotation, _shape(picture)))
        return replace(every, objects=tuple(compress(own, visible)))

    def _spend(self, objects: Sequence[TrueObject], shape: Shape, drawn: Shape) -> None:
        """Raise `SourceError` once drawing takes more pixels than it may."""
        for one in objects:
            self._left_px -= drawing_px(one.annotation, shape, drawn)
            if self._left_px < 0:
                raise SourceError(
                    f"drawing its objects may take at most {self._most_px / 1e9:.3g} gigapixels, "
                    f"each as large as its image, which {one.label} exceeds: keep fewer objects, "
                    "or smaller images"
                )

    def _count(self, what: str, example: str, count: int = 1) -> None:
        self._counts[what] += count
        if count:
            self._first.setdefault(what, example)


_NOTES: Final = {
    "others": "objects of other categories than their image's class left out: {count}, first in "
    "{first}",
    "crowds": "crowd regions left out: {count}, first in {first}",
    "empty": "objects without any pixel left out: {count}, first {first}",
    "cut": "objects cut off at the edge of their image: {count}, first {first}; boxes must be x, "
    "y, width and height",
    "scaled": "images of another size in the file than in the run: {count}, first {first}; their "
    "objects are scaled",
    "turned": "images turned by their EXIF orientation: {count}, first {first}; the file has them "
    "as they are stored",
    "unclear": "images left out because of their EXIF orientation: {count}, first {first}; nothing "
    "tells whether their objects are in stored or in upright pixels, so save them upright",
}
"""What is said of each kind of count; `first` names an example."""


def _nothing(path: Path, is_matched: bool, notes: Sequence[str]) -> str:
    if not is_matched:
        return (
            f"{path}: none of the run's images is among the boxes' file names: are they of the "
            "same data?"
        )
    return "; ".join([f"{path}: no image of the run has an object of its class", *notes])


def _shape(picture: Picture) -> Shape:
    return picture.height, picture.width


def _side(picture: Picture, row: ImageRow) -> Side:
    """Tell by its size whether a picture is as shown or as stored.

    Raises `SourceError` for a size that is neither.
    """
    frame, size = row.frame, (picture.width, picture.height)
    assert frame is not None  # of a scored image
    upright = frame.source_width, frame.source_height
    stored = upright[::-1] if row.orientation >= TURNED else upright
    for fits in (operator.eq, _same_aspect):
        as_shown, as_stored = fits(size, upright), fits(size, stored)
        if as_shown and as_stored and row.orientation > 1:
            return "either"
        if as_shown or as_stored:
            return "shown" if as_shown else "stored"
    why = ", and it has no EXIF orientation that swaps them" if size == upright[::-1] else ""
    raise SourceError(
        f"the image {short(picture.name)} has {size[0]} x {size[1]} px in the file, but "
        f"{upright[0]} x {upright[1]} px in the run{why}: the file must be of the same images"
    )


def _same_aspect(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Return whether two sizes are of one image, each side rounded to a whole pixel."""
    return abs(a[0] * b[1] - a[1] * b[0]) <= max(sum(a), sum(b))


def _share_of_view(mask: Mask, frame: Frame) -> float:
    """Return the share of the view, in whole pixels, that an object covers."""
    view = frame.view
    rows, columns = (
        slice(round(low), round(low + length))
        for low, length in ((view.y, view.height), (view.x, view.width))
    )
    return float(mask[rows, columns].mean())
