"""One shard's file of scores: the features of its images, and their maps in tensors of one shape.

features             (n, g, g, d) of all n scored images, in dataset order
conditional/{h}x{w}  (m, T, h, w) of the m images among them whose maps have h x w cells
gap/{h}x{w}          (m, T, h, w)
refined              (n,) bool, the images that got further draws; only where some did

All others are float16. A shard of which no image was scored holds no tensors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dsel.errors import RunError, storage_errors
from dsel.types import Bucket, Score

Shape: TypeAlias = tuple[int, int]
"""The height and width of a map, in cells."""

Half: TypeAlias = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Header:
    """What a shard's file says of itself: its run, its scored images, and their losses.

    losses: (T,), the sum of `image_losses`. refined: how many images got further draws.
    """

    fingerprint: str
    ids: tuple[str, ...]
    losses: tuple[float, ...]
    refined: int = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one image's scores lie: its row in `features`, its place in the maps of its shape."""

    path: Path
    row: int
    shape: Shape
    place: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The scores of N images: features (N, g, g, d), maps in one bucket per shape, refined (N,)."""

    features: Half
    buckets: tuple[Bucket, ...]
    refined: NDArray[np.bool_]


def places_of(scores: Sequence[Score]) -> list[int]:
    """The place of each image's maps among those of its shape."""
    counts: Counter[Shape] = Counter()
    places = []
    for score in scores:
        places.append(counts[_shape(score)])
        counts[_shape(score)] += 1
    return places


def shard_bytes(scores: Sequence[Score], header: Header) -> bytes:
    """The file of a shard's scored images."""
    tensors: dict[str, NDArray[Any]] = {}
    if any(score.refined for score in scores):
        tensors["refined"] = np.array([score.refined for score in scores])
    if scores:
        tensors["features"] = _half([score.features for score in scores])
    for shape in sorted({_shape(score) for score in scores}):
        alike = [score for score in scores if _shape(score) == shape]
        tensors[_name("conditional", shape)] = _half([score.conditional for score in alike])
        tensors[_name("gap", shape)] = _half([score.gap for score in alike])
    # One key only: safetensors writes several in an order that changes from time to time.
    record = asdict(header) | {"shapes": [_shape(score) for score in scores]}
    return bytes(save(tensors, {"dsel": json.dumps(record)}))


def read_header(path: Path) -> Header:
    """What a shard's file says of itself; raises `RunError` for one that is damaged."""
    with _opened(path) as file:
        try:
            record = json.loads(file.metadata()["dsel"])
            lists = tuple(record["ids"]), tuple(record["losses"])
            return Header(record["fingerprint"], *lists, record["refined"])
        except (KeyError, TypeError) as error:
            raise _damaged(path) from error


def read_scores(spots: Sequence[Spot]) -> Stored:
    """The scores of one image or more; those of one file follow one another, as in the file.

    Buckets come in the order of their shapes; their rows are positions in `spots`.
    """
    features: list[Half] = []
    refined: list[NDArray[np.bool_]] = []
    parts: dict[Shape, list[Bucket]] = {}
    start = 0
    for path, group in groupby(spots, key=lambda spot: spot.path):
        mine = list(group)
        with _opened(path) as file:
            rows = [spot.row for spot in mine]
            features.append(_take(file, "features", rows))
            some = "refined" in file.keys()  # noqa: SIM118
            refined.append(_take(file, "refined", rows) if some else np.zeros(len(rows), bool))
            for shape in {spot.shape for spot in mine}:
                parts.setdefault(shape, []).append(_part(file, mine, shape, start))
        start += len(mine)
    buckets = tuple(_joined(parts[shape]) for shape in sorted(parts))
    return Stored(np.concatenate(features), buckets, np.concatenate(refined))


def read_all(path: Path) -> list[Score]:
    """The scores of all images of one file, in dataset order, which `places_of` had numbered."""
    header = read_header(path)
    if not header.ids:
        return []
    with _opened(path) as file:
        features = file.get_tensor("features").astype(np.float32)
        shapes = json.loads(file.metadata()["dsel"])["shapes"]
        maps = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    counts: Counter[Shape] = Counter()
    scores = []
    for row, sides in enumerate(shapes):
        shape: Shape = (sides[0], sides[1])
        place = counts[shape]
        conditional, gap = maps[_name("conditional", shape)], maps[_name("gap", shape)]
        scores.append(Score(conditional[place], gap[place], features[row]))
        counts[shape] += 1
    return scores


def average(first: Score, further: Score, share: float) -> Score:
    """The scores of all draws, of which `share` were further ones."""
    return Score(
        conditional=(1 - share) * first.conditional + share * further.conditional,
        gap=(1 - share) * first.gap + share * further.gap,
        features=(1 - share) * first.features + share * further.features,
        refined=True,
    )


def _part(file: Any, spots: Sequence[Spot], shape: Shape, start: int) -> Bucket:
    """What one file holds of a bucket; the first of its spots is the `start`-th of all."""
    inside = [n for n, spot in enumerate(spots) if spot.shape == shape]
    places = [spots[n].place for n in inside]
    return Bucket(
        rows=start + np.array(inside, np.int64),
        conditional=_take(file, _name("conditional", shape), places),
        gap=_take(file, _name("gap", shape), places),
    )


def _joined(parts: Sequence[Bucket]) -> Bucket:
    return Bucket(
        rows=np.concatenate([part.rows for part in parts]),
        conditional=np.concatenate([part.conditional for part in parts]),
        gap=np.concatenate([part.gap for part in parts]),
    )


def _take(file: Any, name: str, places: Sequence[int]) -> NDArray[Any]:
    """Read one slice, from the first place to the last: a class's images lie together."""
    low, high = places[0], places[-1] + 1
    inside = [place - low for place in places]
    taken: NDArray[Any] = file.get_slice(name)[low:high][inside]
    return taken


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with storage_errors(path), safe_open(path, "numpy") as file:
            yield file
    except SafetensorError as error:
        raise _damaged(path) from error
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: run dsel score again") from error


def _damaged(path: Path) -> RunError:
    return RunError(f"{path} is damaged: delete it and run dsel score again")


def _half(arrays: Sequence[NDArray[np.float32]]) -> Half:
    return np.stack(arrays).astype(np.float16)


def _shape(score: Score) -> Shape:
    height, width = score.gap.shape[1:]
    return height, width


def _name(kind: str, shape: Shape) -> str:
    return f"{kind}/{shape[0]}x{shape[1]}"
