"""The paired losses, whose difference is the gap, and the kinds of prediction.

The symbols are those of `dsel.priors.schedules`. All arithmetic is float32, or wider for wider
inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from dsel.core.halves import Halves
from dsel.errors import PriorError
from dsel.priors.schedules import add_noise, amplitudes
from dsel.types import Schedule

ToNoise = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(the network's output, z_t, signal_t, noise_t) -> eps."""

KeepDraws = Callable[[Tensor, Tensor, Tensor], None]
"""Takes the conditional loss, the gap and the difference of each draw, (B, T, D, h, w) each."""

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z_t (R, C, h, w), timesteps (R,), prompt indices (R,)) -> output (R, C, h, w).

Prompt 0 is the null prompt, prompt b + 1 that of image b.
"""


@dataclass(frozen=True, slots=True)
class PairedLosses:
    """Means over draws and channels, (B, T, h, w) each.

    gap is unconditional minus conditional. difference is |eps_c - eps_u|^2, the square of what
    naming the class changes in the prediction. noise and difference_noise are the scaled difference
    of either between two halves of the draws, NaN if all draws are in one half.
    """

    conditional: Tensor
    unconditional: Tensor
    gap: Tensor
    difference: Tensor
    noise: Tensor
    difference_noise: Tensor


def paired_losses(
    predict: Predict,
    clean: Tensor,
    noise: Tensor,
    timesteps: Sequence[int],
    schedule: Schedule,
    prediction: str,
    rows_per_call: int,
    in_second_half: Sequence[bool],
    keep: KeepDraws | None = None,
) -> PairedLosses:
    """Return the losses of images with their class named and with the null prompt, on shared noise.

    clean: (B, C, h, w). noise: (B, T, D, C, h, w). in_second_half: (D,), see `dsel.core.halves`.
    Whatever the network predicts, the maps are the loss of the noise, |eps - eps_theta|^2; for a
    flow it is (1 - sigma)^2 times that of the velocity. The gap of a draw is computed before
    anything is averaged, as (eps_c - eps_u)(2 eps - eps_u - eps_c), which equals |eps - eps_u|^2 -
    |eps - eps_c|^2 without cancellation. DDPS, arXiv 2412.09959, eq. 4; arXiv 2408.02752, eq. 3.
    It also equals difference + 2 (eps - eps_c)(eps_c - eps_u). The second term has mean 0 where
    the class is named correctly and the prior is exact, and usually most of the noise.
    """
    images, steps, draws = noise.shape[:3]
    eps = noise.flatten(0, 2)  # (B*T*D, C, h, w)
    times = torch.tensor(timesteps).repeat_interleave(draws).repeat(images)  # (B*T*D,)
    image = torch.arange(images).repeat_interleave(steps * draws)  # (B*T*D,)
    to_noise = PREDICTIONS[prediction]
    unconditional: list[Tensor] = []
    conditional: list[Tensor] = []
    gap: list[Tensor] = []
    difference: list[Tensor] = []
    for rows in _chunks(len(eps), rows_per_call // 2):
        signal, amount = (part.to(clean) for part in amplitudes(schedule, times[rows]))
        noised = add_noise(clean[image[rows]], eps[rows], signal, amount)
        output = predict(
            torch.cat([noised, noised]),
            torch.cat([times[rows], times[rows]]),
            torch.cat([torch.zeros_like(image[rows]), image[rows] + 1]),
        )
        eps_u, eps_c = (
            to_noise(half, noised, signal, amount) for half in output.to(noised.dtype).chunk(2)
        )
        unconditional.append((eps[rows] - eps_u).square().mean(1))
        _add_maps(eps[rows], eps_u, eps_c, conditional, gap, difference)

    def by_draw(parts: list[Tensor]) -> Tensor:
        rows = torch.cat(parts)  # (B*T*D, h, w)
        return rows.reshape(images, steps, draws, *rows.shape[1:])  # (B, T, D, h, w)

    maps = by_draw(conditional), by_draw(unconditional), by_draw(gap), by_draw(difference)
    return _means(*maps, in_second_half, keep)


def named_losses(
    predict: Predict,
    clean: Tensor,
    noise: Tensor,
    timesteps: Sequence[int],
    schedule: Schedule,
    prediction: str,
    rows_per_call: int,
    in_second_half: Sequence[bool],
    names: int,
    keep: KeepDraws | None = None,
) -> PairedLosses:
    """Return the losses of one image under each of several prompts, B = names.

    As `paired_losses` for so many copies of the image with the same noise, but the null prompt is
    predicted once. clean: (C, h, w). noise: (T, D, C, h, w). Prompt k + 1 is the k-th name.
    """
    steps, draws = noise.shape[:2]
    eps = noise.flatten(0, 1)  # (T*D, C, h, w)
    times = torch.tensor(timesteps).repeat_interleave(draws)  # (T*D,)
    signal, amount = (part.to(clean) for part in amplitudes(schedule, times))
    noised = add_noise(clean.expand(len(eps), *clean.shape), eps, signal, amount)
    to_noise = PREDICTIONS[prediction]

    def predicted(prompts: Sequence[int]) -> Tensor:
        """Return the predicted noise under prompts, (prompts*T*D, C, h, w)."""
        at = torch.arange(len(eps)).repeat(len(prompts))
        which = torch.tensor(prompts).repeat_interleave(len(eps))
        parts = []
        for rows in _chunks(len(at), rows_per_call):
            mine = at[rows]
            output = predict(noised[mine], times[mine], which[rows]).to(noised.dtype)
            parts.append(to_noise(output, noised[mine], signal[mine], amount[mine]))
        return torch.cat(parts)

    eps_u = predicted([0])
    unconditional = (eps - eps_u).square().mean(1)
    conditional: list[Tensor] = []
    gap: list[Tensor] = []
    difference: list[Tensor] = []
    together = max(1, rows_per_call // len(eps))  # names that fill a call
    for first in range(0, names, together):
        prompts = range(first + 1, min(first + together, names) + 1)
        for eps_c in predicted(prompts).reshape(len(prompts), *eps.shape):
            _add_maps(eps, eps_u, eps_c, conditional, gap, difference)

    def by_draw(parts: list[Tensor]) -> Tensor:
        return torch.stack(parts).reshape(names, steps, draws, *parts[0].shape[1:])

    unconditional = by_draw([unconditional] * names)
    maps = by_draw(conditional), unconditional, by_draw(gap), by_draw(difference)
    return _means(*maps, in_second_half, keep)


def label_losses(
    predict: Predict,
    clean: Tensor,
    noise: Tensor,
    timesteps: Sequence[int],
    schedule: Schedule,
    prediction: str,
    rows_per_call: int,
    labels: int,
) -> Tensor:
    """Return the loss of one image under each of several prompts on shared noise, (labels, T).

    clean: (C, h, w). noise: (T, D, C, h, w). Each is the mean over draws, channels and cells;
    prompts count from 0.
    """
    steps, draws = noise.shape[:2]
    eps = noise.flatten(0, 1).repeat(labels, 1, 1, 1)  # (labels*T*D, C, h, w)
    times = torch.tensor(timesteps).repeat_interleave(draws).repeat(labels)
    label = torch.arange(labels).repeat_interleave(steps * draws)
    losses = []
    for rows in _chunks(len(eps), rows_per_call):
        signal, amount = (part.to(clean) for part in amplitudes(schedule, times[rows]))
        noised = add_noise(clean.expand(len(eps[rows]), *clean.shape), eps[rows], signal, amount)
        output = predict(noised, times[rows], label[rows]).to(noised.dtype)
        eps_c = PREDICTIONS[prediction](output, noised, signal, amount)
        losses.append((eps[rows] - eps_c).square().mean((1, 2, 3)))
    return torch.cat(losses).reshape(labels, steps, draws).mean(2)


def check_prediction(prediction: str) -> None:
    """Raise `PriorError` for a kind of prediction that is not in `PREDICTIONS`."""
    if prediction not in PREDICTIONS:
        known = ", ".join(PREDICTIONS)
        raise PriorError(f"the prior predicts {prediction!r}; dsel supports {known}")


def _add_maps(
    eps: Tensor,
    eps_u: Tensor,
    eps_c: Tensor,
    conditional: list[Tensor],
    gap: list[Tensor],
    difference: list[Tensor],
) -> None:
    """Add the maps of some draws, (R, h, w) each, of noise and predictions (R, C, h, w)."""
    conditional.append((eps - eps_c).square().mean(1))
    gap.append(((eps_c - eps_u) * (2 * eps - eps_u - eps_c)).mean(1))
    difference.append((eps_c - eps_u).square().mean(1))


def _means(
    conditional: Tensor,
    unconditional: Tensor,
    gap: Tensor,
    difference: Tensor,
    in_second_half: Sequence[bool],
    keep: KeepDraws | None,
) -> PairedLosses:
    """Average maps over draws, (B, T, D, h, w) -> (B, T, h, w), once those are kept."""
    if keep is not None:
        keep(conditional, gap, difference)
    return PairedLosses(
        conditional=conditional.mean(2),
        unconditional=unconditional.mean(2),
        gap=gap.mean(2),
        difference=difference.mean(2),
        noise=_noise(gap, in_second_half),
        difference_noise=_noise(difference, in_second_half),
    )


def _noise(maps: Tensor, in_second_half: Sequence[bool]) -> Tensor:
    """Return the scaled difference between the halves of draws, (B, T, D, h, w) -> (B, T, h, w)."""
    second = torch.tensor(in_second_half, device=maps.device)
    halves = Halves(int((~second).sum()), int(second.sum()))
    if not (halves.first and halves.second):
        return torch.full_like(maps[:, :, 0], math.nan)
    return halves.scale * (maps[:, :, ~second].mean(2) - maps[:, :, second].mean(2))


def _chunks(total: int, most: int) -> list[slice]:
    """Return the fewest equal slices of at most `most` rows."""
    count = -(-total // max(1, most))
    size = -(-total // count)
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def _from_epsilon(output: Tensor, _noised: Tensor, _signal: Tensor, _amount: Tensor) -> Tensor:
    return output


def _from_v(output: Tensor, noised: Tensor, signal: Tensor, amount: Tensor) -> Tensor:
    """eps = signal v + noise z_t; Salimans and Ho, arXiv 2202.00512, appendix D."""
    return signal * output + amount * noised


def _from_sample(output: Tensor, noised: Tensor, signal: Tensor, amount: Tensor) -> Tensor:
    """eps = (z_t - signal z_0) / noise."""
    return (noised - signal * output) / amount


def _from_flow(output: Tensor, noised: Tensor, signal: Tensor, _amount: Tensor) -> Tensor:
    """eps = z_t + (1 - sigma) v, as v = eps - z_0; Esser et al., arXiv 2403.03206, section 2."""
    return noised + signal * output


PREDICTIONS: Mapping[str, ToNoise] = MappingProxyType(
    {
        "epsilon": _from_epsilon,
        "v_prediction": _from_v,
        "sample": _from_sample,
        "flow": _from_flow,
    }
)
"""The conversion of each kind of network output into noise."""
