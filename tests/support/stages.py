"""All stages of a run of toy pictures, and what they stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dsel.config import ExportSettings, ScoreSettings
from dsel.core.gap_maps import image_bucket
from dsel.pipeline.export import export
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import open_run
from dsel.runs.shards import KINDS
from dsel.types import Done, Event
from support.toyset import (
    QUICK,
    SMALL,
    dataset_of,
    toy_prior,
)

CLASSES = {"cat": 4, "dog": 3}


CASCADE = QUICK.replace(draws=6, refine=0.4)


def all_stages(source: Path, folder: Path, settings: ScoreSettings = QUICK) -> Iterator[Event]:
    """Score, select and export, as `dsel distill` does."""
    dataset = dataset_of(source)
    yield from score(dataset, toy_prior(dataset.classes), folder / "run", settings)
    run = open_run(folder / "run")
    yield from select(run, SMALL)
    yield from export(run, folder, ExportSettings(image_px=20), also_ours=("run",))


def gaps(run_path: Path) -> dict[str, tuple[bytes, ...]]:
    """All stored tensors of each image, by its id without the class folder's place in the run."""
    run = open_run(run_path)
    found = {}
    for index in range(len(run.identity.classes)):
        scores = run.class_scores(index)
        for row, image_id in enumerate(scores.ids):
            maps = image_bucket(scores, row)
            tensors = (*(getattr(maps, kind) for kind in KINDS), scores.features[row])
            found[image_id] = tuple(tensor.tobytes() for tensor in tensors)
    return found


def figures_of(events: list[Event]) -> dict[str, float]:
    return dict(next(event.figures for event in events if isinstance(event, Done)))
