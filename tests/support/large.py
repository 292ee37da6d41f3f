"""Finished runs of any size, written quickly: no model scores them, and few pictures are drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dsel.config import ScoreSettings
from dsel.data.images import encode, thumbnail
from dsel.runs import Identity, Run, create_run
from dsel.runs.schema import ShardRow
from dsel.types import Box, Frame, ImageRef, Score

PX, CELL_PX, CELLS = 128, 8, 16
TIMESTEPS = (200, 300, 400, 500, 600, 700)
SHARD = 500
PICTURES = 32
"""Pictures that are drawn; the images show them in turn."""

POOL = 1 << 22
"""Random numbers that are drawn; maps and features are cut out of them at random places."""

FRAME = Frame(PX, PX, Box(0, 0, PX, PX), PX, PX)


@dataclass(frozen=True)
class _Drawn:
    proxy: bytes
    thumbnail: bytes


def large_run(path: Path, classes: int, per_class: int, objects: bool = True) -> Run:
    """Write a finished run of so many classes and images, 128 px each, as large as a real one.

    Each image has a square where the gap is high, and features of one of eight kinds. With
    `objects`, boxes.json holds the squares.
    """
    names = [f"class {n:04d}" for n in range(classes)]
    refs = [ImageRef(f"{c}/{n:05d}", i) for i, c in enumerate(names) for n in range(per_class)]
    settings = ScoreSettings(timesteps=TIMESTEPS, shard_size=SHARD)
    identity = Identity(
        classes=tuple(names), dataset_fingerprint="large", images=len(refs), prior="large",
        dataset_origin={"source": "gone"}, prior_origin={}, prior_fingerprint="0" * 16,
        resolution_px=PX, cell_px=CELL_PX, precision="float32", settings=settings,
    )  # fmt: skip
    run = create_run(path, identity)
    pool = np.random.default_rng(0).normal(size=POOL).astype(np.float32)
    pictures = [_picture(number) for number in range(PICTURES)]
    for number in range(identity.shards):
        start = number * SHARD
        rows = _rows(refs[start : start + SHARD], start, pool, pictures, settings)
        run.write_shard(number, list(rows))
    run.gather_images()
    run.finish()
    if objects:
        run.objects_path.write_text(json.dumps(_truth(refs)))
    return run


def _picture(number: int) -> _Drawn:
    rng = np.random.default_rng([1, number])
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    pixels = np.kron(coarse, np.ones((PX // 8, PX // 8, 1), np.uint8))
    return _Drawn(encode(pixels, "webp"), encode(thumbnail(pixels, 96), "webp"))


def _square(at: int) -> tuple[int, int, int]:
    """The square of the `at`-th image in cells: x, y and side."""
    x, y, side = np.random.default_rng([2, at]).integers((0, 0, 3), (10, 10, 7)).tolist()
    return x, y, side


def _rows(
    refs: list[ImageRef], start: int, pool: np.ndarray, pictures: list[_Drawn],
    settings: ScoreSettings,
) -> Iterator[ShardRow]:  # fmt: skip
    maps, grid = (len(TIMESTEPS), CELLS, CELLS), settings.feature_grid
    features = grid, grid, settings.feature_dim
    for number, ref in enumerate(refs, start):
        rng = np.random.default_rng([3, number])
        conditional, gap, difference, *noise = (_cut(pool, rng, maps) for _ in range(5))
        x, y, side = _square(number)
        shown = np.zeros(maps, np.float32)
        shown[:, y : y + side, x : x + side] = rng.uniform(0.005, 0.02)
        described = 0.4 * _cut(pool, rng, features)
        described[..., rng.integers(8)] += 2
        picture = pictures[number % PICTURES]
        score = Score(
            0.2 + 0.02 * conditional, shown + 0.004 * gap, shown + 0.001 * np.abs(difference),
            0.002 * noise[0], 0.0005 * noise[1], described,
        )  # fmt: skip
        yield ShardRow(
            ref, "", FRAME, picture.proxy, picture.thumbnail, score, checksum=f"{number:016x}"
        )


def _cut(pool: np.ndarray, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    start = int(rng.integers(0, len(pool) - size))
    return pool[start : start + size].reshape(shape).copy()


def _truth(refs: list[ImageRef]) -> dict[str, object]:
    boxes = ([CELL_PX * side for side in _square(at)] for at in range(len(refs)))
    return {
        "images": [
            {"id": at, "file_name": ref.id, "width": PX, "height": PX}
            for at, ref in enumerate(refs)
        ],
        "annotations": [
            {"image_id": at, "category_id": refs[at].class_index, "bbox": [x, y, side, side]}
            for at, (x, y, side) in enumerate(boxes)
        ],
        "categories": [
            {"id": index, "name": ref.id.split("/")[0]}
            for index, ref in {ref.class_index: ref for ref in refs}.items()
        ],
    }
