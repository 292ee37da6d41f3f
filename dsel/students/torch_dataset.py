"""An exported set as a dataset of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import Dataset

from dsel.errors import SettingError
from dsel.students.exported import ExportedSet, read_export, resized
from dsel.students.label_crops import cropped
from dsel.students.unpack import unpack_tile
from dsel.types import Pixels

LABEL_KINDS = ("hard", "soft", "crops")


class DistilledDataset(Dataset[tuple[Any, Any]]):
    """The images of an export, or the tiles of its mosaics; made by `torch_dataset`.

    Attributes:
        classes: The class names, in class order.
        targets: The class index of each item.
        exported: The export as it was read.
    """

    def __init__(
        self,
        exported: ExportedSet,
        unpack: bool,
        image_px: int,
        labels: Literal["hard", "soft", "crops"],
        transform: Callable[[torch.Tensor], Any] | None,
    ) -> None:
        self.exported, self.classes = exported, exported.classes
        self._unpack, self._transform = unpack, transform
        self._image_px = image_px or exported.image_px
        self._tiles = exported.tiles_per_image if unpack else 1
        soft = None if labels == "hard" else exported.soft_labels(unpack, labels == "crops")
        self._crops = None if soft is None else soft.crops
        self._soft = None if soft is None else soft.probabilities
        self._crops_each = 1 if self._crops is None else self._crops.flips.shape[1]
        items = self._tiles * self._crops_each
        self.targets = [image.class_index for image in exported.images for _ in range(items)]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return an image, float32 (3, height, width) in 0..1, and its label.

        The label is a class index, or probabilities (C,) float32 from a teacher.
        """
        picture, crop_number = divmod(range(len(self))[index], self._crops_each)
        pixels = self._pixels(picture, crop_number)
        image: Any = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255)  # (3, px, px)
        image = self._transform(image) if self._transform else image
        if self._soft is None:
            return image, self.targets[index]
        crops = self._crops
        soft = self._soft[picture] if crops is None else crops.probabilities[picture, crop_number]
        return image, torch.from_numpy(soft).float()

    def _pixels(self, picture: int, crop_number: int) -> Pixels:
        """Return an image or a tile, or the crop of it where crops are labelled."""
        if self._crops is None:
            return self._picture(picture, self._image_px)
        # As the teacher saw it: cut out of the picture at the side of the export's images.
        whole = self._picture(picture, self.exported.image_px)
        box, flip = self._crops.boxes[picture, crop_number], self._crops.flips[picture, crop_number]
        return cropped(whole, box, bool(flip), self._image_px)

    def _picture(self, picture: int, side_px: int) -> Pixels:
        number, tile = divmod(picture, self._tiles)
        pixels, image = self.exported.read(number), self.exported.images[number]
        if not self._unpack:
            return resized(pixels, side_px)
        return unpack_tile(pixels, image.tiles[tile], side_px, self.exported.tile_scale)


def torch_dataset(
    out: str | Path,
    unpack: bool = True,
    image_px: int = 0,
    transform: Callable[[torch.Tensor], Any] | None = None,
    labels: Literal["hard", "soft", "crops"] = "hard",
) -> DistilledDataset:
    """Open an exported set as a dataset of PyTorch, of (image, label) pairs.

    Images are float32 tensors (3, height, width) in 0..1.

    Args:
        out: The folder of the export.
        unpack: Whether each tile of a mosaic is an image of its own, at full size.
        image_px: Side of the images; 0 is that of the export's images.
        transform: Applied to each image tensor.
        labels: `hard` gives class indices; `soft` gives the teacher's probabilities (C,) of the
            image, and `crops` gives each labelled crop of it as an item of its own, with the
            teacher's probabilities of the crop. Cross-entropy of PyTorch takes all of them.

    Raises `SourceError` for a folder that is not a complete export, and for one without the labels.
    """
    if labels not in LABEL_KINDS:
        known = ", ".join(LABEL_KINDS)
        raise SettingError(f"labels must be one of {known}, got {labels!r}")
    return DistilledDataset(read_export(Path(out)), unpack, image_px, labels, transform)
