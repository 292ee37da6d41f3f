"""The file of one shard's scores: features of its images, and maps grouped by shape.

features                  (n, g, g, d) of all n scored images, in dataset order
conditional/{h}x{w}       (m, T, h, w) of the m images among them whose maps have h x w cells
gap/{h}x{w}               (m, T, h, w)
difference/{h}x{w}        (m, T, h, w)
noise/{h}x{w}             (m, T, h, w), of the gap, see `dsel.core.halves`; NaN where it is unknown
difference_noise/{h}x{w}  (m, T, h, w), the same of the difference
refined                   (n,) bool, the images with further draws; absent if there are none

All others are float16. A shard without scored images has no tensors. The metadata has one key,
"dsel", a JSON object: the checksum of the file; the fields of the `Header`; and `shapes`, the
[height, width] of each image's maps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from dsel.core.halves import Draws, Halves, merged
from dsel.files import STORED, Tensors, opened_tensors, tensor_bytes, validated
from dsel.runs import remedies
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

    losses: (T,), the sum of `image_losses`. largest_gap: of the absolute gaps as stored. refined:
    number of images with further draws.
    """

    fingerprint: str
    ids: tuple[str, ...]
    losses: tuple[float, ...]
    largest_gap: float
    refined: int = 0


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
    """The scores of N images: features (N, g, g, d), maps in one bucket per shape, refined (N,)."""

    features: Half
    buckets: tuple[Bucket, ...]
    refined: NDArray[np.bool_]


def map_rows(scores: Sequence[Score]) -> list[int]:
    """Return the row of each image's maps in the tensors of their shape."""
    counts: Counter[Shape] = Counter()
    rows = []
    for score in scores:
        rows.append(counts[_shape(score)])
        counts[_shape(score)] += 1
    return rows


def shard_bytes(scores: Sequence[Score], header: Header) -> bytes:
    """Return the file of a shard's scored images."""
    tensors: dict[str, NDArray[Any]] = {}
    if any(score.refined for score in scores):
        tensors["refined"] = np.array([score.refined for score in scores])
    if scores:
        tensors["features"] = _half([score.features for score in scores])
    for shape in sorted({_shape(score) for score in scores}):
        alike = [score for score in scores if _shape(score) == shape]
        for kind in KINDS:
            tensors[_name(kind, shape)] = _half([getattr(score, kind) for score in alike])
    return tensor_bytes(tensors, asdict(header) | {"shapes": [_shape(score) for score in scores]})


def read_header(path: Path) -> Header:
    """Read the metadata of a shard's file; raises `DamageError` if it is missing or damaged."""
    with opened_tensors(path, remedies.SCORE) as file:
        record = {key: value for key, value in file.record.items() if key in _HEADER}
    return validated(record, Header, path, remedies.SCORE)


def read_scores(images: Sequence[ScoreIndex]) -> StoredScores:
    """Read the scores of at least one image; those of one file must be adjacent, in its order.

    Buckets are sorted by shape; their rows are positions in `images`. Raises `DamageError` for a
    file that is missing or damaged.
    """
    by_shape: dict[Shape, list[int]] = {}
    for number, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(number)
    everyone = list(range(len(images)))
    wanted = {"features": _Wanted(everyone, [image.row for image in images])} | {
        _name(kind, shape): _Wanted(numbers, [images[n].map_row for n in numbers])
        for shape, numbers in by_shape.items()
        for kind in KINDS
    }
    optional = {"refined": _Wanted(everyone, wanted["features"].rows)}
    found = _gathered(images, wanted, optional)
    buckets = tuple(
        Bucket(
            rows=np.array(by_shape[shape], np.int64),
            **{kind: found[_name(kind, shape)] for kind in KINDS},
        )
        for shape in sorted(by_shape)
    )
    refined = found.get("refined", np.zeros(len(images), bool))
    return StoredScores(found["features"], buckets, refined)


def read_all(path: Path) -> list[Score]:
    """Read the scores of all images of one file, in dataset order."""
    header = read_header(path)
    if not header.ids:
        return []
    with opened_tensors(path, remedies.SCORE) as file:
        features = file.all("features").astype(np.float32)
        shapes = file.record["shapes"]
        maps = {name: file.all(name).astype(np.float32) for name in file.names}
    counts: Counter[Shape] = Counter()
    scores = []
    for row, sides in enumerate(shapes):
        shape: Shape = (sides[0], sides[1])
        map_row = counts[shape]
        mine = {kind: maps[_name(kind, shape)][map_row] for kind in KINDS}
        scores.append(Score(**mine, features=features[row]))
        counts[shape] += 1
    return scores


def average(first: Score, further: Score, halves: tuple[Halves, Halves]) -> Score:
    """Return the mean scores of all draws; halves: of the first and of the further draws."""
    share = halves[1].draws / (halves[0].draws + halves[1].draws)
    parts = list(zip((first, further), halves, strict=True))
    gap = merged([Draws(score.gap, score.noise, part) for score, part in parts])
    difference = merged(
        [Draws(score.difference, score.difference_noise, part) for score, part in parts]
    )
    return Score(
        conditional=(1 - share) * first.conditional + share * further.conditional,
        gap=(1 - share) * first.gap + share * further.gap,
        difference=(1 - share) * first.difference + share * further.difference,
        noise=gap.noise,
        difference_noise=difference.noise,
        features=(1 - share) * first.features + share * further.features,
        refined=True,
    )


def largest_gap(gap: NDArray[np.float32]) -> float:
    """Return the largest absolute value of a gap map as it is stored."""
    return float(np.abs(gap.astype(np.float16)).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Rows of a tensor that is in several files: the numbers of the images that they belong to.

    numbers and rows: as many each, numbers in rising order.
    """

    numbers: Sequence[int]
    rows: Sequence[int]


def _gathered(
    images: Sequence[ScoreIndex], wanted: Mapping[str, _Wanted], optional: Mapping[str, _Wanted]
) -> dict[str, NDArray[Any]]:
    """Read tensors from all files of some images, a file at a time.

    Beside the result, no more than a tensor of one file is in memory. optional: tensors that a file
    may lack; their rows are 0 there.
    """
    found: dict[str, NDArray[Any]] = {}
    start = 0
    for path, group in groupby(images, key=lambda image: image.path):
        end = start + sum(1 for _ in group)
        with opened_tensors(path, remedies.SCORE) as file:
            there = {name: one for name, one in optional.items() if name in file.names}
            for name, one in {**wanted, **there}.items():
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


def _shape(score: Score) -> Shape:
    height, width = score.gap.shape[1:]
    return height, width


def _name(kind: str, shape: Shape) -> str:
    return f"{kind}/{shape[0]}x{shape[1]}"
