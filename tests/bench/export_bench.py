"""Compares the speed of exports with that of bare loops that encode the same images with Pillow.

    python tests/bench/export_bench.py
    python tests/bench/export_bench.py --photos PHOTOS --format folder,parquet --file-format jpeg

Composes mosaics of 2 x 2 tiles from the proxies of a run, 1,000 of 224 px by default, of drawn
pictures or of the first images of an image folder. Exports and loops take turns; every figure is
the median of the rounds. A bare loop holds the composed images in memory, encodes them, and writes
nothing: `loop` in one thread, `pool` in as many threads as the export has processors. The share of
processor time is the same comparison without what other programs take meanwhile: the seconds of
processors that the loop uses, as a share of the export's. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.synthetic import Drawn, draw, write_run

from dsel.config import ExportSettings, ScoreSettings, SelectSettings, SourceSettings
from dsel.data import open_dataset
from dsel.data.base import origin_of
from dsel.data.images import crop
from dsel.pipeline.export import compose_images, export_selections
from dsel.pipeline.select import select
from dsel.runs import Run
from dsel.types import Box, ClassSelection, Pixels

CLASSES = 5
PROXY_PX = 128


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        print(json.dumps(measured(options, work)))


def measured(options: argparse.Namespace, work: Path) -> dict[str, object]:
    each = -(-options.images // CLASSES)
    chosen = SelectSettings(
        ipc=each, factor=2, patch_px=48, cut="context", clusters=1, per_image=4,
        discriminative_share=1.0,
    )  # fmt: skip
    run = _run(options, work / "run", each)
    for _ in select(run, chosen):
        pass
    _, selections = run.read_selection()
    how = ExportSettings(
        format=options.format, image_px=options.px, file_format=options.file_format, pixels="proxy"
    )
    images = [one.pixels for one in compose_images(run, selections, chosen, how)]
    figures: dict[str, list[Cost]] = {"export": [], "loop": [], "pool": []}
    for number in range(options.rounds):
        figures["loop"].append(_timed(lambda: _loop(images, options.file_format)))
        out = work / f"out{number}"
        figures["export"].append(_timed(lambda: _export(run, selections, chosen, how, out)))  # noqa: B023
        figures["pool"].append(_timed(lambda: _pool(images, options.file_format)))
        shutil.rmtree(out)
    wall = {name: statistics.median(one.wall_s for one in all_) for name, all_ in figures.items()}
    used = {name: statistics.median(one.cpu_s for one in all_) for name, all_ in figures.items()}
    return {
        "images": len(images),
        "px": options.px,
        "format": options.format,
        "file_format": options.file_format,
        "pictures": "photos" if options.photos else "drawn",
        "processors": len(os.sched_getaffinity(0)),
        "per_second": {name: round(len(images) / one, 1) for name, one in wall.items()},
        "processor_ms": {name: round(1000 * one / len(images), 2) for name, one in used.items()},
        "share_of_loop": round(wall["loop"] / wall["export"], 3),
        "share_of_pool": round(wall["pool"] / wall["export"], 3),
        "share_of_processor_time": round(used["loop"] / used["export"], 3),
    }


def _run(options: argparse.Namespace, path: Path, each: int) -> Run:
    """A finished run whose classes have enough pictures for so many mosaics of four patches."""
    photos = _photos(options.photos, CLASSES * each) if options.photos else None

    def drawn(class_index: int, number: int) -> Drawn:
        picture, mask = draw(class_index, number, 0, (PROXY_PX, PROXY_PX))
        return (picture if photos is None else next(photos)), mask

    names = [f"class {index}" for index in range(CLASSES)]
    origin = origin_of(str(path / "gone"), SourceSettings())
    each_of = dict.fromkeys(names, each)
    return write_run(path, each_of, origin, drawn, shard_size=ScoreSettings().shard_size)


def _photos(folder: str, most: int) -> Iterator[Pixels]:
    """Pictures from all over a folder, as squares."""
    dataset = open_dataset(folder, SourceSettings())
    for at in np.linspace(0, len(dataset.refs) - 1, most).astype(int):
        pixels = dataset.read(dataset.refs[at])
        side = min(pixels.shape[:2])
        yield crop(pixels, Box(0, 0, side, side), PROXY_PX, PROXY_PX)


def _export(
    run: Run, selections: Sequence[ClassSelection], chosen: SelectSettings, how: ExportSettings,
    out: Path,
) -> None:  # fmt: skip
    for _ in export_selections(run, selections, chosen, out, how):
        pass


def _loop(images: Sequence[Pixels], file_format: str) -> None:
    for pixels in images:
        _encode(pixels, file_format)


def _pool(images: Sequence[Pixels], file_format: str) -> None:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(lambda pixels: _encode(pixels, file_format), images):
            pass


def _encode(pixels: Pixels, file_format: str) -> bytes:
    stream = io.BytesIO()
    options = {} if file_format == "png" else {"quality": 90}
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, and of all processors."""

    wall_s: float
    cpu_s: float


def _timed(call: Callable[[], None]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--px", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", default="folder")
    parser.add_argument("--file-format", default="png", choices=("png", "jpeg", "webp"))
    parser.add_argument("--photos", default="", help="image folder to take pictures from")
    parser.add_argument("--work", default=None, help="folder for the run and the exports")
    return parser.parse_args()


if __name__ == "__main__":
    main()
