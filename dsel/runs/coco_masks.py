"""Masks of COCO's annotations: boxes, polygons and run lengths, drawn at any size."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.errors import SourceError
from dsel.runs.coco import Annotation, short

Mask: TypeAlias = NDArray[np.bool_]
"""Which pixels of an image belong to an object, (height, width)."""

Shape: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

FARTHEST: Final = 10
"""An object may leave its image by this many of its sides; pycocotools walks along every pixel."""

LONGEST: Final = 2_000_000
"""Pixels along the outline of an object: pycocotools takes 40 bytes for each, and crashes without.

A file of strangers could have an outline that crosses its image millions of times.
"""

OUTLINE_PX: Final = 20

REACH: Final = 0.02
"""An object that leaves its image by more than this share of a side is cut with a note."""


def annotation_mask(annotation: Annotation, shape: Shape, drawn: Shape | None = None) -> Mask:
    """Draw an annotation: its segmentation, or its box without one.

    shape: of the image that the annotation speaks of. drawn: that of the mask, if it is another.
    Raises `SourceError` for an annotation that does not describe a part of its image.
    """
    drawn = drawn or shape
    outline = _outline(annotation)
    if isinstance(outline, dict):
        return _resized(_rle_mask(outline, shape), drawn)
    if outline is not None:
        return _polygon_mask(outline, shape, drawn)
    return _box_mask(annotation.get("bbox"), shape, drawn)


def reaches_beyond(annotation: Annotation, shape: Shape) -> bool:
    """Return whether a valid annotation extends visibly beyond its image."""
    outline = _outline(annotation)
    if isinstance(outline, dict):
        return False
    if outline is not None:
        xs, ys = np.concatenate([_corners(polygon) for polygon in outline]).T
    else:
        x, y, width, height = annotation["bbox"]
        xs, ys = np.array([x, x + width]), np.array([y, y + height])
    height_px, width_px = shape
    return any(
        at.min() < -slack or at.max() > side + slack
        for at, side in ((xs, width_px), (ys, height_px))
        for slack in [max(1.0, REACH * side)]
    )


def drawing_px(annotation: Annotation, shape: Shape, drawn: Shape) -> float:
    """Return the work of drawing an annotation, valid or not, in pixels that are set.

    A pixel along the outline of a polygon takes as long as `OUTLINE_PX` of the mask.
    """
    work, outline = float(max(math.prod(shape), math.prod(drawn))), _outline(annotation)
    scale = max(part / whole for part, whole in zip(drawn, shape, strict=True))
    for polygon in outline if isinstance(outline, list) else ():
        if isinstance(polygon, list) and _are_numbers(polygon, len(polygon) // 2 * 2):
            corners = np.array(polygon, float).reshape(-1, 2)
            steps = np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1, initial=0.0)
            work += OUTLINE_PX * scale * float(steps.sum())
    return work


def _outline(annotation: Annotation) -> Any:
    """Return the segmentation; None without one, which some tools write as [] or [[]]."""
    segmentation = annotation.get("segmentation")
    return None if segmentation == [[]] else segmentation or None


def _box_mask(bbox: Any, shape: Shape, drawn: Shape) -> Mask:
    """Fill a box, cut off where it reaches beyond the image."""
    if not _are_numbers(bbox, 4):
        raise SourceError(f"bbox must be x, y, width and height in pixels, got {short(bbox)}")
    x, y, width, height = bbox
    if width < 0 or height < 0:
        raise SourceError(f"bbox must have a width and a height of at least 0, got {short(bbox)}")
    if width == 0 or height == 0:
        return np.zeros(drawn, bool)
    _check_unit("bbox", bbox, shape)
    _check_place("bbox", [x, x + width], [y, y + height], shape, bbox)
    mask = np.zeros(drawn, bool)
    mask[
        _span(y, height, shape[0], drawn[0]),
        _span(x, width, shape[1], drawn[1]),
    ] = True
    return mask


def _span(low: float, length: float, side: int, drawn: int) -> slice:
    """Return the pixels of one side of a box, one at least."""
    scale = drawn / side
    first, last = round(low * scale), round((low + length) * scale)
    if first == last:
        first = math.floor((low + length / 2) * scale)
        last = first + 1
    return slice(max(0, first), max(0, last))


def _polygon_mask(polygons: Any, shape: Shape, drawn: Shape) -> Mask:
    """Fill polygons, flat lists of x and y."""
    from pycocotools import mask as coco_mask

    if not isinstance(polygons, list):
        raise SourceError(f"segmentation must be polygons or run lengths, got {short(polygons)}")
    scale = drawn[1] / shape[1], drawn[0] / shape[0]
    scaled, length = [], 0.0
    for polygon in polygons:
        corners = _corners(polygon)
        _check_unit("segmentation", polygon, shape)
        _check_place("segmentation", corners[:, 0].tolist(), corners[:, 1].tolist(), shape, polygon)
        scaled.append((corners * scale).ravel().tolist())
        steps = np.diff(corners * scale, axis=0, append=corners[:1] * scale)
        length += float(np.abs(steps).max(axis=1).sum())
        if length > LONGEST:
            raise SourceError(
                f"the outline of an object must be at most {LONGEST:,} px long, got {length:,.0f} "
                f"px in {short(polygon)}"
            )
    runs = coco_mask.frPyObjects(scaled, *drawn)
    return np.asarray(coco_mask.decode(coco_mask.merge(runs)), bool)


def _corners(polygon: Any) -> NDArray[np.float64]:
    """Return the corners (V, 2) of a polygon."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise SourceError(
            "each polygon of a segmentation must be a list of at least 3 pairs of x and y, got "
            f"{short(polygon)}"
        )
    if not _are_numbers(polygon, len(polygon)):
        raise SourceError(f"polygons must have finite numbers, got {short(polygon)}")
    return np.array(polygon, float).reshape(-1, 2)


def _check_unit(name: str, values: Sequence[float], shape: Shape) -> None:
    """Raise `SourceError` for an outline in shares of its image: within one pixel of it."""
    if max(map(abs, values)) <= 1 < max(shape):
        raise SourceError(
            f"{name} must be in pixels, and {short(values)} seems to be in shares of its image: "
            "multiply x by the width and y by the height"
        )


def _check_place(
    name: str, xs: Sequence[float], ys: Sequence[float], shape: Shape, given: Any
) -> None:
    """Raise `SourceError` for an outline that is not in its image."""
    height, width = shape
    for values, side in ((xs, width), (ys, height)):
        low, high = min(values), max(values)
        if high <= 0 or low >= side:
            where = "is outside of"
        elif low < -FARTHEST * side or high > (1 + FARTHEST) * side:
            where = "extends far beyond"
        else:
            continue
        raise SourceError(f"{name} {short(given)} {where} its image of {width} x {height} px")


def _are_numbers(values: Any, count: int) -> bool:
    """Return whether this is a list of so many finite numbers."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) in (int, float) for value in values)
        and all(abs(value) < _INFINITE for value in values)  # False for NaN
    )


_INFINITE: Final = 1e15
"""No coordinate is as large; whole numbers above 1e308 are not even floats."""


def _rle_mask(rle: Mapping[str, Any], shape: Shape) -> Mask:
    """Decode run lengths, a list of counts or COCO's compressed string."""
    counts, size = rle.get("counts"), rle.get("size", list(shape))
    if size != list(shape):
        raise SourceError(f"run lengths are of {short(size)} px, but the image of {list(shape)}")
    if isinstance(counts, list):
        return _from_counts(counts, shape)
    if isinstance(counts, str):
        return _from_compressed(counts, shape)
    raise SourceError(f"run lengths must have counts, got {short(counts)}")


def _from_counts(counts: Sequence[Any], shape: Shape) -> Mask:
    if not all(type(count) is int and count >= 0 for count in counts):
        raise SourceError(f"run lengths must be whole numbers from 0, got {short(counts)}")
    if sum(counts) != math.prod(shape):
        raise SourceError(
            f"run lengths add up to {short(sum(counts))} px, but the image has {math.prod(shape)}"
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape, order="F")


def _from_compressed(counts: str, shape: Shape) -> Mask:
    """Decode compressed run lengths; pixels after the last run are background."""
    pixels = math.prod(shape)
    if _decoded(counts, pixels) is None:
        raise SourceError(f"run lengths {short(counts)} are damaged, or longer than the image")
    length, mask = pixels, np.zeros(pixels, bool)
    if _decoded(counts, max(pixels - 1, 0)) is not None:
        # pycocotools leaves the pixels after the last run undefined, so these are not read.
        length = bisect_left(range(pixels), True, key=lambda n: _decoded(counts, n) is not None)
    mask[:length] = _decoded(counts, length)
    return mask.reshape(shape, order="F")


def _decoded(counts: str, pixels: int) -> NDArray[np.uint8] | None:
    """Decode into one column of that many pixels; None if the runs are longer."""
    from pycocotools import mask as coco_mask

    try:
        column: NDArray[np.uint8] = coco_mask.decode({"size": [pixels, 1], "counts": counts})
    except ValueError:
        return None
    return column.ravel()


def _resized(mask: Mask, shape: Shape) -> Mask:
    """Sample a mask at the centres of the pixels of another size."""
    if mask.shape == shape:
        return mask
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(shape, mask.shape, strict=True)
    )
    return np.asarray(mask[rows[:, None], columns], bool)
