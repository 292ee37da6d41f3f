"""Noising, kinds of prediction, and the paired losses whose difference is the gap.

Symbols: z_0 is a clean latent, eps noise, z_t the noised latent, a_t the schedule's cumulative
product of 1 - beta. All arithmetic here is float32 (or wider, if given wider).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from dsel.errors import PriorError, SettingError

ToNoise = Callable[[Tensor, Tensor, Tensor], Tensor]
Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z_t (B, C, h, w), timesteps (B,), which prompt (B,): 0 null, 1 class) -> output (B, C, h, w)."""


@dataclass(frozen=True, slots=True)
class PairedLosses:
    """Means over draws and channels, (T, h, w) float32; gap is unconditional minus conditional."""

    conditional: Tensor
    unconditional: Tensor
    gap: Tensor


def paired_losses(
    predict: Predict,
    clean: Tensor,
    noise: Tensor,
    timesteps: Sequence[int],
    alphas_cumprod: Tensor,
    prediction: str,
    rows_per_call: int,
) -> PairedLosses:
    """Losses of one image with the class named and with the null prompt, on shared noise.

    clean: (C, h, w). noise: (T, D, C, h, w). The gap of a draw is formed before anything is
    averaged, as (eps_c - eps_u)(2 eps - eps_u - eps_c), which equals |eps - eps_u|^2 -
    |eps - eps_c|^2 and does not cancel. DDPS, arXiv 2412.09959, eq. 4; arXiv 2408.02752, eq. 3.
    """
    steps, draws = noise.shape[:2]
    eps = noise.flatten(0, 1)  # (T*D, C, h, w)
    times = torch.tensor(timesteps).repeat_interleave(draws)  # (T*D,)
    signal = alphas_cumprod[times][:, None, None, None]
    noised = add_noise(clean, eps, signal)
    unconditional, conditional, gap = [], [], []
    for rows in _chunks(steps * draws, rows_per_call // 2):
        eps_u, eps_c = _both(predict, noised[rows], times[rows], signal[rows], prediction)
        unconditional.append((eps[rows] - eps_u).square().mean(1))
        conditional.append((eps[rows] - eps_c).square().mean(1))
        gap.append(((eps_c - eps_u) * (2 * eps[rows] - eps_u - eps_c)).mean(1))

    def over_draws(parts: list[Tensor]) -> Tensor:
        rows = torch.cat(parts)  # (T*D, h, w)
        return rows.reshape(steps, draws, *rows.shape[1:]).mean(1)  # (T, h, w)

    return PairedLosses(over_draws(conditional), over_draws(unconditional), over_draws(gap))


def add_noise(clean: Tensor, eps: Tensor, signal: Tensor) -> Tensor:
    """z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) eps; Ho et al., arXiv 2006.11239, eq. 4."""
    return signal.sqrt() * clean + (1 - signal).sqrt() * eps


def draw_noise(
    seed: int,
    image_id: str,
    timesteps: Sequence[int],
    draws: int,
    shape: Sequence[int],
    antithetic: bool,
) -> Tensor:
    """Noise of one image, (T, D, *shape) float32: a function of its arguments and nothing else.

    With antithetic pairs, draw 2j + 1 is the negative of draw 2j.
    """
    samples: list[Tensor] = []
    for timestep in timesteps:
        for draw in range(draws):
            if antithetic and draw % 2:
                samples.append(-samples[-1])
            else:
                generator = noise_generator(seed, image_id, timestep, draw)
                samples.append(torch.randn(tuple(shape), generator=generator))
    return torch.stack(samples).reshape(len(timesteps), draws, *shape)


def noise_generator(seed: int, image_id: str, timestep: int, draw: int) -> torch.Generator:
    """The generator of one draw, so that batch, order, worker and resume cannot change a score."""
    key = f"{seed}\0{image_id}\0{timestep}\0{draw}".encode()
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)


def random_projection(seed: int, source: int, target: int) -> Tensor:
    """A Gaussian projection (source, target) that keeps squared lengths on average.

    Johnson and Lindenstrauss, 1984. With source <= target it is the identity, padded.
    """
    if source <= target:
        return torch.eye(source, target)
    generator = noise_generator(seed, "projection", source, target)
    projection: Tensor = torch.randn(source, target, generator=generator) / target**0.5
    return projection


def check_timesteps(timesteps: Sequence[int], alphas_cumprod: Tensor) -> None:
    """Raise `SettingError` for a timestep outside of the prior's schedule."""
    last = len(alphas_cumprod) - 1
    for timestep in timesteps:
        if not 0 <= timestep <= last:
            raise SettingError(
                f"timestep must be between 0 and {last} for this prior, got {timestep}"
            )


def check_prediction(prediction: str) -> None:
    """Raise `PriorError` for a kind of prediction that has no formula here."""
    if prediction not in PREDICTIONS:
        known = ", ".join(PREDICTIONS)
        raise PriorError(f"the prior predicts {prediction!r}; dsel knows {known}")


def _both(
    predict: Predict, noised: Tensor, times: Tensor, signal: Tensor, prediction: str
) -> tuple[Tensor, Tensor]:
    """Both noise estimates of the same noised latents, in one call."""
    which = torch.tensor([0, 1]).repeat_interleave(len(noised))
    output = predict(torch.cat([noised, noised]), torch.cat([times, times]), which)
    to_noise = PREDICTIONS[prediction]
    eps_u, eps_c = output.to(noised.dtype).chunk(2)
    return to_noise(eps_u, noised, signal), to_noise(eps_c, noised, signal)


def _chunks(total: int, most: int) -> list[slice]:
    """Equal slices, as few as `most` rows allow."""
    count = -(-total // max(1, most))
    size = -(-total // count)
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def _from_epsilon(output: Tensor, _noised: Tensor, _signal: Tensor) -> Tensor:
    return output


def _from_velocity(output: Tensor, noised: Tensor, signal: Tensor) -> Tensor:
    """eps = sqrt(a_t) v + sqrt(1 - a_t) z_t; Salimans and Ho, arXiv 2202.00512, appendix D."""
    return signal.sqrt() * output + (1 - signal).sqrt() * noised


def _from_sample(output: Tensor, noised: Tensor, signal: Tensor) -> Tensor:
    """eps = (z_t - sqrt(a_t) z_0) / sqrt(1 - a_t)."""
    return (noised - signal.sqrt() * output) / (1 - signal).sqrt()


PREDICTIONS: Mapping[str, ToNoise] = MappingProxyType(
    {"epsilon": _from_epsilon, "v_prediction": _from_velocity, "sample": _from_sample}
)
"""Turns each kind of network output into noise."""
