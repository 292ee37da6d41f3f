"""Large runs made of a small one: its pictures over and over, each time a little different."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dsel.core.gap_maps import image_bucket
from dsel.runs import Run, create_run
from dsel.runs.schema import ShardRow
from dsel.runs.shards import KINDS
from dsel.types import ImageRef, Score


def tiled_run(path: Path, of: Run, per_class: int, jitter: float = 0.1) -> Run:
    """Write a finished run of so many images per class; `jitter` is the noise of maps and features.

    Its layouts are those of the small run, repeated with noise of the same kind.
    """
    classes = of.identity.classes
    refs = [ImageRef(f"{c}/{n:05d}", i) for i, c in enumerate(classes) for n in range(per_class)]
    identity = replace(
        of.identity, images=len(refs), dataset_fingerprint="tiled",
        settings=of.identity.settings.replace(shard_size=500),
    )  # fmt: skip
    run = create_run(path, identity)
    for number in range(identity.shards):
        shard = refs[number * 500 : (number + 1) * 500]
        run.write_shard(number, [_row(of, ref, jitter) for ref in shard])
    run.gather_images()
    run.finish()
    for index in range(len(classes)):
        run.write_layout(index, _places(of, index, per_class, jitter))
    return run


def _row(of: Run, ref: ImageRef, jitter: float) -> ShardRow:
    rows = of.class_rows(ref.class_index)
    place = int(ref.id[-5:])
    row, rng = place % len(rows), np.random.default_rng([ref.class_index, place])
    scores = _scores(of, ref.class_index)
    bucket = image_bucket(scores, row)
    arrays = (*(getattr(bucket, kind)[0] for kind in KINDS), scores.features[row])
    noisy = (_jittered(one.astype(np.float32), jitter, rng) for one in arrays)
    proxy, thumbnail = (of.image_bytes([rows[row]], kind)[0] for kind in ("proxy", "thumbnail"))
    return ShardRow(ref, "", scores.frames[row], proxy, thumbnail, Score(*noisy))


_KEPT: dict[tuple[Path, int], object] = {}


def _scores(of: Run, index: int):  # type: ignore[no-untyped-def]
    return _KEPT.setdefault((of.path, index), of.class_scores(index))


def _jittered(values: np.ndarray, jitter: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=values.shape).astype(np.float32)
    return values + jitter * values.std() * noise


def _places(of: Run, index: int, per_class: int, jitter: float) -> np.ndarray:
    places = of.read_layout(index)
    assert places is not None
    repeated = np.resize(places, (per_class, 2)).astype(np.float32)
    return _jittered(repeated, jitter, np.random.default_rng(index))
