"""COCO records and files, and runs of images that are only described."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dsel.runs.coco_masks import Mask
from dsel.runs.schema import ImageRow
from dsel.types import Box, Frame


def coco(*objects: tuple[str, tuple[int, int], dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A record of one annotation per (file name, (height, width), annotation), ids from 0."""
    images = [
        {"id": n, "file_name": name, "height": shape[0], "width": shape[1]}
        for n, (name, shape, _) in enumerate(objects)
    ]
    annotations = [{"id": n, "image_id": n} | one for n, (_, _, one) in enumerate(objects)]
    return {"images": images, "annotations": annotations, **more}


def written(folder: Path, record: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps(record))
    return path


def rectangle(shape: tuple[int, int], x: int, y: int, width: int, height: int) -> Mask:
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def row(image_id: str, shape: tuple[int, int], class_index: int = 0, **more: Any) -> ImageRow:
    """A scored image whose upright source has this height and width."""
    frame = Frame(shape[1], shape[0], Box(0, 0, shape[1], shape[0]), 128, 128)
    return ImageRow(image_id, class_index, 0, 0, 0, frame, "", **more)


def run_of(classes: Sequence[str], *rows: ImageRow) -> Any:
    """What `read_ground_truth` reads of a run."""
    return SimpleNamespace(images=rows, identity=SimpleNamespace(classes=tuple(classes)))
