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

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

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

KINDS: Final = ("conditional", "gap", "difference", "noise", "difference_noise")
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
class ScoreIndex:
    """The location of one image's scores: its row in `features` and in the maps of its shape."""

    path: Path
    row: int
    shape: Shape
    map_row: int


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


def score_indices(images: Images, path_of: Callable[[int], Path], cell_px: int) -> list[ScoreIndex]:
    """Return where the scores of scored images are; path_of: the file of a shard."""
    paths = {shard: path_of(shard) for shard in set(images.places[:, 0].tolist())}
    shapes = (images.frames.proxy // cell_px).tolist()
    return [
        ScoreIndex(paths[shard], row, (height, width), map_row)
        for (shard, row, map_row), (width, height) in zip(
            images.places.tolist(), shapes, strict=True
        )
    ]


def read_scores(images: Sequence[ScoreIndex]) -> StoredScores:
    """Read the scores of at least one image; those of one file must be adjacent, in its order.

    Buckets are sorted by shape; their rows are positions in `images`. Raises `DamageError` for a
    file that is missing or damaged.
    """
    by_shape: dict[Shape, list[int]] = {}
    for number, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(number)
    wanted = {"features": _Wanted([*range(len(images))], [image.row for image in images])} | {
        _name(kind, shape): _Wanted(numbers, [images[n].map_row for n in numbers])
        for shape, numbers in by_shape.items()
        for kind in KINDS
    }
    found = _gathered(images, wanted)
    buckets = tuple(
        Bucket(
            rows=np.array(by_shape[shape], np.int64),
            **{kind: found[_name(kind, shape)] for kind in KINDS},
        )
        for shape in sorted(by_shape)
    )
    return StoredScores(found["features"], buckets)


def largest_gap(gap: NDArray[np.float32]) -> float:
    """Return the largest absolute value of a gap map as it is stored."""
    return float(np.abs(gap.astype(np.float16)).max(initial=0.0))


def read_part(file: Tensors, images: Sequence[ScoreIndex], shape: Shape, start: int) -> Bucket:
    """Read one file's images of a shape; the first of `images` is the `start`-th of all."""
    inside = [n for n, image in enumerate(images) if image.shape == shape]
    rows = [images[n].map_row for n in inside]
    return Bucket(
        rows=start + np.array(inside, np.int64),
        **{kind: _take(file, _name(kind, shape), rows) for kind in KINDS},
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Rows of a tensor that is in several files: the numbers of the images that they belong to.

    numbers and rows: as many each, numbers in rising order.
    """

    numbers: Sequence[int]
    rows: Sequence[int]


def _gathered(
    images: Sequence[ScoreIndex], wanted: Mapping[str, _Wanted]
) -> dict[str, NDArray[Any]]:
    """Read tensors from all files of some images, a file at a time.

    Beside the result, no more than a tensor of one file is in memory.
    """
    found: dict[str, NDArray[Any]] = {}
    start = 0
    for path, group in groupby(images, key=lambda image: image.path):
        end = start + sum(1 for _ in group)
        with opened_tensors(path, remedies.SCORE) as file:
            for name, one in wanted.items():
                low, high = bisect_left(one.numbers, start), bisect_left(one.numbers, end)
                if low < high:
                    part = _take(file, name, one.rows[low:high])
                    whole = len(one.numbers), *part.shape[1:]
                    found.setdefault(name, np.zeros(whole, part.dtype))[low:high] = part
        start = end
    return found


def _take(file: Tensors, name: str, rows: Sequence[int]) -> NDArray[Any]:
    """Read one slice, from the first row to the last: a class's images are adjacent."""
    low, high = rows[0], rows[-1] + 1
    part = file.rows(name, low, high)
    return part if len(part) == len(rows) else part[[row - low for row in rows]]


def _half(arrays: Sequence[NDArray[np.float32]]) -> Half:
    return np.stack(arrays).astype(np.float16)


def _name(kind: str, shape: Shape) -> str:
    return f"{kind}/{shape[0]}x{shape[1]}"
