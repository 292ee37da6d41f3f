"""Held-out images: a test, which never influences a choice, or a validation, which only does that.

Both are refused where they overlap the dataset that the sets are chosen from. A source that was one
of the two for a run is never the other: a test refuses the sources of stored validations, and a
validation those of stored tests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.data import open_dataset
from dsel.data.images import to_proxy
from dsel.data.prefetch import LOOK_AHEAD
from dsel.data.spec import parse_source
from dsel.errors import DamageError, SettingError, UnreadableImage, shown
from dsel.files import opened_tensors, tensor_bytes, write_atomically
from dsel.runs import Run, made_again, remedies
from dsel.runs.evaluations import (
    FOLDER,
    HeldOutSource,
    add_validation,
    list_evaluations,
    list_validations,
)
from dsel.students.records import Images, LabelledImages
from dsel.students.teacher_file import CONFIG, is_own_teacher, read_config
from dsel.types import Dataset, Event, ImageRef, Notice, Pixels, Progress, Skipped, Started

MOST_STORED_BYTES: Final = 1 << 30
"""Resized images are stored up to this size, since decoding or rendering them takes longer.

Otherwise each worker reads all of them: 50,000 images of 64 px have 0.6 GB.
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated: the folder of its evaluations, its classes, and the dataset behind it."""

    folder: Path
    classes: tuple[str, ...]
    dataset_fingerprint: str
    dataset_origin: Mapping[str, Any]


def subject_of(run: Run) -> Subject:
    """Return a run as what is evaluated."""
    of = run.identity
    return Subject(run.path, of.classes, of.dataset_fingerprint, of.dataset_origin)


class HeldOut:
    """Held-out images of a subject's classes; use one of the subclasses, which check more.

    Raises `SettingError` for the subject's own dataset, and for other classes than the subject's.
    """

    def __init__(self, subject: Subject, source: str | Dataset) -> None:
        self.subject = subject
        self.dataset = open_held_out(source) if isinstance(source, str) else source
        origin = dict(self.dataset.origin)
        name = source if isinstance(source, str) else str(origin["source"])
        self.source = HeldOutSource(name, origin, self.dataset.fingerprint, len(self.dataset.refs))
        if self.source.overlaps(subject.dataset_fingerprint, subject.dataset_origin):
            raise SettingError(
                f"{name} is the dataset that the set was chosen from: give images that were held "
                "out, such as another split"
            )
        self._class_of = match_classes(self.dataset.names, subject.classes)

    def read(self, image_px: int) -> Generator[Event, None, LabelledImages]:
        """Read all images, the centre square of each resized to `image_px`; returns them.

        Images that cannot be read are skipped. Notes say how the files were understood.
        """
        yield from map(Notice, self.dataset.structure.notes)
        path = self.subject.folder / FOLDER / "held_out" / f"{self.source.fingerprint}-{image_px}"
        path = path.with_suffix(".safetensors")
        stored = None
        try:
            stored = _stored(path)
        except DamageError as error:
            yield Notice(made_again(error))
        if stored is None:
            stored = yield from self._read(image_px)
            if stored.images.nbytes <= MOST_STORED_BYTES:
                parts: dict[str, NDArray[Any]] = {"images": stored.images, "labels": stored.labels}
                write_atomically(path, tensor_bytes(parts, {}))
        labels = np.array(self._class_of, np.int64)[stored.labels]
        return LabelledImages(stored.images, labels)

    def _read(self, image_px: int) -> Generator[Event, None, LabelledImages]:
        """Read the images with the dataset's own class indices."""
        refs = self.dataset.refs
        images: list[Images] = []
        labels: list[int] = []
        yield Started("held-out images", len(refs), "images")
        for ref, found in zip(refs, self._squares(refs, image_px), strict=True):
            if isinstance(found, str):
                yield Skipped(ref, found)
            else:
                images.append(found)
                labels.append(ref.class_index)
            yield Progress()
        if not images:
            raise SettingError(f"no image of {self.source.source} can be read")
        return LabelledImages(np.stack(images), np.array(labels, np.int64))

    def _squares(self, refs: Sequence[ImageRef], image_px: int) -> Iterator[Pixels | str]:
        """Yield the images in order, or the reason of an unusable one; threads read ahead."""

        def read(ref: ImageRef) -> Pixels | str:
            try:
                return to_proxy(self.dataset.read(ref), image_px, "crop", 0).pixels
            except UnreadableImage as reason:
                return str(reason)

        waiting: deque[Future[Pixels | str]] = deque()
        with ThreadPoolExecutor() as pool:
            for ref in refs:
                waiting.append(pool.submit(read, ref))
                if len(waiting) > LOOK_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


class HeldOutTest(HeldOut):
    """Images for the final figures. Raises `SettingError` for those that a choice was made by."""

    def __init__(self, subject: Subject, source: str | Dataset) -> None:
        super().__init__(subject, source)
        if any(self._same(used) for used in list_validations(subject.folder)):
            raise SettingError(
                f"{self.source.source} was the validation of a sweep or of advice for this run, so "
                "figures on it are too good: test on other images"
            )

    def _same(self, other: HeldOutSource) -> bool:
        return other.overlaps(self.source.fingerprint, self.source.origin)


class Validation(HeldOut):
    """Images to choose settings by. Raises `SettingError` for the test of a stored evaluation."""

    def __init__(self, subject: Subject, source: str | Dataset) -> None:
        super().__init__(subject, source)
        tests = [one.test for one in list_evaluations(subject.folder) if not one.validation]
        if any(test.overlaps(self.source.fingerprint, self.source.origin) for test in tests):
            raise SettingError(
                f"{self.source.source} is the test of a stored evaluation of this run, and a test "
                "never influences a choice: give other images"
            )

    def record(self) -> None:
        """Note in the run that settings are chosen by these images; no test accepts them then."""
        add_validation(self.subject.folder, self.source)


def check_unseen(teacher: str, held_out: HeldOutSource) -> None:
    """Raise `SettingError` for a teacher of dsel that was trained on held-out images.

    What a teacher of transformers was trained on is not known.
    """
    folder = Path(teacher)
    if not (teacher and (folder / CONFIG).is_file() and is_own_teacher(folder)):
        return
    config = read_config(folder)
    # Older teachers do not say where their images are from.
    origin = config.origin or {"source": config.dataset}
    if held_out.overlaps(config.dataset, origin):
        raise SettingError(
            f"the teacher {teacher} was trained on images of {held_out.source}, so what it says of "
            "them is too good: train a teacher on other images, such as those of the pool"
        )


def open_held_out(text: str) -> Dataset:
    """Open a source that is spelled as `dsel.data.spec` reads it."""
    return open_dataset(*parse_source(text))


def match_classes(names: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[int, ...]:
    """Return the index in `classes` of each class of a dataset, matched by any of its names.

    Case and spaces do not count. Raises `SettingError`, with both lists, unless each class of one
    has exactly one of the other; fields: given, wanted.
    """
    index_of = {_normal(name): index for index, name in enumerate(classes)}
    found = [
        next((index_of[_normal(name)] for name in of_class if _normal(name) in index_of), -1)
        for of_class in names
    ]
    if sorted(found) != list(range(len(classes))):
        given = [first for first, *_ in names]
        raise SettingError(
            f"the held-out images have other classes than the set: {', '.join(shown(given))}; "
            f"the set has {', '.join(shown(classes))}; choose the same with SOURCE:classes=A+B",
            given=given,
            wanted=list(classes),
        )
    return tuple(found)


def _normal(name: str) -> str:
    return " ".join(name.casefold().split())


def _stored(path: Path) -> LabelledImages | None:
    """Read stored images; None without any. Raises `DamageError`."""
    if not path.exists():
        return None
    with opened_tensors(path, remedies.EVALUATE) as file:
        return LabelledImages(file.all("images"), file.all("labels"))
