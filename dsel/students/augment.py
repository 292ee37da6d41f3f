"""Random views of training images, as tensors; every random number comes from a given generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

RATIOS: Final = (3 / 4, 4 / 3)
"""Range of the width of a crop over its height (arXiv 1409.4842, section 6)."""

TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Views:
    """What a batch of B views shows: boxes (B, 4) float32 and whether it is mirrored (B,) bool.

    A box is x, y, width and height as shares of the image's side; (x, y) is its top left corner.
    """

    boxes: Tensor
    mirrored: Tensor


def random_views(
    count: int, area: tuple[float, float], flip: bool, generator: torch.Generator
) -> Views:
    """Draw the boxes of random-resized crops, half of them mirrored.

    Area and log aspect ratio are uniform; of ten draws the first that fits into the image counts,
    and the whole image where none does, as in torchvision's `RandomResizedCrop`.
    """
    areas = area[0] + (area[1] - area[0]) * torch.rand(count, TRIES, generator=generator)
    low, high = torch.tensor(RATIOS).log()
    ratios = (low + (high - low) * torch.rand(count, TRIES, generator=generator)).exp()
    sides = torch.stack([(areas * ratios).sqrt(), (areas / ratios).sqrt()], -1)  # (B, TRIES, 2)
    sides = torch.cat([sides, torch.ones(count, 1, 2)], 1)
    first = (sides <= 1).all(-1).int().argmax(1)
    size = sides[torch.arange(count), first]  # (B, 2)
    corner = torch.rand(count, 2, generator=generator) * (1 - size)
    mirrored = torch.rand(count, generator=generator) < (0.5 if flip else 0.0)
    return Views(torch.cat([corner, size], 1), mirrored)


def show(images: Tensor, views: Views) -> Tensor:
    """Return the views of images (B, 3, px, px) at the images' own size.

    Pixels are interpolated bilinearly; a crop is never larger than its image, so nothing is lost.
    """
    boxes = views.boxes.to(images.device)
    width = torch.where(views.mirrored.to(images.device), -boxes[:, 2], boxes[:, 2])
    centre = 2 * boxes[:, :2] + boxes[:, 2:] - 1  # the image reaches from -1 to 1
    zero = torch.zeros_like(width)
    rows = [width, zero, centre[:, 0], zero, boxes[:, 3], centre[:, 1]]
    affine = torch.stack(rows, 1).view(-1, 2, 3)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


@dataclass(frozen=True, slots=True)
class Mix:
    """How a batch is mixed: `order` (B,) names the image that gives each image its rectangle.

    The rectangle is in pixels, from (x0, y0) to before (x1, y1); `share` is what each image keeps.
    """

    order: Tensor
    x0: int
    y0: int
    x1: int
    y1: int
    share: float


def random_mix(count: int, side_px: int, generator: torch.Generator) -> Mix:
    """Draw a CutMix (arXiv 1905.04899, section 3.1): the rectangle's area is uniform in 0 to 1."""
    side = torch.rand((), generator=generator).sqrt().item() * side_px / 2
    x, y = (torch.rand(2, generator=generator) * side_px).tolist()
    order = torch.randperm(count, generator=generator)
    x0, y0 = (max(0, round(centre - side)) for centre in (x, y))
    x1, y1 = (min(side_px, round(centre + side)) for centre in (x, y))
    return Mix(order, x0, y0, x1, y1, 1 - (x1 - x0) * (y1 - y0) / side_px**2)


def mix_images(images: Tensor, mix: Mix) -> Tensor:
    """Return images (B, 3, px, px) with the rectangles of others pasted in."""
    mixed = images.clone()
    mixed[..., mix.y0 : mix.y1, mix.x0 : mix.x1] = images[
        mix.order.to(images.device), :, mix.y0 : mix.y1, mix.x0 : mix.x1
    ]
    return mixed


def mix_labels(labels: Tensor, mix: Mix) -> Tensor:
    """Return probabilities (B, C) mixed by the shares of the area."""
    other = labels[mix.order.to(labels.device)]
    return mix.share * labels + (1 - mix.share) * other
