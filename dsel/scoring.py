"""One picture in, its score out: what the prior is asked, and how its answers are reduced."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from dsel.config import ScoreSettings
from dsel.errors import UnreadableImage
from dsel.noise import (
    add_noise,
    check_prediction,
    check_timesteps,
    draw_noise,
    paired_losses,
    random_projection,
)
from dsel.records import ImageRef, Pixels, Prior, Score

T = TypeVar("T")
PROMPTS_KEPT = 16  # classes whose prompts stay encoded; a dataset comes class by class


class Scorer:
    """Scores pictures one at a time, so that no neighbour in a batch can change a score.

    `calls` counts calls of the prior, `seconds` is the time spent inside them.
    """

    def __init__(self, prior: Prior, classes: Sequence[str], settings: ScoreSettings) -> None:
        """Raise `SettingError` or `PriorError` for settings that do not fit the prior."""
        check_prediction(prior.prediction)
        check_timesteps((*settings.timesteps, settings.feature_timestep), prior.alphas_cumprod)
        self.calls = 0
        self.seconds = 0.0
        self._prior = prior
        self._classes = classes
        self._settings = settings
        self._prompts = lru_cache(PROMPTS_KEPT)(self._embed_pair)
        self._projection: Tensor | None = None

    def score(self, ref: ImageRef, pixels: Pixels) -> Score:
        """Score one proxy (resolution, resolution, 3); raises `UnreadableImage` without numbers."""
        prompts = self._prompts(ref.class_index)
        clean = self._timed(lambda: self._prior.encode(pixels))  # (C, h, w)
        s = self._settings
        noise = draw_noise(s.noise_seed, ref.id, s.timesteps, s.draws, clean.shape, s.antithetic)

        def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
            return self._timed(lambda: self._prior.predict(noised, times, prompts[which]))

        losses = paired_losses(
            predict, clean, noise, s.timesteps, self._prior.alphas_cumprod,
            self._prior.prediction, s.rows_per_call,
        )  # fmt: skip
        features = self._features(ref, clean, prompts)
        # As it will be stored: half precision ends at 65504.
        if not all(t.half().isfinite().all() for t in (losses.gap, losses.conditional, features)):
            raise UnreadableImage("the prior's answer is not a number that can be stored")
        return Score(losses.conditional.numpy(), losses.gap.numpy(), features.numpy())

    def _features(self, ref: ImageRef, clean: Tensor, prompts: Tensor) -> Tensor:
        """Diffusion features on a grid, (g, g, d); Tang et al., arXiv 2306.03881."""
        s = self._settings
        time_ = torch.tensor([s.feature_timestep])
        eps = draw_noise(s.noise_seed, ref.id, [s.feature_timestep], 1, clean.shape, False)[0]
        signal = self._prior.alphas_cumprod[time_][:, None, None, None]
        noised = add_noise(clean, eps, signal)  # (1, C, h, w)
        inner = self._timed(lambda: self._prior.features(noised, time_, prompts[1:]))
        grid = functional.adaptive_avg_pool2d(inner, s.feature_grid)[0].movedim(0, -1)  # (g, g, F)
        if self._projection is None:
            self._projection = random_projection(s.noise_seed, grid.shape[-1], s.feature_dim)
        return grid @ self._projection  # (g, g, d)

    def _embed_pair(self, class_index: int) -> Tensor:
        """The null prompt and the class's prompt, (2, tokens, width)."""
        s = self._settings
        prompts = [s.null_prompt(), s.prompt(self._classes[class_index])]
        return self._timed(lambda: self._prior.embed(prompts))

    def _timed(self, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = call()
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return result
