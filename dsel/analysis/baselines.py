"""What chosen patches are to be compared with: a random one, the centre, the whole image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.analysis.localization import Mask, best_patches, hits
from dsel.core.gap_maps import Maps
from dsel.core.integral_image import Tables, joined, summed_area, sums_inside
from dsel.types import Box, ClassScores, ClassSelection, Frame

Doubles: TypeAlias = NDArray[np.float64]
Baseline: TypeAlias = Literal["random", "centre", "whole"]

BASELINES: Final[tuple[Baseline, ...]] = ("random", "centre", "whole")

DRAWS: Final = 64
"""Random places of an image: as many as it may give patches. A random hit rate is their mean."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The true objects of M images of a class, by their rows in it.

    tables: of each object, over no more than the box around it, whose corner is x and y (M,) in
    pixels of the upright source. pixels: (M,) each object's size.
    """

    rows: NDArray[np.int64]
    x: Doubles
    y: Doubles
    pixels: Doubles
    tables: Tables


@dataclass(frozen=True, slots=True)
class Found:
    """How one kind of patch finds the objects of so many images, means over the best patch of each.

    kind: chosen, or one of `BASELINES`; coverage: the share of the object inside the patch.
    """

    kind: str
    images: int
    hit_rate: float
    coverage: float


def random_places(scores: ClassScores, seed: int) -> Doubles:
    """Where random patches of a class's N images lie, (N, DRAWS, 2): shares of the free way.

    Each image has a generator of its own, so that its places depend on nothing but seed and id.
    """
    drawn = np.empty((len(scores.ids), DRAWS, 2))
    for row, image_id in enumerate(scores.ids):
        digest = hashlib.sha256(f"{seed}/{image_id}".encode()).digest()
        drawn[row] = np.random.default_rng(list(digest[:16])).random((DRAWS, 2))
    return drawn


def baseline(
    kind: Baseline,
    scores: ClassScores,
    selected: ClassSelection,
    maps: Maps,
    cell_px: int,
    places: Doubles,
) -> ClassSelection:
    """The same images in the same order, with another patch in place of each.

    It is as large as the chosen one, or the whole image, which may be no square. Its score is the
    mean of the map (see `combined_maps`) inside it; it has no margin. Several patches of one image
    lie at its further random places, which may overlap, and all of them at the one centre.
    """
    row_of = {image_id: row for row, image_id in enumerate(scores.ids)}
    rows = np.array([row_of[patch.image_id] for patch in selected.patches], np.int64)
    frames = [scores.frames[row] for row in rows]
    corners = places[rows, _turns(rows)]
    boxes = [
        _box(kind, frame, patch.box.width, *corner)
        for frame, patch, corner in zip(frames, selected.patches, corners.tolist(), strict=True)
    ]
    tables = joined([summed_area(one) for one in maps], [bucket.rows for bucket in scores.buckets])
    x, y, width, height = _corners_and_sides(boxes) / cell_px
    means = sums_inside(tables, rows, x, y, width, height) / (width * height)
    patches = tuple(
        replace(patch, box=box, source_box=frame.to_source(box), score=mean, margin=float("nan"))
        for patch, box, frame, mean in zip(
            selected.patches, boxes, frames, means.tolist(), strict=True
        )
    )
    return replace(selected, patches=patches)


def kept_score(selected: ClassSelection, ipc: int) -> float:
    """The mean score of the different patches that the first IPC images are made of; NaN for none.

    Of baselines it says how much of the gap they catch at the same budget.
    """
    scores = [selected.patches[place].score for place in sorted(selected.kept(ipc))]
    return float(np.mean(scores)) if scores else float("nan")


def truth_of(scores: ClassScores, objects: Mapping[str, Mask], names: Mapping[str, str]) -> Truth:
    """The objects of a class's images, by their names among `objects` (see `matched`)."""
    rows, corners, totals, tables = [], [], [], []
    for row, image_id in enumerate(scores.ids):
        mask = objects[names[image_id]] if image_id in names else np.zeros((0, 0), bool)
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(ys):
            inside = mask[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
            rows.append(row)
            corners.append((xs[0], ys[0]))
            totals.append(inside.sum())
            tables.append(summed_area(inside[None].astype(np.float32)).astype(np.int32))
    x, y = np.array(corners, float).reshape(-1, 2).T
    order = [np.array([place]) for place in range(len(rows))]
    return Truth(np.array(rows, np.int64), x, y, np.array(totals, float), joined(tables, order))


def find_objects(
    truth: Truth, scores: ClassScores, selected: ClassSelection, places: Doubles
) -> tuple[Found, ...]:
    """How the chosen patches find the objects, and how each baseline of the same size does.

    Of each image with an object its best patch counts, as in `check_selection`;
    of its random places all of them. Without such an image the figures are NaN.
    """
    row_of = {image_id: row for row, image_id in enumerate(scores.ids)}
    best = {row_of[patch.image_id]: patch for patch in best_patches(selected)}
    known = np.array([place for place, row in enumerate(truth.rows) if row in best], np.int64)
    rows = truth.rows[known].tolist()
    frames, patches = [scores.frames[row] for row in rows], [best[row] for row in rows]
    view = _corners_and_sides([frame.view for frame in frames])  # (4, M)
    chosen = _corners_and_sides([patch.source_box for patch in patches])
    middle = view[:2] + (view[2:] - chosen[2:]) / 2
    seen = np.array([(frame.proxy_width, frame.proxy_height) for frame in frames], float)
    free = seen.reshape(-1, 2).T - _corners_and_sides([patch.box for patch in patches])[2:]
    scale = view[2:] / seen.reshape(-1, 2).T  # (2, M): source pixels per proxy pixel
    drawn = np.floor(places[rows].transpose(1, 2, 0) * (free + 1))  # (DRAWS, 2, M)
    sides = np.broadcast_to(chosen[2:], drawn.shape)
    random = np.concatenate([view[:2] + drawn * scale, sides], axis=1).transpose(1, 0, 2)
    kinds = {
        "chosen": chosen,
        "random": random,  # (4, DRAWS, M)
        "centre": np.concatenate([middle, chosen[2:]]),
        "whole": view,
    }
    return tuple(_found(kind, truth, known, at) for kind, at in kinds.items())


def found_overall(classes: Sequence[Sequence[Found]]) -> tuple[Found, ...]:
    """The figures of several classes together, kind by kind; an image counts as much as another."""
    return tuple(_together(kind) for kind in zip(*classes, strict=True))


def _together(classes: Sequence[Found]) -> Found:
    images = sum(one.images for one in classes)
    known = [one for one in classes if one.images]
    shares = (
        sum(value * one.images for value, one in zip(values, known, strict=True)) / images
        if images
        else float("nan")
        for values in ([one.hit_rate for one in known], [one.coverage for one in known])
    )
    return Found(classes[0].kind, images, *shares)


def _found(kind: str, truth: Truth, known: NDArray[np.int64], boxes: Doubles) -> Found:
    """boxes: (4, M) or (4, draws, M), corner and sides in the source."""
    if not len(known):
        return Found(kind, 0, float("nan"), float("nan"))
    which = np.broadcast_to(known, boxes.shape[1:])
    x, y, width, height = boxes
    inside = sums_inside(truth.tables, which, x - truth.x[which], y - truth.y[which], width, height)
    total = truth.pixels[which]
    hit = hits(inside, total, width * height)
    return Found(kind, len(known), float(hit.mean()), float((inside / total).mean()))


def _box(kind: Baseline, frame: Frame, side: float, right: float, down: float) -> Box:
    """A box in the proxy; a random one lies on whole pixels, this share of the free way along."""
    width, height = frame.proxy_width, frame.proxy_height
    if kind == "whole":
        return Box(0.0, 0.0, float(width), float(height))
    if kind == "centre":
        return Box((width - side) / 2, (height - side) / 2, side, side)
    x, y = int(right * (width - side + 1)), int(down * (height - side + 1))
    return Box(float(x), float(y), side, side)


def _turns(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each row has come before: (5, 3, 5, 5) -> (0, 0, 1, 2)."""
    seen: dict[int, int] = {}
    turns = np.zeros(len(rows), np.int64)
    for place, row in enumerate(rows.tolist()):
        turns[place] = seen.get(row, 0)
        seen[row] = int(turns[place]) + 1
    return turns


def _corners_and_sides(boxes: Sequence[Box]) -> Doubles:
    """Boxes as (4, M)."""
    table = [(box.x, box.y, box.width, box.height) for box in boxes]
    return np.array(table, float).reshape(-1, 4).T
