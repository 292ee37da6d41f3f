"""The images of a run as a table, whose records are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dsel.patches import Frame, Frames
from dsel.runs.schema import SIDES, ImageRow

Ints: TypeAlias = NDArray[np.int64]

BATCH: Final = 4096
"""Images whose records are made at once."""


class Images(Sequence[ImageRow]):
    """The rows of a table of `IMAGES`; a record is made when it is asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the images."""
        return tuple(self._table["id"].to_pylist())

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each image in this table."""
        return {image_id: row for row, image_id in enumerate(self.ids)}

    @cached_property
    def class_index(self) -> Ints:
        """The class of each image, (N,)."""
        return self._numbers("class_index")

    @cached_property
    def is_scored(self) -> NDArray[np.bool_]:
        """Whether each image was scored, (N,)."""
        return self._numbers("row") >= 0

    @cached_property
    def frames(self) -> Frames:
        """The frames of the images; all sides of a skipped one are 0."""
        view = [self._column(f"view_{side}") for side in SIDES]
        source, proxy = (
            [self._numbers(f"{prefix}{side}") for side in SIDES[2:]] for prefix in ("", "proxy_")
        )
        return Frames(*map(np.column_stack, (source, view, proxy)))

    @cached_property
    def _is_framed(self) -> NDArray[np.bool_]:
        framed: NDArray[np.bool_] = self._table["proxy_width"].is_valid().to_numpy()
        return framed

    @cached_property
    def places(self) -> Ints:
        """The shard of each image, its row and its map_row there, (N, 3)."""
        return np.column_stack([self._numbers(name) for name in ("shard", "row", "map_row")])

    @cached_property
    def checksums(self) -> Sequence[str]:
        """The checksums of the images' pixels; those of skipped ones are empty."""
        checksums: list[str] = self._table["checksum"].to_pylist()
        return checksums

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, at: int) -> ImageRow: ...
    @overload
    def __getitem__(self, at: slice) -> Images: ...
    def __getitem__(self, at: int | slice) -> ImageRow | Images:
        if isinstance(at, slice):
            return self.take(np.arange(len(self))[at])
        at = range(len(self))[at]  # a negative one counts from the end
        return next(self._records(at, at + 1))

    def __iter__(self) -> Iterator[ImageRow]:
        for start in range(0, len(self), BATCH):
            yield from self._records(start, min(start + BATCH, len(self)))

    def _records(self, start: int, stop: int) -> Iterator[ImageRow]:
        part = self._table.slice(start, stop - start)
        columns = (part[name].to_pylist() for name in ("id", "reason", "checksum", "orientation"))
        framed, frames = self._is_framed[start:stop].tolist(), self.frames[start:stop]
        numbers = self.class_index[start:stop].tolist(), self.places[start:stop].tolist()
        records = zip(*columns, *numbers, framed, frames, strict=True)
        for image_id, reason, checksum, orientation, class_index, place, seen, frame in records:
            yield ImageRow(
                id=image_id,
                class_index=class_index,
                shard=place[0],
                row=place[1],
                map_row=place[2],
                frame=frame if seen else None,
                reason=reason,
                checksum=checksum,
                orientation=orientation,
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def matching(self, text: str) -> NDArray[np.bool_]:
        """Return which ids contain all words of a text, in upper or lower case, (N,)."""
        found = np.ones(len(self), bool)
        for word in text.split():
            found &= pc.match_substring(self._table["id"], word, ignore_case=True).to_numpy()
        return found

    def take(self, rows: Ints) -> Images:
        """Return some of the images."""
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):  # without a copy
            return Images(self._table.slice(int(rows[0]), len(rows)))
        return Images(self._table.take(pa.array(rows)))

    def where(self, chosen: NDArray[np.bool_]) -> Images:
        """Return the images of the chosen rows, (N,)."""
        return self.take(np.flatnonzero(chosen))

    def of_class(self, class_index: int) -> Images:
        """Return the scored images of a class."""
        return self.where(self.is_scored & (self.class_index == class_index))

    def skipped(self, class_index: int | None = None) -> Images:
        """Return the images that were not scored, of all classes or of one."""
        of_class = True if class_index is None else self.class_index == class_index
        return self.where(~self.is_scored & of_class)

    def sharing_pixels(self) -> Images:
        """Return the images whose checksum another image has, too."""
        values = self._table["checksum"].combine_chunks().dictionary_encode()
        kind = values.indices.to_numpy(zero_copy_only=False)
        several = np.bincount(kind, minlength=len(values.dictionary)) > 1
        return self.where(several[kind] & (self._numbers("row") >= 0))

    def _column(self, name: str) -> NDArray[Any]:
        column: NDArray[Any] = pc.fill_null(self._table[name], 0).to_numpy()
        return column

    def _numbers(self, name: str) -> Ints:
        return self._column(name).astype(np.int64)


class FrameOf(Mapping[str, Frame | None]):
    """The frame of each image by its id, None for a skipped one."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __getitem__(self, image_id: str) -> Frame | None:
        return self._images[self._images.row_of[image_id]].frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._images.ids)

    def __len__(self) -> int:
        return len(self._images)
