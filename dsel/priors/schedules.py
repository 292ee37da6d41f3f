"""Noise schedules: the signal and noise amplitudes of each timestep.

Symbols: z_0 is a clean latent, eps noise, z_t = signal_t z_0 + noise_t eps the noised latent. In a
diffusion schedule signal_t^2 = a_t, the cumulative product of 1 - beta, and noise_t^2 = 1 - a_t; in
flow matching noise_t = sigma and signal_t = 1 - sigma.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from dsel.errors import PriorError, SettingError
from dsel.types import Schedule

MOST_TIMESTEPS: Final = 100_000
"""Most timesteps of a schedule; models have 1,000, and loading one takes memory for each."""


def add_noise(clean: Tensor, eps: Tensor, signal: Tensor, amount: Tensor) -> Tensor:
    """Return z_t = signal_t z_0 + noise_t eps; Ho et al., arXiv 2006.11239, eq. 4."""
    return signal * clean + amount * eps


def amplitudes(schedule: Schedule, times: Tensor) -> tuple[Tensor, Tensor]:
    """Return signal_t and noise_t of timesteps (R,), (R, 1, 1, 1) each."""
    return schedule.signal[times][:, None, None, None], schedule.noise[times][:, None, None, None]


def diffusion_schedule(alphas_cumprod: Tensor) -> Schedule:
    """Return the schedule of a diffusion model with a_t (timesteps,), whose input is t."""
    a = alphas_cumprod.double()
    return Schedule(a.sqrt().float(), (1 - a).sqrt().float(), torch.arange(len(a)).float())


def flow_schedule(sigmas: Tensor, inputs: Tensor) -> Schedule:
    """Return the schedule of flow matching, sigma rising with t; Lipman, arXiv 2210.02747."""
    sigma = sigmas.double()
    return Schedule((1 - sigma).float(), sigma.float(), inputs.float())


def flow_matching(scheduler: Any, tokens: int) -> tuple[Schedule, str]:
    """Return the schedule and kind of prediction of a flow-matching scheduler of diffusers.

    Timestep t is its training timestep t + 1. The base sigma (t + 1) / N is shifted as the
    scheduler does it: by a constant, or, where the shift depends on the image size, for images of
    `tokens` tokens; Esser et al., arXiv 2403.03206, section 5.3.2. The network's input is N sigma.
    """
    config = scheduler.config
    count: int = config.num_train_timesteps
    sigmas = torch.arange(1, count + 1, dtype=torch.float64) / count
    if config.use_dynamic_shifting:
        slope = (config.max_shift - config.base_shift) / (
            config.max_image_seq_len - config.base_image_seq_len
        )
        mu = config.base_shift + slope * (tokens - config.base_image_seq_len)
        sigmas = scheduler.time_shift(mu, 1.0, sigmas)
    else:
        sigmas = config.shift * sigmas / (1 + (config.shift - 1) * sigmas)
    return flow_schedule(sigmas, sigmas * count), "flow"


def check_schedule_length(folder: Path) -> None:
    """Raise `PriorError` for a saved pipeline whose scheduler has no sensible number of timesteps.

    diffusers computes the whole schedule when it loads one.
    """
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # loading it raises the error
    count = config.get("num_train_timesteps", 1) if isinstance(config, dict) else 1
    if type(count) is not int or not 1 <= count <= MOST_TIMESTEPS:
        raise PriorError(
            f"{path} must have between 1 and {MOST_TIMESTEPS} num_train_timesteps, got "
            f"{count!r:.40}"
        )


def check_timesteps(timesteps: Sequence[int], schedule: Schedule) -> None:
    """Raise `SettingError` for a timestep outside of the prior's schedule; fields: setting."""
    last = len(schedule.signal) - 1
    for timestep in timesteps:
        if not 0 <= timestep <= last:
            raise SettingError(
                f"timestep must be between 0 and {last} for this prior, got {timestep}",
                setting="timesteps",
            )
