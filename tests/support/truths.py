"""The true boxes of the synthetic runs, as COCO JSON beside their run.json."""

from __future__ import annotations

import json

import numpy as np

from dsel.runs import Run
from support.synthetic import MIXED, Size, draw


def write_boxes(run: Run, sizes: tuple[Size, ...] = MIXED) -> None:
    """The box around the drawn thing of each image of a `synthetic_run` of these sizes."""
    images, annotations = [], []
    for number, row in enumerate(run.images):
        place = int(row.id[-6:])
        _, mask = draw(row.class_index, place, 0, sizes[place % len(sizes)])
        height, width = mask.shape
        ys, xs = np.nonzero(mask)
        box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        images.append({"id": number, "file_name": row.id, "width": width, "height": height})
        annotations.append({"image_id": number, "bbox": [int(side) for side in box]})
    run.objects_path.write_text(json.dumps({"images": images, "annotations": annotations}))
