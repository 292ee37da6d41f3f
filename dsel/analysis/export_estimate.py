"""Estimates of an export before it is made: its images, its size and where its pixels come from.

A sample of the images is composed from the run's proxies and encoded in a quick way. The ratio of
true to quick sizes comes from a few images that are cut and encoded as the export does it, since a
source may take long to read and PNG long to compress. Everything beside the images is built as the
export builds it.
"""

from __future__ import annotations

import io
import time
import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, cycle, islice
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import numpy as np
from PIL import Image

from dsel.analysis.explorer import Explorer
from dsel.cache import SHARED, Cache
from dsel.checksums import DIGITS
from dsel.config import ExportSettings, SelectSettings
from dsel.core.composing import Cut, compose_class, lay_out, shortfall
from dsel.data.images import crop, encode
from dsel.errors import DselError, UnreadableImage
from dsel.exports import (
    SIDE_FILES,
    Export,
    image_entry,
    image_name,
    side_files,
    zip_bytes,
)
from dsel.patches import Patches
from dsel.pipeline.cutting import is_as_scored, open_origin, source_of
from dsel.pipeline.export import check_export, plan_export
from dsel.pipeline.labelling import labels_size
from dsel.runs import Run
from dsel.students.label_file import LABELS
from dsel.types import ClassSelection, Dataset, Distilled, Patch, Pixels, Tile

T = TypeVar("T")
_Sample: TypeAlias = dict[tuple[int, bool], list[float]]
"""Sizes of sampled images, by class and whether they repeat a patch."""

Problem: TypeAlias = Literal["", "missing", "changed", "unreadable"]

SAMPLED: Final = 240
"""Images of at most 128 px that are composed from proxies; fewer of larger ones."""

SAMPLED_TILES: Final = 400
SAMPLED_PX: Final = SAMPLED * 128**2
FEWEST: Final = 8

CALIBRATED: Final = 12
"""Images that give the ratios of true to quick sizes; they stay the same for all settings."""

CALIBRATED_PX: Final = CALIBRATED * 128**2

LIMIT_S: Final = 1.5
"""Time after which no further source image is read for calibration, if there are `FEWEST`."""

MOST_ROWS: Final = 4000
"""Rows of patches.parquet and images of the manifest that are built; more are extrapolated."""


@dataclass(frozen=True, slots=True)
class ShortClass:
    """A class that gives fewer images than IPC."""

    name: str
    images: int


@dataclass(frozen=True, slots=True)
class ClassBytes:
    """The estimated size of the image files of one class."""

    name: str
    images: int
    images_bytes: int


@dataclass(frozen=True, slots=True)
class ExportEstimate:
    """The content of an export; bytes are estimates, from `sampled` of its images.

    images_bytes: of all image files. zip_bytes: of the zip file with everything beside them.
    pixels: source or proxy. source_problem: why the source's pixels are not available although they
    were requested, with one line in source_message; both empty if they are.
    """

    images: int
    classes: int
    files: int
    image_px: int
    file_format: str
    images_bytes: int
    zip_bytes: int
    sampled: int
    classes_bytes: tuple[ClassBytes, ...]
    short: tuple[ShortClass, ...]
    pixels: str
    source_problem: Problem
    source_message: str


@dataclass(frozen=True, slots=True)
class _Source:
    """Whether the source's pixels are used, some of its images by id, or why they are not."""

    used: bool
    images: Mapping[str, Pixels]
    problem: Problem = ""
    message: str = ""


def estimate_export(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, cache: Cache = SHARED
) -> ExportEstimate:
    """Estimate an export; raises `DselError` for what the export itself would refuse."""
    run = explorer.run
    owner = ("export estimate", str(run.path), run.identity.fingerprint)

    def make() -> ExportEstimate:
        source = cache.get(owner, ("source", export.pixels), lambda: _source(run, export.pixels))
        return _estimate(explorer, select, export, source)

    return cache.get(owner, (select, export), make)


def _estimate(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, source: _Source
) -> ExportEstimate:
    image_px = check_export(explorer.run, select, export)
    selections = [explorer.select(index, select) for index in range(len(explorer.classes))]
    # The teacher need not be loaded: all fingerprints of weights have this length.
    teacher = {"name": export.teacher, "fingerprint": "0" * 16} if export.teacher else None
    plan = plan_export(explorer.run, selections, select, export, image_px, source.used, teacher)
    full_ratio, source_ratio = _ratios(plan, explorer.cut, source.images)
    sample = _sample(plan, explorer.cut, full_ratio)
    counts = [len(selected.kept_images(select.ipc)) for selected in selections]
    classes = tuple(
        ClassBytes(selected.name, count, round(source_ratio * _class_size(plan, index, sample)))
        for index, (selected, count) in enumerate(zip(selections, counts, strict=True))
    )
    images_bytes = sum(one.images_bytes for one in classes)
    return ExportEstimate(
        images=sum(counts),
        classes=len(selections),
        files=sum(counts) + SIDE_FILES + bool(export.teacher),
        image_px=image_px,
        file_format=export.file_format,
        images_bytes=images_bytes,
        zip_bytes=images_bytes + _rest_bytes(plan),
        sampled=sum(map(len, sample.values())),
        classes_bytes=classes,
        short=tuple(
            ShortClass(selected.name, len(selected.images))
            for selected in selections
            if shortfall(selected, select)
        ),
        pixels=plan.pixels,
        source_problem=source.problem,
        source_message=source.message,
    )


def _source(run: Run, pixels: Literal["auto", "source", "proxy"]) -> _Source:
    dataset, message = source_of(run, pixels)
    if dataset is not None:
        return _Source(True, _some_images(run, dataset))
    if not message:
        return _Source(False, {})
    try:
        open_origin(run)
    except DselError:
        there = Path(str(run.identity.dataset_origin.get("source", ""))).exists()
        return _Source(False, {}, "unreadable" if there else "missing", message)
    return _Source(False, {}, "changed", message)


def _some_images(run: Run, dataset: Dataset) -> Mapping[str, Pixels]:
    """Read a few images of the source, spread over the run, as long as time permits."""
    refs = {ref.id: ref for ref in dataset.refs}
    rows = spread([row for row in run.images if row.frame is not None], CALIBRATED)
    images: dict[str, Pixels] = {}
    end = time.monotonic() + LIMIT_S
    # In random order, so that those that are read in time are spread as well.
    for at in np.random.default_rng(0).permutation(len(rows)):
        if len(images) >= FEWEST and time.monotonic() > end:
            break
        row = rows[at]
        try:
            pixels = dataset.read(refs[row.id])
        except UnreadableImage:
            continue  # the export reports it
        if is_as_scored(row, pixels, dataset):  # else the export refuses it
            images[row.id] = pixels
    return images


def _sample(plan: Export, cut: Cut, full_ratio: float) -> _Sample:
    """Estimate the sizes of a sample of images as cut from proxies."""
    tiles, pixels = plan.select.factor**2, plan.canvas.image_px**2
    most = max(FEWEST, min(SAMPLED, SAMPLED_TILES // tiles, SAMPLED_PX // pixels))
    images = [
        (index, image)
        for index, selected in enumerate(plan.selections)
        for image in selected.kept_images(plan.select.ipc)
    ]
    sample: dict[tuple[int, bool], list[float]] = {}
    for repeats in (False, True):
        group = [one for one in images if _repeats(one[1]) == repeats]
        for index, image in spread(group, -(-most * len(group) // max(len(images), 1))):
            patches = [plan.selections[index].patches[rank] for rank in image]
            composed = _composed(plan, patches, cut)
            if repeats:  # PNG stores a repeated tile once, which the quick size does not know
                size = float(len(encode(composed, plan.settings.file_format)))
            else:
                size = full_ratio * _quick_bytes(composed, plan.settings.file_format)
            sample.setdefault((index, repeats), []).append(size)
    return sample


def _class_size(plan: Export, index: int, sample: _Sample) -> float:
    """Scale the sampled sizes of a class to all its images; without any, those of all classes."""
    total = 0.0
    images = plan.selections[index].kept_images(plan.select.ipc)
    for repeats in (False, True):
        count = sum(_repeats(image) == repeats for image in images)
        known = sample.get((index, repeats)) or [
            size for (_, kind), sizes in sample.items() if kind == repeats for size in sizes
        ]
        total += count * sum(known) / len(known) if count else 0.0
    return total


def _repeats(image: Sequence[int]) -> bool:
    """Whether a mosaic shows a patch twice, as the last ones of a cluster do."""
    return len(set(image)) < len(image)


def _ratios(plan: Export, cut: Cut, source: Mapping[str, Pixels]) -> tuple[float, float]:
    """Return the ratios of full to quick sizes, and of sizes from the source to those from proxies.

    Both come from a few patches: those of the given source images, or any without them.
    """
    all_patches = [one.patches for one in plan.selections]
    known = [patch for one in all_patches for patch in one.take(one.of_images(source))]
    patches = known or _some_patches(all_patches)
    if not patches:
        return 1.0, 1.0
    tiles, file_format = plan.select.factor**2, plan.settings.file_format
    count = max(2, min(CALIBRATED // tiles, CALIBRATED_PX // plan.canvas.image_px**2))
    endless = cycle(patches)
    images = [list(islice(endless, tiles)) for _ in range(count)]
    proxies = [_composed(plan, one, cut) for one in images]
    quick = sum(_quick_bytes(pixels, file_format) for pixels in proxies)
    full = sum(len(encode(pixels, file_format)) for pixels in proxies)
    if not known:
        return full / quick, 1.0

    def source_cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(source[patch.image_id], patch.cut_box, width_px, height_px)

    true = sum(len(encode(_composed(plan, one, source_cut), file_format)) for one in images)
    return full / quick, true / full


def _some_patches(classes: Sequence[Patches]) -> list[Patch]:
    """Return `CALIBRATED` of the patches of all classes, or all if there are fewer."""
    starts = [0, *accumulate(map(len, classes))]
    chosen = spread(range(starts[-1]), CALIBRATED)
    of_class = [bisect_right(starts, at) - 1 for at in chosen]
    return [classes[n][at - starts[n]] for n, at in zip(of_class, chosen, strict=True)]


def _composed(plan: Export, patches: Sequence[Patch], cut: Cut) -> Pixels:
    """Compose one image of these patches."""
    alone = ClassSelection("", 0, Patches.of(patches), (tuple(range(len(patches))),))
    (image,) = compose_class(alone, 1, plan.canvas, cut)
    return image.pixels


def _quick_bytes(pixels: Pixels, file_format: Literal["png", "jpeg"]) -> int:
    """Return the size of an image; for PNG, without the search for repeated bytes."""
    if file_format == "jpeg":
        return len(encode(pixels, file_format))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", compress_type=zlib.Z_RLE)
    return stream.tell()


def _rest_bytes(plan: Export) -> int:
    """Return the bytes of the zip file beside the contents of its images.

    They are exact unless the set is large. Manifest and table grow evenly with their rows, so two
    of their sizes give the others.
    """
    images = [
        Distilled(selected.index, number, _NO_PIXELS, _tiles(plan, selected, image))
        for selected in plan.selections
        for number, image in enumerate(selected.kept_images(plan.select.ipc))
    ]
    names = [image_name(plan, plan.folders[image.class_index], image.number) for image in images]
    step = -(-max(len(images), sum(len(one.patches) for one in plan.selections)) // MOST_ROWS) or 1
    sizes = _side_bytes(plan, names, images, step)
    if step > 1:
        half = _side_bytes(plan, names, images, 2 * step)
        sizes = {name: size + 2 * (step - 1) * (size - half[name]) for name, size in sizes.items()}
    labels = {LABELS: labels_size(plan, len(images))} if plan.settings.teacher else {}
    return zip_bytes(dict.fromkeys(names, 0) | sizes | labels)


def _tiles(plan: Export, selected: ClassSelection, image: Sequence[int]) -> tuple[Tile, ...]:
    return lay_out([selected.patches[rank] for rank in image], plan.canvas)


def _side_bytes(
    plan: Export, names: Sequence[str], images: Sequence[Distilled], step: int
) -> dict[str, int]:
    """Return the sizes of the side files with every `step`-th image and patch of the export."""
    entries = [
        image_entry(name, image, plan.classes)
        for name, image in zip(names[::step], images[::step], strict=True)
    ]
    selections = [replace(one, patches=one.patches[::step]) for one in plan.selections]
    checksums = dict.fromkeys(names[::step], _NO_DIGEST)
    files = side_files(replace(plan, selections=selections), entries, checksums)
    return {name: len(content) for name, content in files.items()}


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return up to `most` items, from the first to the last, evenly apart."""
    count = min(len(items), most)
    return [items[at * (len(items) - 1) // max(count - 1, 1)] for at in range(count)]


_NO_DIGEST: Final = "0" * DIGITS
_NO_PIXELS: Final = np.zeros((0, 0, 3), np.uint8)
