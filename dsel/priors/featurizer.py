"""Features of cut patches: the patch shown to the prior once more."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray

from dsel.config import ScoreSettings
from dsel.data.images import to_proxy
from dsel.priors.batching import ENCODED, RowBudget
from dsel.priors.noise import draw_noise
from dsel.priors.schedules import add_noise, amplitudes
from dsel.types import Conditioning, Pixels, Prior


class PriorFeaturizer:
    """Encodes each patch at the prior's own resolution and reads its activations, without a class.

    So are the patches described in the figure of DDPS, arXiv 2412.09959; the activations are those
    of DIFT, arXiv 2306.03881. All patches share one noise, so that it tells none from another.
    """

    def __init__(self, prior: Prior, settings: ScoreSettings) -> None:
        """`settings` are those of the run: its feature timestep, null prompt and noise seed."""
        self.fingerprint = f"reencode {prior.fingerprint} {prior.precision}"
        self._prior, self._settings = prior, settings
        cells = (prior.resolution_px // prior.cell_px) ** 2
        self._budget = RowBudget(settings.rows_per_call, prior.device, cells)

    def describe(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Features of pictures of any sizes, (P, F): means of the activations over the picture."""
        found: list[NDArray[np.float32]] = []
        while len(found) < len(pictures):
            found += self._budget.attempt(partial(self._describe, pictures, len(found)))
        return np.stack(found) if found else np.zeros((0, 1), np.float32)

    def _describe(self, pictures: Sequence[Pixels], start: int) -> list[NDArray[np.float32]]:
        """As many pictures as fit into one call, from `start` on."""
        prior, s = self._prior, self._settings
        some = pictures[start : start + self._budget.rows]
        side = prior.resolution_px
        proxies = np.stack([to_proxy(p, side, "squash", 0).pixels for p in some])
        parts = [proxies[first : first + ENCODED] for first in range(0, len(some), ENCODED)]
        clean = torch.cat([prior.encode(part) for part in parts])  # (P, C, h, w)
        timestep = min(s.feature_timestep, len(prior.schedule.signal) - 1)
        times = torch.full((len(clean),), timestep)
        eps = draw_noise(s.noise_seed, "patch", [timestep], range(1), clean.shape[1:], False)[0]
        signal, amount = (part.to(clean) for part in amplitudes(prior.schedule, times))
        noised = add_noise(clean, eps.to(clean), signal, amount)
        rows = {k: values.expand(len(clean), *values.shape[1:]) for k, values in self._null.items()}
        answer = prior.predict(noised, times, rows, tap=torch.arange(len(clean)))
        assert answer.features is not None  # tapped rows were asked for
        return list(answer.features.float().mean((2, 3)).cpu().numpy())

    @cached_property
    def _null(self) -> Conditioning:
        """One row, that of no class."""
        text = self._settings.unconditional_prompt() if self._prior.reads == "prompts" else ""
        return self._prior.embed([text])
