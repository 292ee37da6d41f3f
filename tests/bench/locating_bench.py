"""Measures which timesteps and which map locate objects best, on runs that are scored already.

    dsel toybox SCENES --per-class 15 --seed 101
    dsel score SCENES --run RUN --timesteps 100 200 300 400 500 600 700 800
    python tests/bench/locating_bench.py RUN --boxes SCENES/boxes.json --count 3

Takes one run and its boxes, or several of each, with the same timesteps and draws. Prints one JSON
object: for every choice of `--count` of the timesteps, every mean over them and every map, the hit
rates of the best patch of each image by patch size, averaged over all images, and the evaluations
per image. The maps are those that `dsel select --locate` knows, and the positive gap plus some
multiple of the difference. A mean weighs each timestep by one over its loss (`equal`, what dsel
does), or all alike, so that a timestep counts by its loss (`loss`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# so that it also runs in a checkout that is not installed
sys.path.insert(0, str(Path(__file__).parents[2]))

from dsel.analysis.localization import ClassObjects, class_objects, is_hit
from dsel.core.box_search import largest_mean_boxes
from dsel.core.gap_maps import smoothed
from dsel.core.integral_image import sums_inside
from dsel.patches import ClassImages
from dsel.runs import Run, open_run
from dsel.runs.ground_truth import read_ground_truth

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scenes:
    """M images of one class and one shape that have an object.

    gap and difference: (M, T, h, w). losses: (T,) of their run.
    """

    objects: ClassObjects
    gap: Maps
    difference: Maps
    losses: Maps
    cell_px: int


def main() -> None:
    options = _options()
    runs = [open_run(path) for path in options.runs]
    timesteps, settings = runs[0].geometry.timesteps, runs[0].identity.settings
    classes = [
        one for run, boxes in zip(runs, options.boxes, strict=True) for one in _scenes(run, boxes)
    ]
    found = []
    for chosen in combinations(range(len(timesteps)), options.count):
        for weighting, times, smooth in product(
            ("equal", "loss"), options.difference, options.smooth
        ):
            maps = [located_by(one, chosen, weighting, times, smooth) for one in classes]
            rates = {
                str(side): round(float(np.concatenate(
                    [hits(one, each, side) for one, each in zip(classes, maps, strict=True)]
                ).mean()), 4)
                for side in options.sides
            }  # fmt: skip
            found.append({
                "timesteps": [timesteps[column] for column in chosen], "weighting": weighting,
                "difference": times, "smooth": smooth, "hit_rate": rates,
            })  # fmt: skip
    found.sort(key=lambda row: -sum(row["hit_rate"].values()))
    print(json.dumps({
        "images": sum(len(one.gap) for one in classes), "draws": settings.draws,
        "evaluations": 2 * settings.draws * options.count, "rows": found[: options.most],
    }, indent=1))  # fmt: skip


def located_by(
    scenes: Scenes, columns: Sequence[int], weighting: str, times: float, smooth: float
) -> Maps:
    """Return the mean over timesteps of the positive gap plus `times` the difference, (M, h, w)."""
    chosen = list(columns)
    maps = np.maximum(scenes.gap[:, chosen], 0.0) + times * scenes.difference[:, chosen]
    weights = 1.0 / scenes.losses[chosen] if weighting == "equal" else np.ones(len(chosen))
    mean = np.einsum("nthw,t->nhw", maps, (weights / weights.sum()).astype(np.float32))
    return smoothed(mean.astype(np.float32), smooth)


def hits(scenes: Scenes, maps: Maps, side_px: int) -> NDArray[np.bool_]:
    """Return whether the best box of each image hits its object, (M,)."""
    best = largest_mean_boxes(maps, scenes.cell_px, side_px, scenes.cell_px)
    sides = np.full(len(maps), float(side_px))
    boxes = np.stack([best.x[:, 0], best.y[:, 0], sides, sides], 1)
    objects = scenes.objects
    x, y, width, height = objects.frames.to_source(boxes).T
    corners = x - objects.x, y - objects.y
    inside = sums_inside(objects.tables, np.arange(len(maps)), *corners, width, height)
    return is_hit(inside, objects.pixels, width * height)


def _scenes(run: Run, boxes: Path) -> Iterator[Scenes]:
    truth = read_ground_truth(run, boxes)
    geometry = run.geometry
    for index in range(len(run.identity.classes)):
        scores = run.class_scores(index)
        for bucket in scores.buckets:
            ids = tuple(scores.ids[row] for row in bucket.rows.tolist())
            objects = class_objects(ClassImages(ids, scores.frames.take(bucket.rows)), truth)
            rows = [ids.index(one) for one in objects.ids]
            gap, difference = (
                np.asarray(maps, np.float32)[rows] for maps in (bucket.gap, bucket.difference)
            )
            yield Scenes(objects, gap, difference, geometry.losses, geometry.cell_px)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="scored runs")
    parser.add_argument("--boxes", type=Path, nargs="+", required=True, help="a COCO file per run")
    parser.add_argument("--count", type=int, default=3, help="timesteps to locate by")
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64], help="of patches, in px")
    parser.add_argument("--difference", type=float, nargs="+", default=[0, 1, 2])
    parser.add_argument("--smooth", type=float, nargs="+", default=[0, 1])
    parser.add_argument("--most", type=int, default=20, help="rows to print, best first")
    return parser.parse_args()


if __name__ == "__main__":
    main()
