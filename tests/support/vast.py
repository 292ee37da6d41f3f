"""A finished run of a million images, written shard by shard without a model or a record of each.

Its files are those that `Run.write_shard` would write of the same scores; only the syncing of each
file to the disk is left out, which would take longer than all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dsel.config import ScoreSettings
from dsel.data.images import encode
from dsel.files import table_bytes, tensor_bytes
from dsel.runs import Identity, Run, create_run
from dsel.runs.schema import PROXIES
from dsel.runs.shards import KINDS

PX, CELL_PX, CELLS = 128, 8, 16
POOL = 1 << 22
"""Random numbers that are drawn; maps and features are cut out of them at random places."""

KINDS_OF_PATCHES = 8


@dataclass(frozen=True)
class Vast:
    """The size of a run: images are spread evenly over classes, whose images are adjacent."""

    classes: int
    images: int
    timestep: int = 400
    shard_size: int = 256
    feature_grid: int = 4
    feature_dim: int = 32


def vast_run(path: Path, size: Vast) -> Run:
    """Write a finished run of one timestep and 16 x 16 cells per image."""
    settings = ScoreSettings(
        timesteps=(size.timestep,), shard_size=size.shard_size,
        feature_grid=size.feature_grid, feature_dim=size.feature_dim,
    )  # fmt: skip
    identity = Identity(
        classes=tuple(f"class {n:05d}" for n in range(size.classes)), images=size.images,
        dataset_fingerprint="vast", dataset_origin={"source": "gone"}, prior="vast",
        prior_origin={}, prior_fingerprint="0" * 16, resolution_px=PX, cell_px=CELL_PX,
        precision="float32", settings=settings,
    )  # fmt: skip
    run = create_run(path, identity)
    pool = np.random.default_rng(0).normal(size=POOL).astype(np.float32)
    pictures = [_picture(number) for number in range(KINDS_OF_PATCHES)]
    for folder in ("scores", "proxies"):
        (path / folder).mkdir(exist_ok=True)
    for number in range(identity.shards):
        at = np.arange(number * size.shard_size, min((number + 1) * size.shard_size, size.images))
        proxies = table_bytes(_rows(at, number, size, pictures), PROXIES)
        (path / "proxies" / f"{number:05d}.parquet").write_bytes(proxies)
        scores = _scores(at, size, identity.fingerprint, pool)
        (path / "scores" / f"{number:05d}.safetensors").write_bytes(scores)
    return run


def finish(run: Run) -> None:
    """Write the run's table of images and its summary, as the last step of scoring does."""
    run.gather_images()
    run.finish()


def _class_of(at: np.ndarray, size: Vast) -> np.ndarray:
    return at * size.classes // size.images


def _picture(number: int) -> bytes:
    pixels = np.full((PX, PX, 3), 25 * number, np.uint8)
    pixels[:, : 8 * (number + 1)] = 200
    return encode(pixels, "webp")


def _rows(at: np.ndarray, shard: int, size: Vast, pictures: list[bytes]) -> pa.Table:
    count = len(at)
    zeros, sides, class_index = np.zeros(count), np.full(count, float(PX)), _class_of(at, size)
    shown = [pictures[n % len(pictures)] for n in at.tolist()]
    columns = {
        "id": [f"{c:05d}/{n:08d}.jpg" for c, n in zip(class_index, at, strict=True)],
        "class_index": class_index,
        "status": ["scored"] * count,
        "reason": [""] * count,
        "checksum": [f"{n:016x}" for n in at],
        "width": sides, "height": sides,
        "view_x": zeros, "view_y": zeros, "view_width": sides, "view_height": sides,
        "proxy_width": sides, "proxy_height": sides,
        "shard": np.full(count, shard), "row": np.arange(count), "map_row": np.arange(count),
        "orientation": np.ones(count),
        "proxy": shown, "thumbnail": shown,
    }  # fmt: skip
    arrays = [pa.array(columns[one.name]).cast(one.type) for one in PROXIES]
    return pa.Table.from_arrays(arrays, schema=PROXIES)


def _scores(at: np.ndarray, size: Vast, fingerprint: str, pool: np.ndarray) -> bytes:
    """Draw maps with a bright square in each, and features of one of eight kinds."""
    rng = np.random.default_rng([1, int(at[0])])
    count, grid = len(at), size.feature_grid
    maps = {kind: _cut(pool, rng, (count, 1, CELLS, CELLS)) for kind in KINDS}
    x, y, side = rng.integers((0, 0, 3), (10, 10, 7), (count, 3)).T[..., None]
    row = np.arange(CELLS)
    inside = ((row >= y) & (row < y + side))[:, :, None] & ((row >= x) & (row < x + side))[:, None]
    shown = inside[:, None] * rng.uniform(0.005, 0.02, (count, 1, 1, 1))
    tensors = {
        "conditional": 0.2 + 0.02 * maps["conditional"],
        "gap": shown + 0.004 * maps["gap"],
        "difference": shown + 0.001 * np.abs(maps["difference"]),
        "noise": 0.002 * maps["noise"],
        "difference_noise": 0.0005 * maps["difference_noise"],
    }
    halves = {f"{kind}/{CELLS}x{CELLS}": tensors[kind].astype(np.float16) for kind in KINDS}
    features = 0.4 * _cut(pool, rng, (count, grid, grid, size.feature_dim))
    features[np.arange(count), :, :, rng.integers(KINDS_OF_PATCHES, size=count)] += 2
    class_index = _class_of(at, size).tolist()
    record = {
        "fingerprint": fingerprint,
        "ids": [f"{c:05d}/{n:08d}.jpg" for c, n in zip(class_index, at.tolist(), strict=True)],
        "losses": [float(tensors["conditional"].mean(axis=(2, 3)).sum())],
        "largest_gap": float(np.abs(tensors["gap"]).max()),
        "shapes": [[CELLS, CELLS]] * count,
    }
    return tensor_bytes({"features": features.astype(np.float16), **halves}, record)


def _cut(pool: np.ndarray, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    start = int(rng.integers(0, len(pool) - size))
    return pool[start : start + size].reshape(shape).copy()
