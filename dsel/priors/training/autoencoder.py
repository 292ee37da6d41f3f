"""Training of the autoencoder on random crops, and encoding of the training images with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dsel.config import TrainSettings
from dsel.priors.training.loop import Job, autocast, train_part
from dsel.types import Event, Progress, Started

CROP_PX = 64
BATCH_SIZE = 16
ENCODE_BATCH = 64
LEARNING_RATE = 2e-3
KL_WEIGHT = 1e-5
"""Weight of the divergence from a unit normal: enough to keep latents bounded."""


def train_autoencoder(
    autoencoder: AutoencoderKL,
    images: NDArray[np.uint8],
    settings: TrainSettings,
    folder: Path,
    identity: str,
) -> Iterator[Event]:
    """Minimise |x - decode(z)| + KL_WEIGHT KL(q(z|x) || N(0, 1)) over crops of (N, H, W, 3)."""
    device = autoencoder.device

    def loss(generator: torch.Generator) -> Tensor:
        crops = random_crops(images, BATCH_SIZE, CROP_PX, generator).to(device)
        with autocast(device):
            posterior = autoencoder.encode(crops).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
            decoded = autoencoder.decode(posterior.mean + posterior.std * noise).sample
        error = functional.l1_loss(decoded.float(), crops)
        divergence = posterior.kl().mean() / posterior.mean[0].numel()
        total: Tensor = error + KL_WEIGHT * divergence
        return total

    yield from train_part(
        Job(
            name="autoencoder",
            steps=max(1, settings.autoencoder_images // BATCH_SIZE),
            batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            modules={"autoencoder": autoencoder},
            trained=autoencoder,
            loss=loss,
            after_step=_nothing,
            folder=folder,
            identity=identity,
            seed=settings.seed,
            checkpoint_s=settings.checkpoint_s,
        )
    )


def random_crops(
    images: NDArray[np.uint8], count: int, side_px: int, generator: torch.Generator
) -> Tensor:
    """Return square crops of random images, half mirrored, (count, 3, side, side) in -1..1."""
    side_px = min(side_px, images.shape[1])
    numbers = torch.randint(len(images), (count,), generator=generator).tolist()
    corners = torch.randint(images.shape[1] - side_px + 1, (count, 2), generator=generator).tolist()
    crops = np.stack(
        [
            images[n, y : y + side_px, x : x + side_px]
            for n, (y, x) in zip(numbers, corners, strict=True)
        ]
    )
    mirrored = torch.rand(count, generator=generator) < 0.5
    batch = to_input(crops)
    return torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)


def to_input(pixels: NDArray[np.uint8]) -> Tensor:
    """Return images (B, H, W, 3) in 0..255 as the autoencoder's input, (B, 3, H, W) in -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


@torch.inference_mode()
def encode_all(
    autoencoder: AutoencoderKL,
    images: NDArray[np.uint8],
    flip: bool,
    write: Callable[[int, NDArray[np.float16]], None],
) -> Iterator[Event]:
    """Pass the images' mean latents to `write(row, latents)`; mirrored ones follow at row N."""
    total = len(images) * (2 if flip else 1)
    yield Started("encode", total, "images")
    starts = range(0, len(images), ENCODE_BATCH)
    for mirrored, start in product((False, True) if flip else (False,), starts):
        # A copy: the store is read-only.
        batch = to_input(np.array(images[start : start + ENCODE_BATCH]))
        count = len(batch)
        batch = batch.flip(-1) if mirrored else batch
        with autocast(autoencoder.device):
            latents = autoencoder.encode(batch.to(autoencoder.device)).latent_dist.mean
        row = start + len(images) * mirrored
        write(row, latents.float().cpu().numpy().astype(np.float16))
        yield Progress(count)


def _nothing() -> None:
    """No moving average for this part."""
