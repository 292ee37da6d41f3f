"""The map of the plain loop of earlier code: one signed mean over draws at random timesteps."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dsel.config import ScoreSettings
from dsel.data.images import to_proxy
from dsel.types import Dataset, Prior

OLDER_DRAWS, OLDER_TIMESTEPS = 64, (100, 701)


@torch.no_grad()
def older_map(prior: Prior, dataset: Dataset, number: int) -> NDArray[np.float32]:
    """The signed mean gap of one image over draws at random timesteps, (h, w)."""
    ref, settings = dataset.refs[number], ScoreSettings()
    proxy = to_proxy(dataset.read(ref), prior.resolution_px, "whole", prior.step_px)
    clean = prior.encode(proxy.pixels[None])  # (1, C, h, w)
    generator = torch.Generator().manual_seed(number)
    times = torch.randint(*OLDER_TIMESTEPS, (OLDER_DRAWS,), generator=generator)
    noise = torch.randn(OLDER_DRAWS, *clean.shape[1:], generator=generator).to(clean)
    named = settings.conditional_prompt(dataset.classes[ref.class_index])
    prompts = prior.embed([settings.unconditional_prompt(), named])
    total = torch.zeros(clean.shape[2:], dtype=torch.float64)
    for part in torch.arange(OLDER_DRAWS).split(10):
        t, eps = times[part], noise[part]
        signal = prior.schedule.signal[t].to(clean)[:, None, None, None]
        amount = prior.schedule.noise[t].to(clean)[:, None, None, None]
        noised = signal * clean + amount * eps
        which = torch.arange(2).repeat_interleave(len(part))
        rows = {name: values[which] for name, values in prompts.items()}
        output = prior.predict(torch.cat([noised, noised]), t.repeat(2), rows).output.float()
        losses = (torch.cat([eps, eps]) - output).square().mean(1)  # both priors predict noise
        u, c = losses.chunk(2)
        total += (u - c).double().sum(0).cpu()
    return (total / OLDER_DRAWS).float().numpy()
