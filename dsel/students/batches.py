"""The batches that a student is trained on: which images, which views of them, which targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dsel.errors import SettingError
from dsel.students.augment import Views, mix_images, mix_labels, random_mix, random_views, show
from dsel.students.recipes import Recipe
from dsel.students.records import Images, LabelledImages


@dataclass(frozen=True, slots=True)
class Data:
    """Images (N, 3, px, px) uint8 on the device, and their targets (N, C), probabilities.

    crops: M views of each image with targets of their own, (N, M, C); None to draw views at random.
    """

    images: Tensor
    targets: Tensor
    crops: Crops | None = None


@dataclass(frozen=True, slots=True)
class Crops:
    """Views (N, M, ...) of N images, and the targets (N, M, C) that belong to them."""

    boxes: Tensor
    mirrored: Tensor
    targets: Tensor


def training_data(
    train: LabelledImages, classes: int, recipe: Recipe, device: torch.device
) -> Data:
    """Return the images as a tensor, and the targets that the recipe trains on."""
    images = to_tensor(train.images).to(device)
    if not recipe.soft:
        targets = functional.one_hot(torch.from_numpy(train.labels), classes).float()
        return Data(images, targets.to(device))
    if train.soft is None:
        raise SettingError(
            "recipe soft needs a teacher's labels, and this set has none: write them with "
            "--teacher, or use recipe hard",
            setting="recipe",
        )
    soft = tempered(torch.from_numpy(train.soft).float(), recipe.temperature)
    return Data(images, soft.to(device), _crops(train, recipe, device))


def _crops(train: LabelledImages, recipe: Recipe, device: torch.device) -> Crops | None:
    if train.crops is None:
        return None
    labels = torch.from_numpy(train.crops.probabilities).float()
    return Crops(
        boxes=torch.from_numpy(train.crops.boxes),
        mirrored=torch.from_numpy(train.crops.flips),
        targets=tempered(labels, recipe.temperature).to(device),
    )


def tempered(probabilities: Tensor, temperature: float) -> Tensor:
    """Return softmax(z / T) for the probabilities softmax(z), (..., C).

    softmax(z / T) is proportional to softmax(z) ** (1 / T). A probability too small for float16
    counts as the smallest one that it can hold.
    """
    least = 2.0**-24
    return (probabilities.clamp_min(least).log() / temperature).softmax(-1)


def to_tensor(images: Images) -> Tensor:
    """Return images (N, px, px, 3) as a tensor (N, 3, px, px) uint8."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)


def to_input(images: Tensor) -> Tensor:
    """Return images in 0 to 255 as a student's input, in 0 to 1."""
    return images.float().div(255.0)


def index_batches(
    count: int, size: int, steps: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yield the rows of each step's images: shuffled rounds over all images, one after the other.

    A batch has at most `count` images, and those of a set that is smaller are all in every batch.
    """
    size = min(size, count)
    rows = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if len(rows) < size:
            rows = torch.cat([rows, torch.randperm(count, generator=generator)])
        yield rows[:size]
        rows = rows[size:]


def make_batch(
    data: Data, rows: Tensor, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return views of the images of these rows, (B, 3, px, px) in 0 to 1, and targets (B, C)."""
    chosen = rows.to(data.images.device)
    views, targets = _views(data, rows, recipe, generator)
    images = show(to_input(data.images[chosen]), views)
    if torch.rand((), generator=generator).item() < recipe.cutmix:
        mix = random_mix(len(rows), images.shape[-1], generator)
        images, targets = mix_images(images, mix), mix_labels(targets, mix)
    return images.contiguous(memory_format=torch.channels_last), targets


def _views(
    data: Data, rows: Tensor, recipe: Recipe, generator: torch.Generator
) -> tuple[Views, Tensor]:
    """Draw views, or one of the stored ones of each image with its own targets."""
    crops = data.crops
    if crops is None:
        views = random_views(len(rows), recipe.crop_area, recipe.flip, generator)
        return views, data.targets[rows.to(data.targets.device)]
    drawn = torch.randint(crops.boxes.shape[1], (len(rows),), generator=generator)
    device = crops.targets.device
    targets = crops.targets[rows.to(device), drawn.to(device)]
    return Views(crops.boxes[rows, drawn], crops.mirrored[rows, drawn]), targets
