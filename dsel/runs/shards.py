"""The file of one shard's scores: features of its images, and maps grouped by shape.

features                  (n, g, g, d) of all n scored images, in dataset order
conditional/{h}x{w}       (m, T, h, w) of the m images among them whose maps have h x w cells
gap/{h}x{w}               (m, T, h, w)
difference/{h}x{w}        (m, T, h, w)
noise/{h}x{w}             (m, T, h, w), of the gap, see `dsel.core.halves`; NaN where it is unknown
difference_noise/{h}x{w}  (m, T, h, w), the same of the difference

All are float16. A shard without scored images has no tensors. The metadata has one key,
"dsel", a JSON object: the checksum of the file; the fields of the `Header`; and `shapes`, the
[height, width] of each image's maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from dsel.errors import RunError
from dsel.files import STORED, Tensors, opened_tensors, tensor_bytes, validated
from dsel.runs import remedies
from dsel.runs.images import Images
from dsel.types import Bucket, Score

Shape: TypeAlias = tuple[int, int]
"""The height and width of a map, in cells."""

Half: TypeAlias = NDArray[np.float16]
Ints: TypeAlias = NDArray[np.int64]
Part: TypeAlias = tuple[Path, slice]
"""A file, and which images are in it."""

T = TypeVar("T")

READERS: Final = 4
"""Files that are read at once."""

KINDS: Final = ("conditional", "gap", "difference", "noise", "difference_noise")
SETTLED: Final = ("settled_gap", "settled_noise")
"""The maps of an image: fields of `Score` and of `Bucket`, and the names of their tensors."""


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class Header:
    """The metadata of a shard's file: its run's fingerprint, its scored images, and their losses.

    losses: (T,), the sum of `image_losses`. largest_gap: of the absolute gaps as stored.
    """

    fingerprint: str
    ids: tuple[str, ...]
    losses: tuple[float, ...]
    largest_gap: float


_HEADER = frozenset(field.name for field in fields(Header))


@dataclass(frozen=True, slots=True)
class ScoreIndices:
    """Where the scores of N images are; those of one file must be adjacent, in its order.

    file: (N,) positions in `paths`. row: (N,) in `features`. shape: (N, 2), height and width.
    map_row: (N,) in the maps of its shape.
    """

    paths: Sequence[Path]
    file: Ints
    row: Ints
    shape: Ints
    map_row: Ints

    def __len__(self) -> int:
        return len(self.file)

    def take(self, at: Ints) -> ScoreIndices:
        """Return those of some images."""
        return ScoreIndices(
            self.paths, self.file[at], self.row[at], self.shape[at], self.map_row[at]
        )

    @property
    def parts(self) -> list[Part]:
        """The files, and the images of each."""
        starts = np.flatnonzero(np.diff(self.file, prepend=-1)).tolist()
        ends = [*starts[1:], len(self)]
        return [
            (self.paths[self.file[start]], slice(start, end))
            for start, end in zip(starts, ends, strict=bool(starts))
        ]


@dataclass(frozen=True, slots=True)
class StoredScores:
    """The scores of N images: features (N, g, g, d), and maps in one bucket per shape."""

    features: Half
    buckets: tuple[Bucket, ...]


def shape_of(score: Score) -> Shape:
    """Return the height and width of an image's maps, in cells."""
    height, width = score.gap.shape[1:]
    return height, width


def map_rows(shapes: Sequence[Shape]) -> list[int]:
    """Return the row of each image's maps in the tensors of their shape."""
    counts: Counter[Shape] = Counter()
    rows = []
    for shape in shapes:
        rows.append(counts[shape])
        counts[shape] += 1
    return rows


def shard_bytes(scores: Sequence[Score], header: Header) -> bytes:
    """Return the file of a shard's scored images."""
    features = [score.features for score in scores if score.features is not None]
    tensors = {"features": _half(features)} if features else {}
    record = asdict(header) | {"shapes": [shape_of(score) for score in scores]}
    return tensor_bytes(tensors | map_tensors(scores), record)


def map_tensors(scores: Sequence[Score]) -> dict[str, Half]:
    """Return the maps of images, grouped by shape, under the names of their tensors."""
    tensors = {}
    for shape in sorted({shape_of(score) for score in scores}):
        alike = [score for score in scores if shape_of(score) == shape]
        for kind in KINDS:
            tensors[_name(kind, shape)] = _half([getattr(score, kind) for score in alike])
    return tensors


def read_header(path: Path) -> Header:
    """Read the metadata of a shard's file; raises `DamageError` if it is missing or damaged."""
    with opened_tensors(path, remedies.SCORE) as file:
        record = {key: value for key, value in file.record.items() if key in _HEADER}
    return validated(record, Header, path, remedies.SCORE)


def check_owner(path: Path, fingerprint: str, wanted: str) -> None:
    """Raise `RunError` for a file of another run, by the fingerprints."""
    if fingerprint != wanted:
        raise RunError(
            f"{path} belongs to another run: delete it and run dsel score again", path=str(path)
        )


def score_indices(images: Images, path_of: Callable[[int], Path], cell_px: int) -> ScoreIndices:
    """Return where the scores of scored images are; path_of: the file of a shard."""
    shard, row, map_row = images.places.T
    shards, file = np.unique(shard, return_inverse=True)
    shape = images.frames.proxy[:, ::-1] // cell_px
    return ScoreIndices([path_of(int(number)) for number in shards], file, row, shape, map_row)


def read_scores(images: ScoreIndices) -> StoredScores:
    """Read the scores of at least one image.

    Buckets are sorted by shape; their rows are positions in `images`. Raises `DamageError` for a
    file that is missing or damaged.
    """
    shapes, kind = np.unique(images.shape, axis=0, return_inverse=True)
    buckets = []
    for number in range(len(shapes)):
        rows = np.flatnonzero(kind.ravel() == number)
        buckets.append(StoredBucket(rows, images.take(rows)))
    for bucket in buckets:
        bucket.check()
    (features,) = _gathered(["features"], images, images.row)
    return StoredScores(features, tuple(buckets))


class StoredBucket(Bucket):
    """Images whose maps have one shape; each kind of maps is read when it is first asked for.

    Few questions need all kinds, and a large class has hundreds of megabytes of each.
    """

    __slots__ = ("_images", "_last", "_reading", "_timesteps")
    _images: ScoreIndices
    _last: tuple[int, Bucket] | None
    _reading: Lock
    _timesteps: int

    def __init__(self, rows: Ints, images: ScoreIndices) -> None:
        """images: one for each of the rows, all of one shape."""
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "settled_gap", None)
        object.__setattr__(self, "settled_noise", None)
        object.__setattr__(self, "_images", images)
        object.__setattr__(self, "_last", None)
        object.__setattr__(self, "_reading", Lock())

    def __getattr__(self, name: str) -> Half:
        if name not in KINDS:  # one that has no value yet
            raise AttributeError(name)
        with self._reading:
            try:  # another thread may have read it meanwhile
                found: Half = object.__getattribute__(self, name)
            except AttributeError:
                found = self._read([name], self._images)[name]
                object.__setattr__(self, name, found)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, read or not."""
        height, width = self._shape
        maps = len(self._images) * self._timesteps * height * width * np.dtype(np.float16).itemsize
        settled = sum(
            one.nbytes for one in (self.settled_gap, self.settled_noise) if one is not None
        )
        return self.rows.nbytes + len(KINDS) * maps + settled

    def take(self, at: Ints | slice) -> Bucket:
        """Return some of the images; kinds that were not read are read for these alone.

        The last single image is remembered: an explanation asks for it several times in a row.
        """
        positions = np.arange(len(self._images))[at]
        if len(positions) != 1:
            return self._taken(at, positions)
        last, wanted = self._last, int(positions[0])
        if last is None or last[0] != wanted:
            last = wanted, self._taken(at, positions)
            object.__setattr__(self, "_last", last)
        return last[1]

    def _taken(self, at: Ints | slice, positions: Ints) -> Bucket:
        missing = [kind for kind in KINDS if not self.has(kind)]
        read = self._read(missing, self._images.take(positions))
        arrays = {kind: read[kind] if kind in read else getattr(self, kind)[at] for kind in KINDS}
        settled = {
            name: getattr(self, name)[at] for name in SETTLED if getattr(self, name) is not None
        }
        return Bucket(self.rows[at], **arrays, **settled)

    def has(self, kind: str) -> bool:
        """Return whether maps of this kind are in memory."""
        try:
            object.__getattribute__(self, kind)
        except AttributeError:
            return False
        return True

    def check(self) -> None:
        """Raise `DamageError` unless all files are there, undamaged, and have these maps."""

        def timesteps_in(part: Part) -> int:
            with opened_tensors(part[0], remedies.SCORE) as file:
                shapes = [file.shape(_name(kind, self._shape)) for kind in KINDS]
            return shapes[0][1]

        object.__setattr__(self, "_timesteps", _at_once(timesteps_in, self._images.parts)[0])

    @property
    def _shape(self) -> Shape:
        height, width = self._images.shape[0].tolist()
        return height, width

    def _read(self, kinds: Sequence[str], images: ScoreIndices) -> dict[str, Half]:
        names = [_name(kind, self._shape) for kind in kinds]
        return dict(zip(kinds, _gathered(names, images, images.map_row), strict=True))


def largest_gap(gap: NDArray[np.float32]) -> float:
    """Return the largest absolute value of a gap map as it is stored."""
    return float(np.abs(gap.astype(np.float16)).max(initial=0.0))


def read_part(
    file: Tensors, shapes: Sequence[Shape], map_rows: Sequence[int], wanted: Shape
) -> Bucket:
    """Read those of a file's images that have a shape, by the shape and the map row of each."""
    inside = np.array([n for n, shape in enumerate(shapes) if shape == wanted], np.int64)
    rows = np.array(map_rows, np.int64)[inside]
    return Bucket(rows=inside, **{kind: _take(file, _name(kind, wanted), rows) for kind in KINDS})


def _at_once(read: Callable[[Part], T], files: Sequence[Part]) -> list[T]:
    """Read files in threads: one is hashed while others are read. Results are in their order."""
    if len(files) < 2:
        return [read(one) for one in files]
    with ThreadPoolExecutor(min(READERS, len(files))) as threads:
        return list(threads.map(read, files))


def _gathered(names: Sequence[str], images: ScoreIndices, rows: Ints) -> list[Half]:
    """Read the rows (N,) of tensors of N images; each file is opened once."""
    parts = images.parts
    if not parts or not names:
        return [np.zeros(0, np.float16) for _ in names]
    with opened_tensors(parts[0][0], remedies.SCORE) as first:
        found = [np.empty((len(rows), *first.shape(name)[1:]), np.float16) for name in names]

    def read(part: Part) -> None:
        path, at = part
        with opened_tensors(path, remedies.SCORE) as file:
            for name, target in zip(names, found, strict=True):
                _read_into(file, name, rows[at], target[at])

    _at_once(read, parts)
    return found


def _read_into(file: Tensors, name: str, rows: Ints, target: Half) -> None:
    if rows[-1] - rows[0] + 1 == len(rows):
        file.rows_into(name, int(rows[0]), target)
    else:
        target[:] = _take(file, name, rows)


def _take(file: Tensors, name: str, rows: Ints) -> Half:
    """Read one slice, from the first row to the last: a class's images are adjacent."""
    low, high = int(rows[0]), int(rows[-1]) + 1
    part = file.rows(name, low, high)
    return part if len(part) == len(rows) else part[rows - low]


def _half(arrays: Sequence[NDArray[np.float32]]) -> Half:
    return np.stack(arrays).astype(np.float16)


def _name(kind: str, shape: Shape) -> str:
    return f"{kind}/{shape[0]}x{shape[1]}"
