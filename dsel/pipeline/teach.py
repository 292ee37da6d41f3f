"""Train a teacher on a whole dataset: a generator of events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dsel import __version__
from dsel.config import TeachSettings
from dsel.config.base import fingerprint, result_settings
from dsel.data.images import to_proxy
from dsel.errors import (
    RunError,
    SettingError,
    SourceError,
    StorageError,
    UnreadableImage,
    storage_errors,
)
from dsel.files import json_bytes, read_json, write_atomically
from dsel.locks import LOCK, locked
from dsel.pipeline.held_out import match_classes
from dsel.priors.weights import WORK
from dsel.runs.evaluations import HeldOutSource
from dsel.students.records import LabelledImages
from dsel.students.sides import check_side
from dsel.students.teacher_file import CONFIG, TeacherConfig, read_config, write_config
from dsel.types import Dataset, Done, Event, ImageRef, Pixels, Progress, Skipped, Started

READERS: Final = 2
HELD_OUT: Final = "held-out share"


@dataclass(frozen=True, slots=True)
class _Tested:
    """The images that a teacher is tested on, and the index of each of their classes in its own."""

    dataset: Dataset
    refs: Sequence[ImageRef]
    class_of: Sequence[int]
    name: str


def teach(
    dataset: Dataset, settings: TeachSettings, out: Path, validation: Dataset | None = None
) -> Iterator[Event]:
    """Train a classifier on all images of a dataset, test it, and save it to the folder `out`.

    It is tested on `validation`, or else on the share of the dataset that is held out. The same
    call again resumes. Raises `StorageError` if `out` has other files or another process trains
    there, `RunError` if it was trained with other settings or images, and `SettingError` for a
    validation of other classes.
    """
    yield from locked(out, _teach(dataset, settings, out, validation))


def _teach(
    dataset: Dataset, settings: TeachSettings, out: Path, validation: Dataset | None
) -> Iterator[Event]:
    check_side(settings.student, settings.image_px)  # before the folder is claimed
    trained, tested = _parts(dataset, settings, validation)
    other = "" if validation is None else validation.fingerprint
    names = [list(of_class) for of_class in dataset.names]
    identity = fingerprint(settings, dataset.fingerprint, other, names)
    claim(out, identity)
    if not (out / CONFIG).is_file():
        yield from _train(dataset, settings, out, identity, trained, tested)
    config = read_config(out)
    figures: dict[str, float | int | str] = {"images": config.images}
    if config.accuracy is not None:
        figures["accuracy"] = config.accuracy
    yield Done("teach", figures | {"folder": str(out)})


def held_out_refs(
    refs: Sequence[ImageRef], share: float, seed: int
) -> tuple[list[ImageRef], list[ImageRef]]:
    """Split images into those to train on and those to test on: a random share of each class.

    A class of two or more images has at least one of each, unless the share is 0.
    """
    of_class: dict[int, list[int]] = {}
    for row, ref in enumerate(refs):
        of_class.setdefault(ref.class_index, []).append(row)
    tested: set[int] = set()
    for index, rows in of_class.items():
        count = min(max(round(share * len(rows)), 1), len(rows) - 1) if share else 0
        order = np.random.default_rng([seed, index]).permutation(len(rows))
        tested |= {rows[at] for at in order[:count]}
    parts: tuple[list[ImageRef], list[ImageRef]] = ([], [])
    for row, ref in enumerate(refs):
        parts[row in tested].append(ref)
    return parts


def claim(out: Path, identity: str) -> None:
    """Mark a folder as this training's, which a later call with the same identity resumes."""
    stamp = out / WORK / "identity.json"
    with storage_errors(out):
        foreign = out.exists() and (
            not out.is_dir() or any(path.name != LOCK for path in out.iterdir())
        )
    if foreign and not stamp.is_file():
        raise StorageError(
            f"{out} holds other files: choose an empty or new folder for the teacher", path=str(out)
        )
    if stamp.is_file() and read_json(stamp) != identity:
        raise RunError(
            f"{out} was trained with other settings or images: use the same ones, or another --out",
            path=str(out),
        )
    write_atomically(stamp, json_bytes(identity))


def read_images(
    dataset: Dataset, refs: Sequence[ImageRef], image_px: int
) -> Generator[Event, None, LabelledImages]:
    """Read images, the centre square of each resized to `image_px`; returns them.

    Images that cannot be read are skipped.
    """

    def read(ref: ImageRef) -> Pixels | str:
        try:
            return to_proxy(dataset.read(ref), image_px, "crop", 0).pixels
        except UnreadableImage as reason:
            return str(reason)

    images = np.empty((len(refs), image_px, image_px, 3), np.uint8)
    labels: list[int] = []
    with ThreadPoolExecutor(READERS) as pool:
        for ref, found in zip(refs, pool.map(read, refs), strict=True):
            if isinstance(found, str):
                yield Skipped(ref, found)
            else:
                images[len(labels)] = found
                labels.append(ref.class_index)
            yield Progress()
    return LabelledImages(images[: len(labels)], np.array(labels, np.int64))


def _parts(
    dataset: Dataset, settings: TeachSettings, validation: Dataset | None
) -> tuple[Sequence[ImageRef], _Tested]:
    """Return the images to train on, and those to test on."""
    if validation is None:
        trained, tested = held_out_refs(dataset.refs, settings.held_out, settings.seed)
        every = range(len(dataset.classes))
        return trained, _Tested(dataset, tested, every, HELD_OUT if tested else "")
    source = str(validation.origin["source"])
    held_out = HeldOutSource(
        source, dict(validation.origin), validation.fingerprint, len(validation.refs)
    )
    if held_out.overlaps(dataset.fingerprint, dict(dataset.origin)):
        raise SettingError(
            f"the validation {source} has images that the teacher is trained on: give other "
            "images, or leave it out to hold out a share"
        )
    class_of = match_classes(validation.names, dataset.classes)
    return dataset.refs, _Tested(validation, validation.refs, class_of, source)


def _train(
    dataset: Dataset,
    settings: TeachSettings,
    out: Path,
    identity: str,
    trained: Sequence[ImageRef],
    tested: _Tested,
) -> Iterator[Event]:
    from dsel.students.teaching import CHECKPOINT, accuracy_of, save_weights, train_teacher

    yield Started("read", len(trained) + len(tested.refs), "images")
    images = yield from read_images(dataset, trained, settings.image_px)
    if not len(images.labels):
        raise SourceError("no image of the source can be read: nothing to train on")
    held_out = yield from read_images(tested.dataset, tested.refs, settings.image_px)
    labels = np.array(tested.class_of, np.int64)[held_out.labels]
    work = out / WORK
    model = yield from train_teacher(images, len(dataset.classes), settings, work, identity)
    save_weights(model, out)
    config = TeacherConfig(
        dsel=__version__,
        student=settings.student,
        names=[list(of_class) for of_class in dataset.names],
        image_px=settings.image_px,
        images=len(images.labels),
        dataset=dataset.fingerprint,
        origin=dict(dataset.origin),
        validation=tested.name,
        accuracy=accuracy_of(model, LabelledImages(held_out.images, labels)),
        settings=result_settings(settings),
    )
    write_config(out, config)  # last: it means that the teacher is complete
    with storage_errors(out):
        (work / CHECKPOINT).unlink(missing_ok=True)
