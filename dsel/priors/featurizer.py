"""Features of patches from the prior: each patch is encoded at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray

from dsel.config import ScoreSettings
from dsel.data.images import to_proxy
from dsel.priors.batching import ENCODE_BATCH, RowBudget
from dsel.priors.noise import draw_noise
from dsel.priors.schedules import add_noise, amplitudes
from dsel.types import Conditioning, Pixels, Prior


class PriorFeaturizer:
    """Encodes each patch at the prior's resolution and reads its activations, with the null prompt.

    This is how the figure of DDPS, arXiv 2412.09959, describes patches; the activations are those
    of DIFT, arXiv 2306.03881. All patches share one noise, so that it does not distinguish them.
    """

    def __init__(self, prior: Prior, settings: ScoreSettings) -> None:
        """Take the run's settings: its feature timestep, null prompt and noise seed are used."""
        self.fingerprint = f"reencode {prior.fingerprint} {prior.precision}"
        self._prior, self._settings = prior, settings
        cells = (prior.resolution_px // prior.cell_px) ** 2
        self._budget = RowBudget(settings.rows_per_call, prior.device, cells)

    def describe(self, patches: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return features (P, F) of patches of any sizes: activations averaged over each patch."""
        found: list[NDArray[np.float32]] = []
        while len(found) < len(patches):
            found += self._budget.attempt(partial(self._describe, patches, len(found)))
        return np.stack(found) if found else np.zeros((0, 1), np.float32)

    def _describe(self, patches: Sequence[Pixels], start: int) -> list[NDArray[np.float32]]:
        """Describe as many patches as fit into one call, from `start` on."""
        prior, s = self._prior, self._settings
        some = patches[start : start + self._budget.rows]
        side = prior.resolution_px
        proxies = np.stack([to_proxy(p, side, "squash", 0).pixels for p in some])
        parts = [
            proxies[first : first + ENCODE_BATCH] for first in range(0, len(some), ENCODE_BATCH)
        ]
        clean = torch.cat([prior.encode(part) for part in parts])  # (P, C, h, w)
        timestep = min(s.feature_timestep, len(prior.schedule.signal) - 1)
        times = torch.full((len(clean),), timestep)
        eps = draw_noise(s.noise_seed, "patch", [timestep], range(1), clean.shape[1:], False)[0]
        signal, amount = (part.to(clean) for part in amplitudes(prior.schedule, times))
        noised = add_noise(clean, eps.to(clean), signal, amount)
        rows = {k: values.expand(len(clean), *values.shape[1:]) for k, values in self._null.items()}
        predicted = prior.predict(noised, times, rows, tap=torch.arange(len(clean)))
        assert predicted.features is not None  # all rows are tapped
        return list(predicted.features.float().mean((2, 3)).cpu().numpy())

    @cached_property
    def _null(self) -> Conditioning:
        """The conditioning of the null prompt, one row."""
        text = self._settings.unconditional_prompt() if self._prior.reads == "prompts" else ""
        return self._prior.embed([text])
