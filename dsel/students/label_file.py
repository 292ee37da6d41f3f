"""The file of a teacher's labels in an export, labels.safetensors.

{view}             (K, C) float16, the probabilities of C classes for each of K pictures
{view}.crops       (K, M, C) float16, the same for M random crops of each picture
{view}.crop_boxes  (K, M, 4) float32, x, y, width and height of each crop, in shares of the side
{view}.crop_flips  (K, M) bool, whether the crop is mirrored from left to right

The view `images` has the pictures of the set as they are, in the manifest's order; `tiles` has the
unpacked tiles of mosaics, image by image, row by row, and is absent where images are single. The
crop tensors are absent without crops. The metadata has one key, "dsel", a JSON object: the checksum
of the file, format, teacher (name and fingerprint) and classes.

Labels of crops are those of fast knowledge distillation (FKD, arXiv 2112.01528).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.errors import DamageError, SourceError
from dsel.files import Tensors, opened_tensors, tensor_bytes

LABELS: Final = "labels.safetensors"
FORMAT: Final = "dsel labels 1"

ViewName: TypeAlias = Literal["images", "tiles"]


@dataclass(frozen=True, slots=True)
class CropLabels:
    """A teacher's labels of M random crops of K pictures.

    probabilities: (K, M, C). boxes: (K, M, 4), x, y, width and height in shares of the side.
    flips: (K, M), whether the crop is mirrored from left to right.
    """

    probabilities: NDArray[np.float16]
    boxes: NDArray[np.float32]
    flips: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """A teacher's labels of K pictures: probabilities (K, C), and those of crops if there are."""

    probabilities: NDArray[np.float16]
    crops: CropLabels | None = None


def label_bytes(
    views: Mapping[ViewName, SoftLabels], teacher: Mapping[str, str], classes: Sequence[str]
) -> bytes:
    """Return the contents of the file."""
    tensors: dict[str, NDArray[Any]] = {}
    for view, soft in views.items():
        tensors[view] = soft.probabilities
        if soft.crops is not None:
            tensors[f"{view}.crops"] = soft.crops.probabilities
            tensors[f"{view}.crop_boxes"] = soft.crops.boxes
            tensors[f"{view}.crop_flips"] = soft.crops.flips
    record = {"format": FORMAT, "teacher": dict(teacher), "classes": list(classes)}
    return tensor_bytes(tensors, record)


def label_file_size(
    images: int, tiles: int, crops: int, teacher: Mapping[str, str], classes: Sequence[str]
) -> int:
    """Return the bytes of the file for so many images, of `tiles` tiles each, without making it."""
    pictures: dict[ViewName, int] = {"images": images}
    if tiles > 1:
        pictures["tiles"] = images * tiles
    # One picture of each view gives the header, whose length varies by a few digits.
    one = {view: _blank(1, crops, len(classes)) for view in pictures}
    row = 2 * len(classes) * (1 + crops) + (4 * 4 + 1) * crops
    return len(label_bytes(one, teacher, classes)) + row * sum(n - 1 for n in pictures.values())


def _blank(pictures: int, crops: int, classes: int) -> SoftLabels:
    parts = CropLabels(
        np.zeros((pictures, crops, classes), np.float16),
        np.zeros((pictures, crops, 4), np.float32),
        np.zeros((pictures, crops), bool),
    )
    return SoftLabels(np.zeros((pictures, classes), np.float16), parts if crops else None)


def read_labels(path: Path, view: ViewName, crops: bool = False) -> SoftLabels:
    """Read the labels of a view; that of single images stands for their tiles.

    crops: also those of crops. Raises `SourceError` for a damaged file, and for one without crops
    where they are asked for.
    """
    with _opened(path) as file:
        names = file.names
        name = view if view in names else "images"
        probabilities = file.all(name)
        if not crops:
            return SoftLabels(probabilities)
        if f"{name}.crops" not in names:
            raise SourceError(
                f"{path} has no labels of crops: export the set with --label-crops 10, or more"
            )
        parts = (file.all(f"{name}.{part}") for part in ("crops", "crop_boxes", "crop_flips"))
        return SoftLabels(probabilities, CropLabels(*parts))


@contextmanager
def _opened(path: Path) -> Iterator[Tensors]:
    try:
        with opened_tensors(path, "export the set again") as file:
            yield file
    except DamageError as error:
        raise SourceError(str(error)) from error
