"""The files of further draws: maps of the images that a round chose, averaged in by readers.

rounds/01/00000.safetensors has the images of shard 0 that round 1 chose, in dataset order, and the
maps of their further draws alone, under the names of `dsel.runs.shards`. A round has no file of a
shard of which it chose no image. The metadata is the checksum, the fields of `RoundHeader`, and
`shapes`. No file is ever changed: what an image has is the mean over its shard's file and those of
all rounds.

Where to look was settled by the first draws, unless the best box of an image was unsteady: further
draws are averaged into the gap that scores, but into the difference and the gap that locate only if
a round chose the image for its box. Otherwise patches, and the clusters that they form, would
change with each draw that makes the ranking steadier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from dsel.checksums import damaged
from dsel.core.halves import Draws, halves_of, merged
from dsel.files import STORED, Tensors, opened_tensors, tensor_bytes, validated, write_atomically
from dsel.runs import remedies
from dsel.runs.images import Images
from dsel.runs.schema import ShardRow
from dsel.runs.shards import (
    KINDS,
    SETTLED,
    check_owner,
    map_rows,
    map_tensors,
    read_part,
    shape_of,
)
from dsel.types import Bucket, Score

Rounds: TypeAlias = tuple[tuple[int, ...], ...]
"""The shards of which each round chose images, and has a file."""

Ints: TypeAlias = NDArray[np.int64]

SCORING: Final = (("gap", "noise"),)
LOCATING: Final = (("settled_gap", "settled_noise"), ("difference", "difference_noise"))
"""Means and their noise: those that further draws always change, and those that settle boxes."""


@dataclass(frozen=True, slots=True)
class Further:
    """The further draws of an image, and whether they are for its box, or for its place alone."""

    draws: range
    box: bool = False


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class RoundHeader:
    """What a file of a round has: its run's fingerprint, and its images.

    ids: the n images with further draws. draws and box: see `Further`; of each image, draws are the
    first one and the one after the last. failed: chosen images that could not be scored again; no
    later round chooses them.
    """

    fingerprint: str
    ids: tuple[str, ...]
    draws: tuple[tuple[int, int], ...]
    box: tuple[bool, ...]
    failed: tuple[str, ...]

    def fits(self, chosen: Mapping[str, Further]) -> bool:
        """Whether the file is what a round wanted that chose these images of its shard."""
        of_ids = zip(self.ids, self.draws, self.box, strict=True)
        found = {image_id: Further(range(*draws), box) for image_id, draws, box in of_ids}
        return found.items() <= chosen.items() and chosen.keys() == {*self.ids, *self.failed}


@dataclass(frozen=True, slots=True)
class FurtherDraws:
    """The further draws of n images of a class in one file: their rows in it, draws and maps.

    rows: (n,) rising. start, stop and box: (n,), see `RoundHeader`. buckets: one per shape; their
    rows are rows of the class.
    """

    path: Path
    rows: Ints
    start: Ints
    stop: Ints
    box: NDArray[np.bool_]
    buckets: tuple[Bucket, ...]


@dataclass(frozen=True, slots=True)
class RoundFolder:
    """The rounds of the run at a path; they count from 1."""

    run: Path
    fingerprint: str

    def file(self, number: int, shard: int) -> Path:
        """Return the path of a shard's images in a round."""
        return self.run / "rounds" / f"{number:02d}" / f"{shard:05d}.safetensors"

    def write(
        self, number: int, shard: int, rows: Sequence[ShardRow], chosen: Mapping[str, Further]
    ) -> None:
        """Write a shard's images of a round; chosen: what each image was to get."""
        scores = {row.ref.id: row.score for row in rows if row.score is not None}
        failed = [row.ref.id for row in rows if row.score is None]
        content = round_bytes(self.fingerprint, scores, chosen, failed)
        write_atomically(self.file(number, shard), content)

    def check(self, number: int, shard: int) -> RoundHeader:
        """Read the metadata of a file: raises `DamageError` if it is damaged or missing.

        Raises `RunError` for a file of another run.
        """
        path = self.file(number, shard)
        header = read_round_header(path)
        check_owner(path, header.fingerprint, self.fingerprint)
        return header

    def headers(self, rounds: Rounds) -> Iterator[RoundHeader]:
        """Read the metadata of all files of some rounds."""
        for number, shards in enumerate(rounds, start=1):
            yield from (self.check(number, shard) for shard in shards)

    def chose_box(self, rounds: Rounds, image_id: str) -> bool:
        """Return whether any of some rounds chose an image for its box."""
        return any(
            box
            for header in self.headers(rounds)
            for one, box in zip(header.ids, header.box, strict=True)
            if one == image_id
        )

    def read(self, rounds: Rounds, images: Images) -> list[FurtherDraws]:
        """Read the further draws of a class's images, by rising round."""
        if not rounds:
            return []
        shards = set(images.places[:, 0].tolist())
        return [
            read_further(self.file(number, shard), images.row_of)
            for number, of_round in enumerate(rounds, start=1)
            for shard in sorted(shards.intersection(of_round))
        ]


def round_bytes(
    fingerprint: str,
    scores: Mapping[str, Score],
    chosen: Mapping[str, Further],
    failed: Sequence[str],
) -> bytes:
    """Return the file of a shard's images in a round, from the scores of their further draws."""
    mine = [chosen[image_id] for image_id in scores]
    draws = tuple((one.draws.start, one.draws.stop) for one in mine)
    box = tuple(one.box for one in mine)
    header = RoundHeader(fingerprint, tuple(scores), draws, box, tuple(failed))
    shapes = [shape_of(score) for score in scores.values()]
    return tensor_bytes(map_tensors(list(scores.values())), asdict(header) | {"shapes": shapes})


def read_round_header(path: Path) -> RoundHeader:
    """Read the metadata of a round's file; raises `DamageError` if it is missing or damaged."""
    with opened_tensors(path, remedies.SCORE) as file:
        return _header(path, file)


def _header(path: Path, file: Tensors) -> RoundHeader:
    names = {field.name for field in fields(RoundHeader)}
    record = {key: value for key, value in file.record.items() if key in names}
    return validated(record, RoundHeader, path, remedies.SCORE)


def read_further(path: Path, row_of: Mapping[str, int]) -> FurtherDraws:
    """Read the images of a class from a round's file.

    row_of: the rows of the class's images. Raises `DamageError` if it is missing or damaged.
    """
    with opened_tensors(path, remedies.SCORE) as file:
        header = _header(path, file)
        mine = [n for n, image_id in enumerate(header.ids) if image_id in row_of]
        shapes = [(height, width) for height, width in file.record["shapes"]]
        at = map_rows(shapes)
        own = [shapes[n] for n in mine], [at[n] for n in mine]
        found = [read_part(file, *own, shape) for shape in sorted(set(own[0]))]
    rows = np.array([row_of[header.ids[n]] for n in mine], np.int64)
    ranges = np.array([header.draws[n] for n in mine], np.int64).reshape(-1, 2)
    buckets = tuple(replace(bucket, rows=rows[bucket.rows]) for bucket in found)
    box = np.array([header.box[n] for n in mine], bool)
    return FurtherDraws(path, rows, ranges[:, 0], ranges[:, 1], box, buckets)


def add_further(
    buckets: Sequence[Bucket], draws: Ints, parts: Sequence[FurtherDraws], antithetic: bool
) -> Ints:
    """Average further draws into the maps of a class, in place; returns the draws of each image.

    draws: (N,), those that the maps have now. parts: by rising round. Raises `DamageError` for a
    part whose draws do not follow those before it.
    """
    parts = [part for part in parts if len(part.rows)]
    if not parts:
        return draws
    draws = draws.copy()
    changed = np.unique(np.concatenate([part.rows for part in parts]))
    located = np.unique(np.concatenate([part.rows[part.box] for part in parts]))
    # A class may have many images, and few with further draws.
    wide = [_widened(bucket, np.flatnonzero(np.isin(bucket.rows, changed))) for bucket in buckets]
    by_shape = {bucket.gap.shape[1:]: mine for bucket, mine in zip(buckets, wide, strict=True)}
    for part in parts:
        if not np.array_equal(part.start, draws[part.rows]):
            raise damaged(part.path, "its draws do not follow those before it", remedies.SCORE)
        draws[part.rows] = part.stop
        for further in part.buckets:
            _average(by_shape[further.gap.shape[1:]], further, part, located, antithetic)
    for bucket, mine in zip(buckets, wide, strict=True):
        _put_back(bucket, mine)
    return draws


@dataclass(frozen=True, slots=True)
class _Wide:
    """Maps of some images of a bucket in float32: their rows in the class and in the bucket."""

    rows: Ints
    at: Ints
    maps: dict[str, NDArray[np.float32]]


def _widened(bucket: Bucket, at: Ints) -> _Wide:
    if not len(at):
        return _Wide(bucket.rows[at], at, {})
    bucket.settle()
    maps = {kind: getattr(bucket, kind)[at].astype(np.float32) for kind in (*KINDS, *SETTLED)}
    return _Wide(bucket.rows[at], at, maps)


def _put_back(bucket: Bucket, wide: _Wide) -> None:
    for kind, maps in wide.maps.items():
        getattr(bucket, kind)[wide.at] = maps


def _average(
    wide: _Wide, further: Bucket, part: FurtherDraws, located: Ints, antithetic: bool
) -> None:
    """Average the further draws of a bucket's images into their maps.

    located: the rows of the class whose maps that locate they are averaged into.
    """
    maps, rows = wide.maps, wide.rows
    position = np.searchsorted(part.rows, further.rows)
    ranges = np.stack([part.start[position], part.stop[position]], axis=1)
    for start, stop in np.unique(ranges, axis=0).tolist():
        mine = np.flatnonzero((ranges == (start, stop)).all(axis=1))
        at = np.searchsorted(rows, further.rows[mine])
        halves = halves_of(range(start), antithetic), halves_of(range(start, stop), antithetic)
        new = {kind: getattr(further, kind)[mine].astype(np.float32) for kind in KINDS}
        new |= {"settled_gap": new["gap"], "settled_noise": new["noise"]}
        moves = np.isin(rows[at], located)
        every = np.ones_like(moves)
        pairs = [*((pair, every) for pair in SCORING), *((pair, moves) for pair in LOCATING)]
        for (mean, noise), some in pairs:
            parts = (maps[mean][at], maps[noise][at]), (new[mean], new[noise])
            both = merged([Draws(*maps_of, of) for maps_of, of in zip(parts, halves, strict=True)])
            maps[mean][at[some]], maps[noise][at[some]] = both.mean[some], both.noise[some]
        share = np.float32((stop - start) / stop)
        maps["conditional"][at] += share * (new["conditional"] - maps["conditional"][at])
