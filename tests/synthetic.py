"""Finished runs that no model has scored: drawn pictures with a gap where the drawn thing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw

from dsel.config import ScoreSettings, SourceSettings
from dsel.datasets.base import origin_of
from dsel.pictures import encode, thumbnail, to_proxy
from dsel.records import ImageRef, Pixels, Score
from dsel.runs import Identity, Run, create_run
from dsel.tables import ShardRow

PX, CELL_PX, CELLS = 128, 8, 16
TIMESTEPS = (200, 300, 400, 500, 600, 700)
NAMES = ("disc", "square", "bar", "ring", "cross")

Drawn = tuple[Pixels, np.ndarray]
"""A picture (PX, PX, 3), and where its thing is, (PX, PX) bool."""


def synthetic_run(path: Path, classes: int = 3, per_class: int = 24, seed: int = 0) -> Run:
    """Write a finished run of drawn pictures; its source is gone, so exports cut from proxies."""
    names = NAMES[:classes]
    origin = origin_of(str(path / "gone"), SourceSettings())
    return write_run(path, names, per_class, origin, lambda c, n: _draw(c, n, seed))


def write_run(
    path: Path, names: Sequence[str], per_class: int, origin: Mapping[str, object],
    draw: Callable[[int, int], Drawn], dataset_fingerprint: str = "synthetic",
) -> Run:  # fmt: skip
    """Write a finished run of any drawn pictures, with layouts from each class's features."""
    refs = [
        ImageRef(f"{name}/{n:06d}", c) for c, name in enumerate(names) for n in range(per_class)
    ]
    settings = ScoreSettings(timesteps=TIMESTEPS, shard_size=40, feature_dim=16)
    identity = Identity(
        classes=tuple(names), dataset_fingerprint=dataset_fingerprint, dataset_origin=origin,
        images=len(refs), prior="synthetic", prior_fingerprint="0" * 16, resolution_px=PX,
        cell_px=CELL_PX, precision="float32", settings=settings,
    )  # fmt: skip
    run = create_run(path, identity)
    for number in range(identity.shards):
        shard = refs[number * settings.shard_size : (number + 1) * settings.shard_size]
        rows = [_row(ref, draw(ref.class_index, int(ref.id[-6:]))) for ref in shard]
        run.write_shard(number, rows)
    run.finish()
    for index in range(len(names)):
        places = run.class_scores(index).features.mean(axis=(1, 2))[:, :2]
        run.write_layout(index, np.ascontiguousarray(places, np.float32))
    return run


def _row(ref: ImageRef, drawn: Drawn) -> ShardRow:
    pixels, mask = drawn
    proxy = to_proxy(pixels, PX, "crop")
    small = thumbnail(proxy.pixels, 96)
    return ShardRow(
        ref, "", proxy.frame, encode(proxy.pixels, "webp"), encode(small, "webp"), _score(ref, mask)
    )


def _score(ref: ImageRef, mask: np.ndarray) -> Score:
    rng = np.random.default_rng([ref.class_index, int(ref.id[-6:])])
    cover = mask.reshape(CELLS, CELL_PX, CELLS, CELL_PX).mean(axis=(1, 3))
    blur = sliding_window_view(np.pad(cover, 1), (3, 3)).mean(axis=(2, 3))
    noise = rng.normal(size=(len(TIMESTEPS), CELLS, CELLS))
    strength = rng.uniform(0.4, 1.3) * np.linspace(0.6, 1.4, len(TIMESTEPS))[:, None, None]
    gap = 0.02 * strength * (cover + blur) / 2 + 0.004 * noise - 0.002
    conditional = 0.15 + 0.2 * blur + 0.03 * rng.random(gap.shape) - gap
    kind = rng.integers(4)
    features = rng.normal(size=(8, 8, 16)) * 0.4
    features[..., :4] += 3 * np.eye(4)[kind]
    features[..., :2] += 3 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[kind]
    return Score(*(a.astype(np.float32) for a in (conditional, gap, features)))


def _draw(class_index: int, number: int, seed: int) -> Drawn:
    rng = np.random.default_rng([seed, class_index, number])
    ground, ink = rng.integers(40, 215, 3), rng.integers(0, 255, 3)
    side, (x, y) = int(rng.integers(30, 60)), rng.integers(0, PX - 60, 2)
    image = Image.new("RGB", (PX, PX), tuple(map(int, ground)))
    mask = Image.new("1", (PX, PX))
    for canvas, fill in ((image, tuple(map(int, ink))), (mask, 1)):
        _shape(ImageDraw.Draw(canvas), NAMES[class_index], (int(x), int(y), side), fill)
    noisy = np.array(image, np.float32) + rng.normal(0, 6, (PX, PX, 1))
    return np.clip(noisy, 0, 255).astype(np.uint8), np.array(mask)


def _shape(draw: ImageDraw.ImageDraw, name: str, at: tuple[int, int, int], fill: object) -> None:
    x, y, side = at
    frame = (x, y, x + side, y + side)
    if name == "disc":
        draw.ellipse(frame, fill=fill)
    elif name == "ring":
        draw.ellipse(frame, outline=fill, width=9)
    elif name == "bar":
        draw.rectangle((x, y + side // 3, x + side, y + 2 * side // 3), fill=fill)
    elif name == "cross":
        draw.line(frame, fill=fill, width=9)
        draw.line((x, y + side, x + side, y), fill=fill, width=9)
    else:
        draw.rectangle(frame, fill=fill)
