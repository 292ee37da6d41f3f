"""Boxes, frames and ranked patches: single records, and many of them as columns of arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

T = TypeVar("T", bound=float)

Boxes: TypeAlias = Doubles
"""M boxes: x, y, width and height, (M, 4)."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; (x, y) is its top left corner. Fractions are allowed."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The region `view` of an upright source that its proxy shows, and both sizes in pixels."""

    source_width: int
    source_height: int
    view: Box
    proxy_width: int
    proxy_height: int

    def to_source(self, box: Box) -> Box:
        """Map a box from proxy pixels to source pixels."""
        sx, sy = self.view.width / self.proxy_width, self.view.height / self.proxy_height
        x, y = self.view.x + box.x * sx, self.view.y + box.y * sy
        return Box(x, y, box.width * sx, box.height * sy)

    def to_proxy(self, box: Box) -> Box:
        """Map a box from source pixels to proxy pixels; it may reach beyond the proxy."""
        sx, sy = self.proxy_width / self.view.width, self.proxy_height / self.view.height
        x, y = (box.x - self.view.x) * sx, (box.y - self.view.y) * sy
        return Box(x, y, box.width * sx, box.height * sy)


@dataclass(frozen=True, slots=True, eq=False)
class Frames(Sequence[Frame]):
    """N frames as columns; a `Frame` is made when it is asked for.

    view: (N, 4) boxes. source and proxy: (N, 2) widths and heights.
    """

    source: Ints
    view: Boxes
    proxy: Ints

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> Frames:
        """Return the columns of some frames."""
        if isinstance(frames, Frames):
            return frames
        return cls(
            _sides((one.source_width, one.source_height) for one in frames),
            _boxes(one.view for one in frames),
            _sides((one.proxy_width, one.proxy_height) for one in frames),
        )

    def __len__(self) -> int:
        return len(self.view)

    @overload
    def __getitem__(self, at: int) -> Frame: ...
    @overload
    def __getitem__(self, at: slice) -> Frames: ...
    def __getitem__(self, at: int | slice) -> Frame | Frames:
        if isinstance(at, slice):
            return self.take(at)
        (width, height), proxy = self.source[at].tolist(), self.proxy[at].tolist()
        return Frame(width, height, Box(*self.view[at].tolist()), proxy[0], proxy[1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Frames:
        """Return the frames of some rows."""
        return Frames(self.source[rows], self.view[rows], self.proxy[rows])

    def to_source(self, boxes: Boxes) -> Boxes:
        """Map a box of each frame from proxy pixels to source pixels, as `Frame.to_source` does."""
        scale = self.view[:, 2:] / self.proxy
        return np.hstack([self.view[:, :2] + boxes[:, :2] * scale, boxes[:, 2:] * scale])


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch and how it was ranked.

    box is in proxy pixels, source_box in pixels of the upright source; cut_box is what is exported
    of it. score is the mean of the combined gap inside the box, picture_score over the picture;
    their standard errors are NaN if unknown. margin is the lead of the box, on the map that locates
    it, over the best box apart from it (NaN without one). distance is to the centroid of its
    cluster, in feature space. rank counts from 0 in its class.
    """

    image_id: str
    class_index: int
    box: Box
    source_box: Box
    cut_box: Box
    score: float
    standard_error: float
    picture_score: float
    picture_standard_error: float
    margin: float
    cluster: int
    distance: float
    rank: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Patches(Sequence[Patch]):
    """P patches of one class as columns; a `Patch` is made when it is asked for.

    ids: of images of the class, in any order. image: (P,) the place of each patch's image among
    them. The other columns, (P,) or (P, 4) for boxes, are those of `Patch`.
    """

    ids: Sequence[str]
    class_index: int
    image: Ints
    box: Boxes
    source_box: Boxes
    cut_box: Boxes
    score: Doubles
    standard_error: Doubles
    picture_score: Doubles
    picture_standard_error: Doubles
    margin: Doubles
    cluster: Ints
    distance: NDArray[np.floating]
    rank: Ints

    @classmethod
    def of(cls, patches: Sequence[Patch]) -> Patches:
        """Return the columns of some patches of one class."""
        if isinstance(patches, Patches):
            return patches
        places: dict[str, int] = {}
        image = [places.setdefault(one.image_id, len(places)) for one in patches]
        columns: dict[str, Any] = {
            name: np.array([getattr(one, name) for one in patches], kind)
            for name, kind in _NUMBERS.items()
        }
        columns |= {name: _boxes(getattr(one, name) for one in patches) for name in _BOXES}
        return cls(
            ids=tuple(places),
            class_index=patches[0].class_index if patches else 0,
            image=np.array(image, np.int64),
            **columns,
        )

    def __len__(self) -> int:
        return len(self.image)

    @overload
    def __getitem__(self, at: int) -> Patch: ...
    @overload
    def __getitem__(self, at: slice) -> Patches: ...
    def __getitem__(self, at: int | slice) -> Patch | Patches:
        if isinstance(at, slice):
            return self.take(at)
        columns: dict[str, Any] = {name: Box(*getattr(self, name)[at].tolist()) for name in _BOXES}
        columns |= {name: _number(getattr(self, name)[at].item()) for name in _NUMBERS}
        return Patch(image_id=self.id_of(at), class_index=self.class_index, **columns)

    def __iter__(self) -> Iterator[Patch]:
        boxes = (map(Box, *getattr(self, name).T.tolist()) for name in _BOXES)
        numbers = (map(_number, getattr(self, name).tolist()) for name in _NUMBERS)
        for image_id, *parts in zip(self.image_ids, *boxes, *numbers, strict=True):
            yield Patch(image_id, self.class_index, *parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

    @property
    def image_ids(self) -> list[str]:
        """The id of each patch's image."""
        ids = self.ids
        return [ids[row] for row in self.image.tolist()]

    @property
    def nth(self) -> Ints:
        """How many patches of its image each patch comes after, (P,)."""
        return earlier(self.image)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return sum(getattr(self, name).nbytes for name in _COLUMNS)

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Patches:
        """Return the patches of some rows, with the ranks that they have."""
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return Patches(self.ids, self.class_index, **columns)

    def of_images(self, image_ids: Collection[str]) -> NDArray[np.bool_]:
        """Return which patches are of these images, (P,)."""
        wanted = frozenset(image_ids)
        return np.array([image_id in wanted for image_id in self.ids], bool)[self.image]

    def of_image(self, image_id: str) -> list[int]:
        """Return the positions of an image's patches, in rising order."""
        if image_id not in self.ids:
            return []
        positions: list[int] = np.flatnonzero(self.image == self.ids.index(image_id)).tolist()
        return positions

    def id_of(self, position: int) -> str:
        """Return the id of the image of the patch at a position."""
        return self.ids[int(self.image[position])]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImageRanks(Sequence[tuple[int, ...]]):
    """The ranks of the patches of M distilled images, (M, tiles), as an array of tuples."""

    table: Ints

    @classmethod
    def of(cls, images: Sequence[Sequence[int]]) -> ImageRanks:
        """Return the table of some images, all of as many patches."""
        if isinstance(images, ImageRanks):
            return images
        tiles = len(images[0]) if images else 1
        return cls(np.array(images, np.int64).reshape(len(images), tiles))

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, at: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[tuple[int, ...], ...]: ...
    def __getitem__(self, at: int | slice) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        if isinstance(at, slice):
            return tuple(map(tuple, self.table[at].tolist()))
        return tuple(self.table[at].tolist())

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:])


@dataclass(frozen=True)
class ClassImages:
    """The scored images of one class, in dataset order: what is known of them without scores."""

    ids: tuple[str, ...]
    frames: Frames

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each image in its class."""
        return {image_id: row for row, image_id in enumerate(self.ids)}


@dataclass(frozen=True)
class ClassSelection:
    """The ranked patches of one class; the first images serve every IPC.

    images lists, per distilled image, the ranks of its patches (factor squared of them). Dropped
    patches rank after all others and are in no image. Any sequence of patches may be given.
    """

    name: str
    index: int
    patches: Patches
    images: Sequence[tuple[int, ...]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "patches", Patches.of(self.patches))
        object.__setattr__(self, "images", ImageRanks.of(self.images))

    @cached_property
    def dropped(self) -> frozenset[int]:
        """The ranks of the patches that no IPC keeps."""
        left = np.ones(len(self.patches), bool)
        left[ImageRanks.of(self.images).table] = False
        return frozenset(np.flatnonzero(left).tolist())

    def kept_images(self, ipc: int) -> tuple[tuple[int, ...], ...]:
        """Return the first `ipc` images, or all if there are fewer."""
        return tuple(self.images[:ipc])

    def kept(self, ipc: int) -> dict[int, tuple[int, ...]]:
        """Return the ranks of the patches in the first `ipc` images, each with those images."""
        found: dict[int, tuple[int, ...]] = {}
        for number, image in enumerate(self.kept_images(ipc)):
            for rank in set(image):
                found[rank] = (*found.get(rank, ()), number)
        return found


def earlier(values: NDArray[np.integer]) -> Ints:
    """Count the earlier occurrences of each value, (P,): (5, 3, 5, 5) -> (0, 0, 1, 2)."""
    order = np.argsort(quickly_sorted(values), kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    lengths = np.diff(starts, append=len(values))
    counts = np.empty(len(values), np.int64)
    counts[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return counts


def quickly_sorted(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the same numbers in 16 bits if they fit, which NumPy sorts many times as fast."""
    fit = len(values) and values.min() >= 0 and values.max() < 1 << 16
    return values.astype(np.uint16) if fit else values


def _number(value: T) -> T:
    """Return the number; of NaN always the same object, so that equal records are equal."""
    return value if value == value else _NAN


def _boxes(boxes: Iterable[Box]) -> Boxes:
    table = [(one.x, one.y, one.width, one.height) for one in boxes]
    return np.array(table, np.float64).reshape(-1, 4)


def _sides(sides: Iterable[tuple[int, int]]) -> Ints:
    return np.array(list(sides), np.int64).reshape(-1, 2)


_NUMBERS: Final = {
    "score": np.float64, "standard_error": np.float64, "picture_score": np.float64,
    "picture_standard_error": np.float64, "margin": np.float64, "cluster": np.int64,
    "distance": np.float64, "rank": np.int64,
}  # fmt: skip
"""The columns of numbers and their types, in the order of the fields of `Patch`."""

_NAN: Final[Any] = float("nan")
_BOXES: Final = ("box", "source_box", "cut_box")
_COLUMNS: Final = ("image", *_BOXES, *_NUMBERS)
