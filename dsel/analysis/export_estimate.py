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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from PIL import Image

from dsel.analysis.explorer import Explorer
from dsel.analysis.spread import spread, spread_patches
from dsel.cache import SHARED, Cache
from dsel.checksums import DIGITS
from dsel.config import ExportSettings, SelectSettings
from dsel.config.export import FOLDER
from dsel.core.composing import Cut, fill, lay_out, mosaic, shortfall
from dsel.data.images import crop, encode
from dsel.errors import DselError, UnreadableImage
from dsel.exports import FORMATS, Export, image_entry, parts_of, zip_bytes
from dsel.exports.base import MANIFEST, manifest, manifest_bytes
from dsel.exports.formats import Format, ImageFormat
from dsel.pipeline.cutting import is_as_scored, open_origin, source_of
from dsel.pipeline.export import check_export, plan_export, with_story
from dsel.pipeline.labelling import labels_size
from dsel.runs import Run
from dsel.students.label_file import LABELS
from dsel.types import ClassSelection, Dataset, Distilled, Patch, Pixels, Tile

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

    images_bytes: of the images in all formats. zip_bytes: of the zip file with everything else.
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

    return cache.get(owner, (select, export), make, small=True)


def _estimate(
    explorer: Explorer, select: SelectSettings, export: ExportSettings, source: _Source
) -> ExportEstimate:
    image_px = check_export(explorer.run, select, export)
    selections = [explorer.select(index, select) for index in range(len(explorer.classes))]
    # The teacher need not be loaded: all fingerprints of weights have this length.
    teacher = {"name": export.teacher, "fingerprint": "0" * 16} if export.teacher else None
    plan = plan_export(explorer.run, selections, select, export, image_px, source.used, teacher)
    plan = with_story(plan, explorer.run)
    parts = parts_of(plan)
    sized = {
        kind: _classes_bytes(replace_format(plan, kind), explorer.cut, source)
        for kind in {FORMATS[part.format].image_format(part) for part in parts.values()}
        if kind is not None
    }
    sizes: dict[str, int] = {}
    totals = [0] * len(selections)
    for folder, part in parts.items():
        images = _stored_bytes(part, sized)
        totals = [total + one for total, one in zip(totals, images, strict=True)]
        files = _files_bytes(part, sum(images))
        sizes |= {f"{folder}/{name}".lstrip("/"): size for name, size in files.items()}
    counts = [len(selected.kept_images(select.ipc)) for selected in selections]
    return ExportEstimate(
        images=sum(counts),
        classes=len(selections),
        files=len(sizes),
        image_px=image_px,
        file_format=export.file_format,
        images_bytes=sum(totals),
        zip_bytes=zip_bytes(sizes),
        sampled=max((one.sampled for one in sized.values()), default=0),
        classes_bytes=tuple(
            ClassBytes(selected.name, count, total)
            for selected, count, total in zip(selections, counts, totals, strict=True)
        ),
        short=tuple(
            ShortClass(selected.name, len(selected.images))
            for selected in selections
            if shortfall(selected, select)
        ),
        pixels=plan.pixels,
        source_problem=source.problem,
        source_message=source.message,
    )


@dataclass(frozen=True, slots=True)
class _Sized:
    """The estimated bytes of the images of each class in one file format, from so many samples."""

    classes: tuple[int, ...]
    sampled: int


def replace_format(plan: Export, kind: ImageFormat) -> Export:
    """Return a plan with another file format."""
    return replace(plan, settings=plan.settings.replace(file_format=kind))


def _classes_bytes(plan: Export, cut: Cut, source: _Source) -> _Sized:
    full_ratio, source_ratio = _ratios(plan, cut, source.images)
    sample = _sample(plan, cut, full_ratio)
    classes = (
        round(source_ratio * _class_size(plan, index, sample))
        for index in range(len(plan.selections))
    )
    return _Sized(tuple(classes), sum(map(len, sample.values())))


def _stored_bytes(part: Export, sized: Mapping[ImageFormat, _Sized]) -> Sequence[int]:
    """Return the bytes of the images of each class in one format; tensors are float32."""
    kind = FORMATS[part.format].image_format(part)
    if kind is not None:
        return sized[kind].classes
    each = 12 * part.canvas.image_px**2 if part.format == "ddranking" else 0
    return [each * len(one.kept_images(part.select.ipc)) for one in part.selections]


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
                size = float(len(_encoded(plan, composed)))
            else:
                size = full_ratio * _quick_bytes(plan, composed)
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
    patches = known or spread_patches(all_patches, CALIBRATED)
    if not patches:
        return 1.0, 1.0
    tiles = plan.select.factor**2
    count = max(2, min(CALIBRATED // tiles, CALIBRATED_PX // plan.canvas.image_px**2))
    endless = cycle(patches)
    images = [list(islice(endless, tiles)) for _ in range(count)]
    proxies = [_composed(plan, one, cut) for one in images]
    quick = sum(_quick_bytes(plan, pixels) for pixels in proxies)
    full = sum(len(_encoded(plan, pixels)) for pixels in proxies)
    if not known:
        return full / quick, 1.0

    def source_cut(patch: Patch, width_px: int, height_px: int) -> Pixels:
        return crop(source[patch.image_id], patch.cut_box, width_px, height_px)

    true = sum(len(_encoded(plan, _composed(plan, one, source_cut))) for one in images)
    return full / quick, true / full


def _composed(plan: Export, patches: Sequence[Patch], cut: Cut) -> Pixels:
    """Compose one image of these patches."""
    canvas = plan.canvas
    tiles = [fill(tile, canvas.tile_scale, cut) for tile in lay_out(patches, canvas)]
    return mosaic(tiles, canvas.factor)


def _encoded(plan: Export, pixels: Pixels) -> bytes:
    return encode(pixels, plan.settings.file_format, plan.settings.quality)


def _quick_bytes(plan: Export, pixels: Pixels) -> int:
    """Return the size of an image; for PNG, without the search for repeated bytes."""
    if plan.settings.file_format != "png":
        return len(_encoded(plan, pixels))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", compress_type=zlib.Z_RLE)
    return stream.tell()


def _files_bytes(part: Export, images_bytes: int) -> dict[str, int]:
    """Return the sizes of the files of one format, by name.

    What is beside the images is exact unless the set is large. Manifest and tables grow evenly with
    their rows, so two of their sizes give the others.
    """
    kind = FORMATS[part.format]
    images = [
        Distilled(selected.index, number, _NO_PIXELS, _tiles(part, selected, image))
        for selected in part.selections
        for number, image in enumerate(selected.kept_images(part.select.ipc))
    ]
    step = -(-max(len(images), sum(len(one.patches) for one in part.selections)) // MOST_ROWS) or 1
    entries = _entries(kind, part, images)[::step]
    stored = kind.stored_bytes(part, entries, images_bytes)
    sizes = _side_bytes(kind, part, entries, stored, step)
    if step > 1:
        half = _side_bytes(kind, part, entries[::2], stored, 2 * step)
        sizes = {name: size + 2 * (step - 1) * (size - half[name]) for name, size in sizes.items()}
    if part.settings.teacher and part.format == FOLDER:
        sizes[LABELS] = labels_size(part, len(images))
    return sizes | stored


def _entries(
    kind: Format, part: Export, images: Sequence[Distilled]
) -> Sequence[Mapping[str, Any]]:
    return [
        image_entry(kind.place(part, one.class_index, one.number, at), one, part.classes)
        for at, one in enumerate(images)
    ]


def _tiles(part: Export, selected: ClassSelection, image: Sequence[int]) -> tuple[Tile, ...]:
    return lay_out([selected.patches[rank] for rank in image], part.canvas)


def _side_bytes(
    kind: Format,
    part: Export,
    entries: Sequence[Mapping[str, Any]],
    stored: Mapping[str, int],
    step: int,
) -> dict[str, int]:
    """Return the sizes of the side files with every `step`-th image and patch of the export."""
    selections = [replace(one, patches=one.patches[::step]) for one in part.selections]
    files = kind.side_files(replace(part, selections=selections), entries)
    listed = [entry["file"] for entry in entries if entry["file"] in stored] or [*stored]
    checksums = dict.fromkeys((*files, *listed), _NO_DIGEST)
    record = manifest_bytes(manifest(part, entries, checksums, complete=True))
    return {name: len(content) for name, content in files.items()} | {MANIFEST: len(record)}


_NO_DIGEST: Final = "0" * DIGITS
_NO_PIXELS: Final = np.zeros((0, 0, 3), np.uint8)
