"""True objects of images, read from COCO JSON, and the images that they belong to."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.data.images import MAX_PIXELS
from dsel.errors import SourceError, storage_errors
from dsel.runs.run import Run
from dsel.types import Frame

Mask: TypeAlias = NDArray[np.bool_]
"""Which pixels of an upright source image belong to its objects, (height, width)."""

FARTHEST: Final = 10
"""A polygon may leave its image by this many of its sides; pycocotools walks along every pixel."""


class Objects(Mapping[str, Mask]):
    """The objects of each image by file name, joined; a mask is drawn on access."""

    def __init__(self, record: Any) -> None:
        """Index a COCO record; an invalid one raises the exception that Python raises."""
        images = {image["id"]: image for image in record["images"]}
        self._shapes = {i["file_name"]: _shape(i) for i in images.values()}
        self._annotations: dict[str, list[Any]] = {name: [] for name in self._shapes}
        for annotation in record["annotations"]:
            self._annotations[images[annotation["image_id"]]["file_name"]].append(annotation)

    def __getitem__(self, name: str) -> Mask:
        mask = np.zeros(self._shapes[name], bool)
        for one in self.each(name):
            mask |= one
        return mask

    def each(self, name: str) -> Iterator[Mask]:
        """Draw the objects of one image one by one."""
        return (annotation_mask(one, self._shapes[name]) for one in self._annotations[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The true objects of a run: masks by file name, and the file name of each image."""

    masks: Mapping[str, Mask]
    names: Mapping[str, str]

    def mask(self, image_id: str) -> Mask | None:
        """Return the mask of an image, None without one."""
        return self.masks[self.names[image_id]] if image_id in self.names else None

    def each(self, image_id: str) -> Iterator[Mask]:
        """Draw the objects of an image one by one; joined where the masks are."""
        if image_id in self.names:
            name, masks = self.names[image_id], self.masks
            yield from masks.each(name) if isinstance(masks, Objects) else (masks[name],)


def read_ground_truth(run: Run, masks: Mapping[str, Mask]) -> GroundTruth:
    """Match masks by file name to the images of a run."""
    return GroundTruth(masks, match_names(masks, {row.id: row.row for row in run.images}))


def largest_shares(truth: GroundTruth, frames: Mapping[str, Frame]) -> NDArray[np.float64]:
    """Return the share of each image's view that its largest object covers, NaN without one: (N,).

    frames: of N images by their ids.
    """
    return np.array([
        max((_share_of_view(mask, frame) for mask in truth.each(image_id)), default=np.nan)
        for image_id, frame in frames.items()
    ])  # fmt: skip


def read_objects(path: Path) -> Objects:
    """Read the mask of each image by file name from COCO JSON: polygons, RLE or boxes, joined.

    Raises `SourceError` for a file that is not valid COCO JSON.
    """
    content = _content(path)
    try:
        objects = Objects(json.loads(content))
        for _ in objects.values():
            pass  # draws every mask, so that a bad annotation is reported now
    except (
        ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise SourceError(
            f"{path} is not COCO JSON with images and annotations: {type(error).__name__} {error}"
        ) from error
    return objects


def match_names(names: Collection[str], image_ids: Collection[str]) -> Mapping[str, str]:
    """Return the file name that belongs to each image id, for those that have one.

    An id matches the same file name. Otherwise the longest end of the id, cut at a slash, that
    occurs in exactly one file name and one id decides.
    """
    in_names = Counter(end for name in names for end in _ends(name))
    in_ids = Counter(end for image_id in image_ids for end in _ends(image_id))
    by_end = {end: name for name in names for end in _ends(name) if in_names[end] == 1}
    matched = {}
    for image_id in image_ids:
        unique = (end for end in _ends(image_id) if in_ids[end] == 1 and end in by_end)
        end = next(unique, None)
        if image_id in names:
            matched[image_id] = image_id
        elif end is not None:
            matched[image_id] = by_end[end]
    return matched


def annotation_mask(annotation: Mapping[str, Any], shape: tuple[int, ...]) -> Mask:
    """Draw one COCO annotation: its segmentation, or its box without one."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return _rle_mask(segmentation, shape)
    if segmentation:
        return _polygon_mask(segmentation, shape)
    return _box_mask(annotation["bbox"], shape)


def _share_of_view(mask: Mask, frame: Frame) -> float:
    """Return the share of the view, in whole pixels, that an object covers."""
    view = frame.view
    rows, columns = (
        slice(round(low), round(low + length))
        for low, length in ((view.y, view.height), (view.x, view.width))
    )
    return float(mask[rows, columns].mean())


def _box_mask(bbox: Sequence[float], shape: tuple[int, ...]) -> Mask:
    """Fill a box, which may reach beyond the image."""
    x, y, width, height = bbox
    rows, columns = (
        slice(max(0, round(low)), max(0, round(low + length)))
        for low, length in ((y, height), (x, width))
    )
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def _polygon_mask(polygons: Sequence[Sequence[float]], shape: tuple[int, ...]) -> Mask:
    """Fill polygons, flat lists of x and y."""
    from pycocotools import mask as coco_mask

    height, width = shape
    for polygon in polygons:
        _check_polygon(polygon, max(shape))
    runs = coco_mask.frPyObjects([[float(at) for at in one] for one in polygons], height, width)
    return np.asarray(coco_mask.decode(coco_mask.merge(runs)), bool)


def _check_polygon(polygon: Sequence[float], side: int) -> None:
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"a polygon has at least 3 pairs of x and y, got {len(polygon)} numbers")
    if not all(math.isfinite(at) and abs(at) <= (1 + FARTHEST) * side for at in polygon):
        raise ValueError("a polygon has corners far outside of its image")


def _rle_mask(rle: Mapping[str, Any], shape: tuple[int, ...]) -> Mask:
    """Decode run lengths, a list of counts or COCO's compressed string."""
    size, counts = rle.get("size", shape), rle["counts"]
    if tuple(size) != shape:
        raise ValueError(f"run lengths are of {size} pixels, but the image is {list(shape)}")
    if isinstance(counts, list):
        return _from_counts(counts, shape)
    return _from_compressed(counts, shape)


def _from_counts(counts: Sequence[int], shape: tuple[int, ...]) -> Mask:
    from pycocotools import mask as coco_mask

    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("run lengths must be whole numbers, at least 0")
    if sum(counts) != math.prod(shape):
        raise ValueError("run lengths do not add up to the image")
    runs = coco_mask.frPyObjects({"size": list(shape), "counts": counts}, *shape)
    return np.asarray(coco_mask.decode(runs), bool)


def _from_compressed(counts: str, shape: tuple[int, ...]) -> Mask:
    """Decode compressed run lengths; pixels after the last run are background."""
    pixels = math.prod(shape)
    if _decoded(counts, pixels) is None:
        raise ValueError("run lengths are damaged, or longer than the image")
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


def _shape(image: Mapping[str, Any]) -> tuple[int, int]:
    height, width = image["height"], image["width"]
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{image['file_name']} has {width} x {height} px, more than the "
            f"{MAX_PIXELS // 1_000_000} megapixels that dsel reads"
        )
    return height, width


def _ends(path: str) -> list[str]:
    """Return a path, the path without its first folder, and so on to the file name."""
    parts = PurePosixPath(path).parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _content(path: Path) -> bytes:
    with storage_errors(path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise SourceError(
                f"{path} is not a file: name the boxes.json next to the images"
            ) from error
