"""The toybox as a dataset, and as a folder of files with boxes and masks."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.contents import Structure
from dsel.data import toybox
from dsel.data.base import origin_of, restrict
from dsel.data.images import encode
from dsel.errors import SourceError, StorageError, UnreadableImage, storage_errors
from dsel.files import PARTIAL, remove_partial_files, write_atomically
from dsel.locks import LOCK, locked
from dsel.types import Done, Event, ImageRef, Pixels, Progress, Started

RENDERER_VERSION: Final = 1
"""Part of the fingerprint; to be raised when the pixels of any scene change."""

PER_CLASS: Final = 100
BOXES_FILE: Final = "boxes.json"
_JOURNAL: Final = ".boxes.jsonl"  # the content of boxes.json to be, one finished scene a line
_SCENES_PER_WORKER: Final = 24  # starting a process takes about as long as rendering this many

_Line: TypeAlias = dict[str, Any]  # a line of the journal: one scene as JSON


@dataclass(frozen=True)
class ToyboxScenes:
    """Scenes that are rendered when read; their ids are those of a written toybox."""

    settings: SourceSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """The chosen classes, in the toybox's order."""
        return restrict(toybox.CLASSES, self.settings.classes)

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """Each class has one name."""
        return tuple((name,) for name in self.classes)

    @property
    def structure(self) -> Structure:
        """The scenes have no folders."""
        return Structure()

    @property
    def per_class(self) -> int:
        """The number of scenes of each class."""
        return self.settings.per_class or PER_CLASS

    @property
    def fingerprint(self) -> str:
        """A name of the content."""
        parts = (RENDERER_VERSION, self.settings.scene_seed, self.per_class, list(self.classes))
        return fingerprint("toybox", *parts)

    @property
    def origin(self) -> Mapping[str, str | int | Sequence[str]]:
        """How to open the same dataset again."""
        return origin_of("toybox", self.settings)

    @cached_property
    def refs(self) -> Sequence[ImageRef]:
        """All scenes, class by class."""
        return [
            ImageRef(scene_name(name, number), index)
            for index, name in enumerate(self.classes)
            for number in range(self.per_class)
        ]

    def read(self, ref: ImageRef) -> Pixels:
        """Render one scene."""
        return self.scene(ref).pixels

    def orientation(self, ref: ImageRef) -> int:  # noqa: ARG002  (the same for all)
        """Return 1: scenes are rendered upright."""
        return 1

    def scene(self, ref: ImageRef) -> toybox.Scene:
        """Render one scene with its mask and box, the ground truth of localization."""
        name, _, stem = ref.id.partition("/")
        number = stem.removeprefix(f"{name}_").removesuffix(".png")
        if name not in toybox.CLASSES or not (number.isascii() and number.isdigit()):
            raise UnreadableImage("is not a scene of the toybox")
        # The index in the toybox, not in the subset: choosing classes changes no scene.
        return toybox.render_scene(
            self.settings.scene_seed, toybox.CLASSES.index(name), int(number)
        )


def scene_name(class_name: str, number: int) -> str:
    """Return the id of a scene, which is also its path in a written toybox."""
    return f"{class_name}/{class_name}_{number:05d}.png"


def open_toybox(_source: Path, settings: SourceSettings) -> ToyboxScenes:
    """Open the built-in scenes."""
    if settings.split:
        raise SourceError(f"toybox has no splits: omit --split, got {settings.split!r}")
    scenes = ToyboxScenes(settings)
    restrict(toybox.CLASSES, settings.classes)  # refuses an unknown class early
    return scenes


@dataclass(frozen=True, slots=True)
class _Task:
    """One scene to write."""

    seed: int
    class_index: int
    number: int

    @property
    def path(self) -> str:
        return scene_name(toybox.CLASSES[self.class_index], self.number)


def write_toybox(out: Path, per_class: int = PER_CLASS, seed: int = 0) -> Iterator[Event]:
    """Write OUT/CLASS/CLASS_00000.png, and boxes and masks in COCO format to OUT/boxes.json.

    Existing scenes are kept; a folder with other files raises `StorageError`. Files are complete or
    absent, and have the same bytes for any number of processes.
    """
    yield from locked(out, _write_toybox(out, per_class, seed))


def _write_toybox(out: Path, per_class: int, seed: int) -> Iterator[Event]:
    tasks = [_Task(seed, c, n) for c in range(len(toybox.CLASSES)) for n in range(per_class)]
    stamp = {"seed": seed, "renderer": RENDERER_VERSION}
    with storage_errors(out):
        known = _known(out, stamp)
        _refuse_foreign_files(out, tasks, is_ours=known is not None)
        truth = dict(known or {})
        todo = [task for task in tasks if task.path not in truth or not (out / task.path).exists()]
        yield Started("toybox", len(tasks), "images", len(tasks) - len(todo))
        _prepare(out, stamp, truth.values())
        with (out / _JOURNAL).open("a", encoding="utf-8") as journal:
            for line in _written(out, todo):
                truth[line["file_name"]] = line
                journal.write(json.dumps(line) + "\n")
                journal.flush()
                yield Progress()
        write_atomically(out / BOXES_FILE, _coco(stamp, [truth[task.path] for task in tasks]))
        (out / _JOURNAL).unlink()
    yield Done("toybox", {"images": len(tasks), "written": len(todo), "folder": str(out)})


def _known(out: Path, stamp: Mapping[str, int]) -> dict[str, _Line] | None:
    """Return the lines that earlier calls wrote, by file name; None without an earlier call."""
    journal, boxes = out / _JOURNAL, out / BOXES_FILE
    try:
        if journal.is_file():
            # The last line is cut off if the earlier call was killed during the write.
            complete = journal.read_text("utf-8").rpartition("\n")[0].splitlines()
            found, *lines = [json.loads(line) for line in complete]
        elif boxes.is_file():
            found, lines = _lines_of(json.loads(boxes.read_text("utf-8")))
        else:
            return None
        known = {line["file_name"]: line for line in lines}
    except (ValueError, LookupError, TypeError) as error:
        raise StorageError(
            f"{out} has boxes that are not the toybox's: choose an empty folder"
        ) from error
    if found != stamp:
        raise StorageError(
            f"{out} has toybox scenes made with {found}, not with {dict(stamp)}: choose an empty "
            "folder, or the same seed"
        )
    return known


def _refuse_foreign_files(out: Path, tasks: Iterable[_Task], is_ours: bool) -> None:
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out} is a file: choose a folder")
    expected = {out / name for name in (_JOURNAL, BOXES_FILE)}
    expected |= {out / task.path for task in tasks}
    allowed = {out / LOCK} | (expected if is_ours else set())
    for path in out.rglob("*"):
        if is_ours and path.match(f".*{PARTIAL}"):
            continue  # left by an interrupted call, and removed by this one
        if path not in allowed and not (path.is_dir() and path.name in toybox.CLASSES):
            raise StorageError(
                f"{out} holds other files, such as {path.relative_to(out)}: choose an empty folder"
            )


def _prepare(out: Path, stamp: Mapping[str, int], known: Iterable[_Line]) -> None:
    """Create the folders, and start the journal with the scenes written earlier."""
    out.mkdir(parents=True, exist_ok=True)
    remove_partial_files(out)
    lines = [json.dumps(line) + "\n" for line in (stamp, *known)]
    write_atomically(out / _JOURNAL, "".join(lines).encode())
    for name in toybox.CLASSES:
        (out / name).mkdir(exist_ok=True)


def _written(out: Path, tasks: Sequence[_Task]) -> Iterator[_Line]:
    """Write scenes, in several processes if there are many, and yield their lines in order."""
    write = partial(_write_scene, out)
    workers = min(os.cpu_count() or 1, len(tasks) // _SCENES_PER_WORKER)
    if workers < 2:
        yield from map(write, tasks)
        return
    # Forking a process with threads of torch can deadlock, so workers are spawned.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(write, tasks, chunksize=8)


def _write_scene(out: Path, task: _Task) -> _Line:
    scene = toybox.render_scene(task.seed, task.class_index, task.number)
    write_atomically(out / task.path, encode(scene.pixels, "png"))
    return {
        "file_name": task.path,
        "width": scene.pixels.shape[1],
        "height": scene.pixels.shape[0],
        "category_id": task.class_index + 1,
        "bbox": list(scene.box),
        "area": int(scene.mask.sum()),
        "segmentation": {"counts": run_lengths(scene.mask), "size": list(scene.mask.shape)},
    }


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask (H, W) as COCO does: run lengths down the columns, zeros first."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate([[0], changes, [flat.size]])
    lengths: list[int] = np.diff(ends).tolist()
    return [0, *lengths] if flat[0] else lengths


_IMAGE_KEYS = ("file_name", "width", "height")
_BOX_KEYS = ("category_id", "bbox", "area", "segmentation")


def _coco(stamp: Mapping[str, int], lines: Sequence[_Line]) -> bytes:
    record = {
        "info": {"description": "toybox scenes rendered by dsel", **stamp},
        "images": [
            {"id": number} | {key: line[key] for key in _IMAGE_KEYS}
            for number, line in enumerate(lines, 1)
        ],
        "annotations": [
            {"id": number, "image_id": number, "iscrowd": 0} | {key: line[key] for key in _BOX_KEYS}
            for number, line in enumerate(lines, 1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(toybox.CLASSES, 1)],
    }
    return json.dumps(record).encode()


def _lines_of(record: Any) -> tuple[dict[str, int], list[_Line]]:
    """Undo `_coco`."""
    stamp = {key: record["info"][key] for key in ("seed", "renderer")}
    pairs = zip(record["images"], record["annotations"], strict=True)
    return stamp, [
        {key: image[key] for key in _IMAGE_KEYS} | {key: box[key] for key in _BOX_KEYS}
        for image, box in pairs
    ]
