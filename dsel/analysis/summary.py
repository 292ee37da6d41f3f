"""What an export would give, before it is made: how many images, how large, from which pixels."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dsel.analysis.explorer import Explorer
from dsel.cache import SHARED, Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.core.composing import Cut, compose_class, shortfall
from dsel.data.images import encode
from dsel.exports import SIDE_FILES, entry_bytes
from dsel.pipeline.cutting import proxy_cutter, source_cutter, source_of
from dsel.pipeline.export import check_export
from dsel.types import ClassSelection, Dataset, Distilled

SAMPLES: Final = 8
SAMPLE_S: Final = 0.12
"""Seconds after which no further sample is made: the figure is an estimate anyway."""


@dataclass(frozen=True, slots=True)
class ShortClass:
    """A class that gives fewer images than IPC asks for, and what may be done."""

    name: str
    images: int
    advice: str


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export would give. bytes is an estimate, from `sampled` of its images.

    pixels: source or proxy; why: a line where the source was wanted and cannot be had.
    """

    images: int
    classes: int
    files: int
    image_px: int
    file_format: str
    bytes: int
    sampled: int
    short: tuple[ShortClass, ...]
    pixels: str
    why: str


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the pixels come from."""

    dataset: Dataset | None
    why: str


def export_summary(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, cache: Cache = SHARED
) -> ExportSummary:
    """Look ahead; raises `DselError` for what the export itself would refuse."""
    run = explorer.run
    owner = ("summary", str(run.path), run.identity.fingerprint)

    def source() -> _Source:
        return _Source(*source_of(run, export.pixels))

    def make() -> ExportSummary:
        found = cache.get(owner, ("source", export.pixels), source)
        return _summary(explorer, select, export, found)

    return cache.get(owner, (select, export), make)


def _summary(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, source: _Source
) -> ExportSummary:
    run = explorer.run
    image_px = check_export(run, select, export)
    selections = [explorer.select(index, select) for index in range(len(explorer.classes))]
    images = sum(min(select.ipc, len(selected.images)) for selected in selections)
    cut = source_cutter(run, source.dataset) if source.dataset else proxy_cutter(run)
    sample = list(_sampled(selections, select, image_px, cut))
    pictures = sum(len(encode(one.pixels, export.file_format)) for one in sample)
    explanation = sum(entry_bytes(one, explorer.classes) for one in sample)
    patches = sum(len(selected.patches) for selected in selections)
    return ExportSummary(
        images=images,
        classes=len(selections),
        files=images + SIDE_FILES,
        image_px=image_px,
        file_format=export.file_format,
        bytes=images * (pictures + explanation) // max(len(sample), 1) + PATCH_BYTES * patches,
        sampled=len(sample),
        short=tuple(
            ShortClass(selected.name, len(selected.images), advice)
            for selected in selections
            if (advice := shortfall(selected, select))
        ),
        pixels="source" if source.dataset else "proxy",
        why=source.why,
    )


PATCH_BYTES: Final = 110
"""Of a row of patches.parquet, about."""


def _sampled(
    selections: Sequence[ClassSelection], select: SelectSettings, image_px: int, cut: Cut
) -> Iterator[Distilled]:
    """A few of the images, spread over the classes and their ranks, as long as it takes no time."""
    filled = [selected for selected in selections if selected.images[: select.ipc]]
    count, end = min(SAMPLES, len(filled)), time.monotonic() + SAMPLE_S
    one = select.replace(ipc=1)
    for place in range(count):
        selected = filled[place * len(filled) // count]
        kept = selected.images[: select.ipc]
        image = kept[place * len(kept) // count]
        yield from compose_class(replace(selected, images=(image,)), one, image_px, cut)
        if time.monotonic() > end:
            return
