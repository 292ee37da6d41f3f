"""A few small pictures in class folders, runs of them, and the prints of a folder's files."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from PIL import Image

from dsel.config import ScoreSettings, SelectSettings, SourceSettings, TrainSettings
from dsel.data import open_dataset
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import Run, open_run
from dsel.types import Dataset, Event, Pixels

if TYPE_CHECKING:
    from support.mixture import MixturePrior

T = TypeVar("T")
PX, CELL_PX = 32, 4
QUICK = ScoreSettings(
    timesteps=(300, 600), draws=2, shard_size=3, feature_grid=4, feature_dim=8, min_side_px=16
)
"""Settings that score a picture in milliseconds, three to a shard."""

SMALL = SelectSettings(ipc=2, clusters=2)

TINY_CLASSES = {"cat": 4, "dog": 4}
TINY = TrainSettings(
    resolution_px=32, cells=8, widths=(32, 32), autoencoder_images=64, images=64, batch_size=16,
    threads=1,
)  # fmt: skip
"""Trains a prior of four steps, which knows nothing and has every part."""


def toy_prior(classes: Sequence[str] = ("cat", "dog")) -> MixturePrior:
    """The exact prior of pictures of 32 px in 8 x 8 cells; it knows at least two classes."""
    from support.mixture import MixturePrior

    known = classes if len(classes) > 1 else (*classes, "another")
    return MixturePrior(known, resolution_px=PX, cell_px=CELL_PX)


def write_pictures(root: Path, classes: Mapping[str, int], seed: int = 0) -> Path:
    """Write CLASS/00.png and so on: noise with a bright square in it, wider than high."""
    for index, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = draw_picture(seed, index, number)
            Image.fromarray(picture).save(root / name / f"{number:02d}.png")
    return root


def draw_picture(seed: int, index: int, number: int) -> Pixels:
    """A picture of 40 + 3 n x 36 px whose square has a colour of its class."""
    rng = np.random.default_rng([seed, index, number])
    picture = rng.integers(0, 90, (36, 40 + 3 * (number % 3), 3), np.uint8)
    x, y = rng.integers(0, 24, 2)
    picture[y : y + 12, x : x + 12, index % 3] = 255 - number
    return picture


def dataset_of(root: Path, **settings: object) -> Dataset:
    """Open an image folder."""
    return open_dataset(str(root), SourceSettings(**settings))


def finish(events: Iterable[Event]) -> list[Event]:
    """Run a stage to its end."""
    return list(events)


def value_of(events: Generator[Event, None, T]) -> T:
    """Run a stage to its end; return what it returns."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return cast(T, end.value)


def scored_run(
    source: Path, path: Path, settings: ScoreSettings = QUICK, chosen: SelectSettings = SMALL
) -> Run:
    """Score a folder of pictures with the toy prior, and select."""
    dataset = dataset_of(source)
    finish(score(dataset, toy_prior(dataset.classes), path, settings))
    run = open_run(path)
    finish(select(run, chosen))
    return run


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
