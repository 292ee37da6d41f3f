"""Finished runs that no model has scored: drawn pictures with a gap where the drawn thing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageDraw

from dsel.config import ScoreSettings, SourceSettings
from dsel.data.base import origin_of
from dsel.data.images import encode, thumbnail, to_proxy
from dsel.runs import Identity, Run, create_run
from dsel.runs.schema import ShardRow
from dsel.types import ImageRef, Pixels, Score

PX, CELL_PX, STEP_PX = 128, 8, 16
TIMESTEPS = (200, 300, 400, 500, 600, 700)
NAMES = ("disc", "square", "bar", "ring", "cross")

Size = tuple[int, int]
SQUARE: Size = (PX, PX)
MIXED: tuple[Size, ...] = (SQUARE, (256, 128), (150, 200), (400, 150), (90, 160))
"""Widths and heights: a square, 2:1, 3:4, one that is longer than 2:1, and a small tall one."""

Drawn = tuple[Pixels, np.ndarray]
"""A picture (height, width, 3), and where its thing is, (height, width) bool."""


def synthetic_run(
    path: Path, classes: int = 3, per_class: int = 24, seed: int = 0,
    sizes: Sequence[Size] = (SQUARE,),
) -> Run:  # fmt: skip
    """Write a finished run of pictures of these sizes in turn, drawn, so that it has no source."""
    origin = origin_of(str(path / "gone"), SourceSettings())
    counts = dict.fromkeys(NAMES[:classes], per_class)
    return write_run(path, counts, origin, lambda c, n: draw(c, n, seed, sizes[n % len(sizes)]))


def write_run(
    path: Path, counts: Mapping[str, int], origin: Mapping[str, object],
    drawn: Callable[[int, int], Drawn | None], dataset_fingerprint: str = "synthetic",
    shard_size: int = 40,
) -> Run:  # fmt: skip
    """Write a finished run of so many pictures per class; those that are None were skipped.

    Layouts come from each class's features.
    """
    refs = [
        ImageRef(f"{name}/{n:06d}", c) for c, name in enumerate(counts) for n in range(counts[name])
    ]
    settings = ScoreSettings(timesteps=TIMESTEPS, shard_size=shard_size, feature_dim=16)
    identity = Identity(
        classes=tuple(counts), dataset_fingerprint=dataset_fingerprint, dataset_origin=origin,
        images=len(refs), prior="synthetic", prior_origin={}, prior_fingerprint="0" * 16,
        resolution_px=PX, cell_px=CELL_PX, precision="float32", settings=settings,
    )  # fmt: skip
    run = create_run(path, identity)
    for number in range(identity.shards):
        shard = refs[number * settings.shard_size : (number + 1) * settings.shard_size]
        rows = [_row(ref, drawn(ref.class_index, int(ref.id[-6:]))) for ref in shard]
        run.write_shard(number, rows)
    run.gather_images()
    run.finish()
    for index in range(len(counts)):
        places = run.class_scores(index).features.mean(axis=(1, 2))[:, :2]
        run.write_layout(index, np.ascontiguousarray(places, np.float32))
    return run


def _row(ref: ImageRef, drawn: Drawn | None) -> ShardRow:
    if drawn is None:
        return ShardRow(ref, "is damaged: it was drawn so")
    pixels, mask = drawn
    proxy = to_proxy(pixels, PX, "whole", STEP_PX)
    small = thumbnail(proxy.pixels, 96)
    seen = to_proxy(np.repeat(255 * mask[:, :, None].astype(np.uint8), 3, 2), PX, "whole", STEP_PX)
    return ShardRow(
        ref, "", proxy.frame, encode(proxy.pixels, "webp"), encode(small, "webp"),
        _score(ref, seen.pixels[:, :, 0] > 127),
    )  # fmt: skip


def _score(ref: ImageRef, mask: np.ndarray) -> Score:
    rng = np.random.default_rng([ref.class_index, int(ref.id[-6:])])
    rows, columns = (side // CELL_PX for side in mask.shape)
    cover = mask.reshape(rows, CELL_PX, columns, CELL_PX).mean(axis=(1, 3))
    blur = sliding_window_view(np.pad(cover, 1), (3, 3)).mean(axis=(2, 3))
    noise = rng.normal(size=(len(TIMESTEPS), rows, columns))
    strength = rng.uniform(0.4, 1.3) * np.linspace(0.6, 1.4, len(TIMESTEPS))[:, None, None]
    gap = 0.02 * strength * (cover + blur) / 2 + 0.004 * noise - 0.002
    conditional = 0.15 + 0.2 * blur + 0.03 * rng.random(gap.shape) - gap
    kind = rng.integers(4)
    features = rng.normal(size=(8, 8, 16)) * 0.4
    features[..., :4] += 3 * np.eye(4)[kind]
    features[..., :2] += 3 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[kind]
    halves = 0.002 * rng.normal(size=gap.shape)
    # The gap's mean, without most of its noise.
    difference = 0.02 * strength * (cover + blur) / 2 + 0.0004 * rng.random(gap.shape)
    maps = conditional, gap, difference, halves, halves / 10
    return Score(*(a.astype(np.float32) for a in (*maps, features)))


def draw(class_index: int, number: int, seed: int = 0, size: Size = SQUARE) -> Drawn:
    """A picture of one thing, of a kind of its class, on a ground of one colour."""
    rng = np.random.default_rng([seed, class_index, number])
    ground, ink = rng.integers(40, 215, 3), rng.integers(0, 255, 3)
    side, places = int(rng.integers(30, 60)), rng.integers(0, PX - 60, 2)
    scale = min(size) / PX
    x, y = (int(a * (b - 60 * scale) / (PX - 60)) for a, b in zip(places, size, strict=True))
    image = Image.new("RGB", size, tuple(map(int, ground)))
    mask = Image.new("1", size)
    for canvas, fill in ((image, tuple(map(int, ink))), (mask, 1)):
        _shape(ImageDraw.Draw(canvas), NAMES[class_index], (x, y, int(side * scale)), fill)
    noisy = np.array(image, np.float32) + rng.normal(0, 6, (*size[::-1], 1))
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
