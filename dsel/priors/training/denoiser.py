"""Training of the U-Net and the text encoder on latents, with some prompts replaced by null."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from dsel.config import TrainSettings
from dsel.priors.training.loop import Job, autocast, train_part
from dsel.priors.training.models import Denoiser, tokenize
from dsel.types import Event

Tensors = tuple[Tensor, ...] | list[Tensor]
EMPTY_SHARE = 0.25
"""Share of the dropped prompts that become the empty string; the rest have an empty slot."""


def prompts_of(classes: tuple[str, ...], prompt: str) -> list[str]:
    """Return one prompt per class, then the prompt with an empty slot, then the empty string."""
    return [*(prompt.replace("{class}", name) for name in (*classes, "")), ""]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The denoiser's training data: latents (M, C, h, w), labels (M,), a prompt per label.

    The last two prompts are the null prompts. Latents times `scale` have unit variance.
    """

    latents: NDArray[np.float16]
    labels: NDArray[np.int64]
    prompts: Sequence[str]
    tokenizer: Any
    scale: float
    alphas_cumprod: Tensor


def train_denoiser(
    denoiser: Denoiser,
    average: AveragedModel,
    data: TrainingData,
    settings: TrainSettings,
    folder: Path,
    identity: str,
) -> Iterator[Event]:
    """Minimise E |eps - eps_theta(z_t, t, c)|^2; `average` follows the weights."""
    device = next(denoiser.parameters()).device
    prompts = data.prompts
    tokens = tokenize(data.tokenizer, prompts).to(device)
    alphas_cumprod = data.alphas_cumprod.to(device)

    def loss(generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(data.latents), (settings.batch_size,), generator=generator)
        clean = torch.from_numpy(data.latents[rows.numpy()]).float()
        clean = clean.mul(data.scale).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        timesteps = draw_timesteps(settings.batch_size, len(alphas_cumprod), generator).to(device)
        which = drop_prompts(
            torch.from_numpy(data.labels[rows.numpy()]),
            len(prompts),
            settings.null_share,
            generator,
        ).to(device)
        signal = alphas_cumprod[timesteps][:, None, None, None]
        noised = signal.sqrt() * clean + (1 - signal).sqrt() * noise  # DDPM, eq. 4
        with autocast(device):
            predicted = denoiser(
                noised.contiguous(memory_format=torch.channels_last), timesteps, tokens, which
            )
        return functional.mse_loss(predicted.float(), noise)

    yield from train_part(
        Job(
            name="denoiser",
            steps=max(1, settings.images // settings.batch_size),
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            modules={"denoiser": denoiser, "average": average},
            trained=denoiser,
            loss=loss,
            after_step=lambda: average.update_parameters(denoiser),
            folder=folder,
            identity=identity,
            seed=settings.seed,
            checkpoint_s=settings.checkpoint_s,
        )
    )


def moving_average(most: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Average weights with a decay of (1 + n) / (10 + n) after n steps, at most `most`.

    With `most` from the start, the average of a short training would be its initial weights.
    """

    @torch.no_grad()
    def update(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
        steps = int(count)
        torch._foreach_lerp_(
            list(averaged), list(current), 1 - min(most, (1 + steps) / (10 + steps))
        )

    return update


def draw_timesteps(count: int, timesteps: int, generator: torch.Generator) -> Tensor:
    """Draw timesteps of a logit-normal: the middle, where the class shows, is trained most.

    Esser et al., arXiv 2403.03206, section 3.1, with scale 1.2 so that the ends occur too.
    """
    middle = torch.sigmoid(1.2 * torch.randn(count, generator=generator))
    return (middle * timesteps).long().clamp(max=timesteps - 1)


def drop_prompts(
    labels: Tensor, prompts: int, null_share: float, generator: torch.Generator
) -> Tensor:
    """Return the prompt indices of `labels`, some replaced by one of the two null prompts."""
    chance = torch.rand(len(labels), generator=generator)
    null = torch.where(chance < null_share * EMPTY_SHARE, prompts - 1, prompts - 2)
    return torch.where(chance < null_share, null, labels)
