"""How well chosen patches find the true objects: against masks or boxes in COCO format."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsel.core.integral_image import box_means, summed_area
from dsel.errors import SourceError, storage_errors
from dsel.runs import Run
from dsel.types import Box, ClassSelection, Frame, Patch

SMALL_SHARE = 0.5
"""A hit holds this share of an object that is smaller than the patch, ..."""
LARGE_SHARE = 0.6
"""... or lies with this share of itself inside an object that is larger."""

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """How patches of one size lie on one object, averaged over their places."""

    hit_rate: float
    coverage: float


class Objects(Mapping[str, Mask]):
    """The true object of each image by file name; a mask is drawn when it is asked for."""

    def __init__(self, record: Any) -> None:
        """Read a COCO record; raises what Python raises for one that is none."""
        images = {image["id"]: image for image in record["images"]}
        self._shapes = {i["file_name"]: (i["height"], i["width"]) for i in images.values()}
        self._annotations: dict[str, list[Any]] = {name: [] for name in self._shapes}
        for annotation in record["annotations"]:
            self._annotations[images[annotation["image_id"]]["file_name"]].append(annotation)

    def __getitem__(self, name: str) -> Mask:
        mask = np.zeros(self._shapes[name], bool)
        for annotation in self._annotations[name]:
            mask |= _annotation_mask(annotation, mask.shape)
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)


def read_objects(path: Path) -> Mapping[str, Mask]:
    """The true object of each image by file name, (height, width): its masks, or its boxes, joined.

    Raises `SourceError` for a file that is not COCO JSON with uncompressed masks or boxes.
    """
    content = _content(path)
    try:
        objects = Objects(json.loads(content))
        for _ in objects.values():
            pass  # each can be drawn
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SourceError(
            f"{path} is not COCO JSON with images and annotations: {type(error).__name__} {error}"
        ) from error
    return objects


def check_selection(
    run: Run, selections: Sequence[ClassSelection], objects: Mapping[str, Mask]
) -> dict[str, float | int]:
    """Hit rates and coverage of the best patch of every image that has a known object.

    The random patch stands for all places of the same size, averaged exactly; the centre patch lies
    in the middle of what the prior saw. coverage is the share of the object inside the patch.
    """
    frames = {row.id: row.frame for row in run.images}
    names = matched(objects, frames)
    findings: list[tuple[Finding, Finding, Finding]] = []
    for selected in selections:
        for patch in best_patches(selected):
            frame = frames[patch.image_id]
            if patch.image_id in names and frame is not None:
                mask = objects[names[patch.image_id]]
                if mask.any():
                    findings.append(_compare(mask, frame, patch.source_box))
    if not findings:
        raise SourceError(
            "none of the run's images is among the boxes' file names: are they of the same data?"
        )
    return _figures(findings)


def patch_finding(
    mask: Mask, xs: NDArray[np.float64], ys: NDArray[np.float64], box: Box
) -> Finding:
    """Average over patches of the box's size with corners at all pairs of `xs` and `ys`."""
    area = box.width * box.height
    table = summed_area(mask[None].astype(np.float64))
    inside = box_means(table, xs, ys, box.width, box.height)[0] * area  # object pixels, (Y, X)
    total = int(mask.sum())
    return Finding(float(hits(inside, total, area).mean()), float(inside.mean() / total))


def hits(inside: Doubles, total: Doubles | float, area: Doubles | float) -> NDArray[np.bool_]:
    """Whether patches of this area, with so many pixels of an object of `total` inside, hit it."""
    small: NDArray[np.bool_] = inside >= SMALL_SHARE * total
    return small | ((total > area) & (inside >= LARGE_SHARE * area))


def best_patches(selected: ClassSelection) -> list[Patch]:
    """The patch with the highest score of every image."""
    best = {}
    for patch in sorted(selected.patches, key=lambda patch: patch.score):
        best[patch.image_id] = patch  # the highest score of an image comes last, and stays
    return list(best.values())


def matched(names: Collection[str], image_ids: Collection[str]) -> Mapping[str, str]:
    """The object of each image that has one: of its id, or of an end of it that is unique.

    That is the longest end, cut at a slash, that names one object and one of the images.
    """
    named = Counter(end for name in names for end in _ends(name))
    asked = Counter(end for image_id in image_ids for end in _ends(image_id))
    by_end = {end: name for name in names for end in _ends(name) if named[end] == 1}
    found = {}
    for image_id in image_ids:
        unique = (end for end in _ends(image_id) if asked[end] == 1 and end in by_end)
        end = next(unique, None)
        if image_id in names:
            found[image_id] = image_id
        elif end is not None:
            found[image_id] = by_end[end]
    return found


def _compare(mask: Mask, frame: Frame, box: Box) -> tuple[Finding, Finding, Finding]:
    """The chosen, the random and the centre patch, in pixels of the upright source."""
    view = frame.view
    chosen = patch_finding(mask, np.array([box.x]), np.array([box.y]), box)
    xs = np.arange(view.x, view.x + view.width - box.width + 1e-6)
    ys = np.arange(view.y, view.y + view.height - box.height + 1e-6)
    random = patch_finding(mask, xs, ys, box)
    middle_x = np.array([view.x + (view.width - box.width) / 2])
    middle_y = np.array([view.y + (view.height - box.height) / 2])
    return chosen, random, patch_finding(mask, middle_x, middle_y, box)


def _figures(findings: Sequence[tuple[Finding, Finding, Finding]]) -> dict[str, float | int]:
    chosen, random, centre = zip(*findings, strict=True)
    figures: dict[str, float | int] = {"images": len(findings)}
    for name, found in (("", chosen), ("_random", random), ("_centre", centre)):
        figures[f"hit_rate{name}"] = float(np.mean([finding.hit_rate for finding in found]))
        figures[f"coverage{name}"] = float(np.mean([finding.coverage for finding in found]))
    return figures


def _ends(path: str) -> list[str]:
    """A path, then the path without its first folder, and so on to the file's name."""
    parts = PurePosixPath(path).parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _content(path: Path) -> bytes:
    with storage_errors(path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise SourceError(
                f"{path} is no file: give the boxes.json beside the images"
            ) from error


def _annotation_mask(annotation: Mapping[str, Any], shape: tuple[int, ...]) -> Mask:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), list):
        return _from_run_lengths(segmentation["counts"], shape)
    x, y, width, height = annotation["bbox"]
    rows, columns = (  # a box may reach beyond the picture
        slice(max(0, round(low)), max(0, round(low + length)))
        for low, length in ((y, height), (x, width))
    )
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def _from_run_lengths(counts: Sequence[int], shape: tuple[int, ...]) -> Mask:
    """Undo COCO's run lengths, which go down the columns and begin with zeros."""
    if sum(counts) != shape[0] * shape[1]:
        raise ValueError("run lengths do not add up to the picture")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape, order="F")
