"""Hit rate and coverage: how well chosen patches and baselines locate the true objects.

A patch hits an object that is smaller than itself if it holds at least half of it, and a larger one
also if at least 60 % of the patch is inside it. Coverage is the share of the object in the patch.
The best patch of each image with an object counts. The figures of random patches are exact:
averages over every position of the patch, in steps of one source pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.core.integral_image import Tables, box_means, joined, summed_area, sums_inside
from dsel.errors import SourceError
from dsel.patches import Boxes, ClassImages, Frames, Patches
from dsel.runs import Run
from dsel.runs.coco_masks import Mask
from dsel.runs.ground_truth import GroundTruth, Matched
from dsel.runs.ground_truth import read_ground_truth as read_ground_truth  # for `dsel check`
from dsel.types import Box, ClassSelection

Doubles: TypeAlias = NDArray[np.float64]

SMALL_SHARE: Final = 0.5
"""Share of an object that a patch must hold to hit it."""

LARGE_SHARE: Final = 0.6
"""Share of a patch that must be inside an object that is larger than the patch to hit it."""

ROUNDING_PX: Final = 1e-6
"""Pixels by which rounding may change a sum of whole pixels."""


@dataclass(frozen=True, slots=True)
class Localization:
    """How one kind of patch locates the objects of `images` images: means over the images.

    kind: chosen, random, centre or whole. Both figures are NaN without images.
    """

    kind: str
    images: int
    hit_rate: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Hit rate and coverage of each of M images, (M,) each."""

    hit: Doubles
    coverage: Doubles


@dataclass(frozen=True, slots=True)
class BaselineRates:
    """The rates of each baseline at one patch size, which follow from the objects alone."""

    random: Rates
    centre: Rates
    whole: Rates


@dataclass(frozen=True, slots=True)
class ClassObjects:
    """The M images of a class that have an object, and their objects.

    tables: an integral image of each object, of the box around it, whose corner is x and y (M,) in
    pixels of the upright source. pixels: (M,) the size of each object.
    """

    ids: tuple[str, ...]
    frames: Frames
    x: Doubles
    y: Doubles
    pixels: Doubles
    tables: Tables


def class_objects(images: ClassImages, truth: GroundTruth) -> ClassObjects:
    """Collect the objects of images; those without an object are left out."""
    rows, corners, pixels, stacks = [], [], [], []
    for row, image_id in enumerate(images.ids):
        mask = truth.mask(image_id)
        if mask is None or not mask.any():
            continue
        (top, bottom), (left, right) = _extent(mask, 1), _extent(mask, 0)
        cropped = mask[top:bottom, left:right]
        rows.append(row)
        corners.append((left, top))
        pixels.append(cropped.sum())
        stacks.append(summed_area(cropped[None].astype(np.float32)).astype(np.int32))
    x, y = np.array(corners, float).reshape(-1, 2).T
    tables = joined(stacks, [np.array([row]) for row in range(len(rows))])
    return ClassObjects(
        tuple(images.ids[row] for row in rows),
        images.frames.take(np.array(rows, np.int64)),
        x,
        y,
        np.array(pixels, float),
        tables,
    )


def baseline_rates(objects: ClassObjects, patch_px: float) -> BaselineRates:
    """Rates of random and centred patches of a side in proxy pixels, and of the whole view."""
    views = objects.frames.view
    square = np.array([[0.0, 0.0, patch_px, patch_px]])
    sides = objects.frames.to_source(np.repeat(square, len(views), axis=0))[:, 2:]
    centres = np.hstack([views[:, :2] + (views[:, 2:] - sides) / 2, sides])
    pairs = [
        random_rate(_table(objects, row), _relative(objects, row, Box(*view)), *side)
        for row, (view, side) in enumerate(zip(views.tolist(), sides.tolist(), strict=True))
    ]
    hit, coverage = np.array(pairs, float).reshape(-1, 2).T
    every = np.arange(len(views))
    return BaselineRates(
        random=Rates(hit, coverage),
        centre=_rates(objects, every, centres),
        whole=_rates(objects, every, views),
    )


def localization(
    objects: ClassObjects, selected: ClassSelection, baselines: BaselineRates
) -> tuple[Localization, ...]:
    """Hit rate and coverage of a class's best patches and of each baseline on the same images."""
    rows, boxes = _best_boxes(objects, selected)
    every = slice(None)
    return (
        _mean("chosen", _rates(objects, rows, boxes), every),
        _mean("random", baselines.random, rows),
        _mean("centre", baselines.centre, rows),
        _mean("whole", baselines.whole, rows),
    )


def image_hits(
    objects: ClassObjects, selected: ClassSelection, image_ids: Sequence[str]
) -> NDArray[np.int8]:
    """Return whether the best patch of each image hits its object: 1, 0, or -1 where unknown."""
    hits = np.full(len(image_ids), -1, np.int8)
    rows, boxes = _best_boxes(objects, selected)
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    places = np.array([row_of[objects.ids[row]] for row in rows.tolist()], np.int64)
    hits[places] = _rates(objects, rows, boxes).hit
    return hits


def localization_overall(classes: Sequence[Sequence[Localization]]) -> tuple[Localization, ...]:
    """Combine the figures of several classes, kind by kind; every image counts the same."""
    return tuple(_combined(kind) for kind in zip(*classes, strict=True))


def check_selection(
    run: Run, selections: Sequence[ClassSelection], truth: GroundTruth
) -> dict[str, float | int | tuple[str, ...]]:
    """Measure hit rate and coverage of the chosen, random and centred patches of a run.

    The figures also say how the true objects fit the run. Raises `SourceError` if no image of the
    selections has an object.
    """
    chosen, random, centre, _ = (
        localization_overall([_class_localization(run, selected, truth) for selected in selections])
        or (_NOTHING,) * 4
    )
    if not chosen.images:
        raise SourceError(
            f"none of the {truth.matched.boxed} images with a true object has a patch in the "
            "selection: take some of them out of the bans"
        )
    figures: dict[str, float | int | tuple[str, ...]] = {"images": chosen.images}
    for name, one in (("", chosen), ("_random", random), ("_centre", centre)):
        figures[f"hit_rate{name}"] = one.hit_rate
        figures[f"coverage{name}"] = one.coverage
    return figures | fit_figures(truth.matched)


def fit_figures(matched: Matched) -> dict[str, float | int | tuple[str, ...]]:
    """Return how the true objects fit the run, as figures of `dsel check` and the app."""
    return {
        "run_images": matched.images,
        "run_images_with_objects": matched.boxed,
        "file_images": matched.pictures,
        "file_images_not_in_run": matched.unknown,
        "notes": matched.notes,
    }


def random_rate(
    table: NDArray[np.int32], view: Box, width: float, height: float
) -> tuple[float, float]:
    """Exact hit rate and coverage of one object over all positions of a patch inside a view.

    table: the object's integral image; the view is relative to its corner. Positions that do not
    touch the box around the object hit nothing and cover nothing, so they are only counted.
    """
    xs = np.arange(view.x, view.x + view.width - width + ROUNDING_PX)
    ys = np.arange(view.y, view.y + view.height - height + ROUNDING_PX)
    positions = len(xs) * len(ys)
    rows, columns = table.shape[0] - 1, table.shape[1] - 1
    xs = xs[(xs > -width) & (xs < columns)]
    ys = ys[(ys > -height) & (ys < rows)]
    total, area = float(table[-1, -1]), width * height
    inside = box_means(table[None].astype(np.float64), xs, ys, width, height)[0] * area  # (Y, X)
    hits = is_hit(inside, total, area).sum()
    return float(hits) / positions, float(inside.sum()) / total / positions


def is_hit(inside: Doubles, total: Doubles | float, area: Doubles | float) -> NDArray[np.bool_]:
    """Whether patches hit objects of `total` pixels, `inside` of which are in a patch of `area`."""
    small: NDArray[np.bool_] = inside >= SMALL_SHARE * total - ROUNDING_PX
    return small | ((total > area) & (inside >= LARGE_SHARE * area - ROUNDING_PX))


def best_patches(selected: ClassSelection) -> Patches:
    """Return the patch with the highest score of every image."""
    patches = selected.patches
    rising = np.argsort(patches.score, kind="stable")
    _, last = np.unique(patches.image[rising][::-1], return_index=True)
    return patches.take(rising[len(rising) - 1 - last])


def _best_boxes(objects: ClassObjects, selected: ClassSelection) -> tuple[NDArray[np.int64], Boxes]:
    """Return the objects whose images have a patch, and the boxes of the best ones, (M, 4)."""
    best = best_patches(selected)
    place = {image_id: n for n, image_id in enumerate(best.image_ids)}
    rows = np.array([row for row, one in enumerate(objects.ids) if one in place], np.int64)
    return rows, best.source_box[[place[objects.ids[row]] for row in rows.tolist()]]


_NOTHING: Final = Localization("", 0, float("nan"), float("nan"))


def _class_localization(
    run: Run, selected: ClassSelection, truth: GroundTruth
) -> tuple[Localization, ...]:
    images = run.class_images(selected.index)
    chosen = frozenset(selected.patches.image_ids)
    rows = np.array([row for row, one in enumerate(images.ids) if one in chosen], np.int64)
    ids = tuple(images.ids[row] for row in rows.tolist())
    objects = class_objects(ClassImages(ids, images.frames.take(rows)), truth)
    patch_px = selected.patches[0].box.width if selected.patches else 0.0
    return localization(objects, selected, baseline_rates(objects, patch_px))


def _extent(mask: Mask, axis: int) -> tuple[int, int]:
    """Return the range of indices at which a mask has pixels along the other axis."""
    at = np.flatnonzero(mask.any(axis=axis))
    return int(at[0]), int(at[-1]) + 1


def _table(objects: ClassObjects, row: int) -> NDArray[np.int32]:
    """Return the integral image of one object."""
    tables = objects.tables
    start, rows, columns = (int(at[row]) for at in (tables.start, tables.rows, tables.columns))
    table: NDArray[np.int32] = tables.flat[start : start + rows * columns].reshape(rows, columns)
    return table


def _relative(objects: ClassObjects, row: int, box: Box) -> Box:
    """Return a box in the source relative to the corner of an object."""
    return Box(box.x - objects.x[row], box.y - objects.y[row], box.width, box.height)


def _rates(objects: ClassObjects, rows: NDArray[np.int64], boxes: Boxes) -> Rates:
    """Rates of one box in the source per row, (M, 4)."""
    x, y, width, height = boxes.T
    x, y = x - objects.x[rows], y - objects.y[rows]
    inside = sums_inside(objects.tables, rows, x, y, width, height)
    total = objects.pixels[rows]
    hits = is_hit(inside, total, width * height)
    return Rates(hits.astype(np.float64), inside / total)


def _mean(kind: str, rates: Rates, rows: NDArray[np.int64] | slice) -> Localization:
    hit, coverage = rates.hit[rows], rates.coverage[rows]
    if not len(hit):
        return Localization(kind, 0, float("nan"), float("nan"))
    return Localization(kind, len(hit), float(hit.mean()), float(coverage.mean()))


def _combined(classes: Sequence[Localization]) -> Localization:
    known = [one for one in classes if one.images]
    images = sum(one.images for one in known)
    if not images:
        return Localization(classes[0].kind, 0, float("nan"), float("nan"))
    return Localization(
        kind=classes[0].kind,
        images=images,
        hit_rate=sum(one.hit_rate * one.images for one in known) / images,
        coverage=sum(one.coverage * one.images for one in known) / images,
    )
