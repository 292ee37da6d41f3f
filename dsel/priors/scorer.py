"""Scoring: proxies in, their losses, gaps and features out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import lru_cache, partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dsel.config import ScoreSettings
from dsel.config.base import settings_of
from dsel.core.halves import in_second_half
from dsel.errors import SettingError
from dsel.priors.backends import Trial, compare, remembered
from dsel.priors.batching import ENCODE_BATCH, RowBudget
from dsel.priors.losses import (
    KeepDraws,
    PairedLosses,
    Predict,
    check_prediction,
    label_losses,
    named_losses,
    paired_losses,
)
from dsel.priors.noise import draw_noise, random_projection
from dsel.priors.prompt_check import check_labels, check_prompts
from dsel.priors.schedules import check_timesteps
from dsel.priors.transfers import to_device, to_host
from dsel.types import Conditioning, DrawLosses, ImageRef, Prior, Score

T = TypeVar("T")
CLASSES_CACHED = 16  # whose prompts stay encoded; a dataset is read class by class
NOT_FINITE = "the prior's output is not a finite number that can be stored"


class Scorer:
    """Scores batches of proxies of one shape; the other images of a batch never affect a score.

    images: number of images scored. calls: calls of the prior. seconds: time spent in them.
    keep_draws: takes the losses of every draw, beside the means that scores are.
    """

    def __init__(
        self, prior: Prior, names: Sequence[Sequence[str]], settings: ScoreSettings
    ) -> None:
        """Take all names of each class; raises `DselError` for what the prior does not support."""
        check_prediction(prior.prediction)
        check_timesteps(settings.timesteps, prior.schedule)
        if prior.reads == "labels":
            _refuse_prompts(settings)
        self.calls = 0
        self.images = 0
        self.seconds = 0.0
        self.keep_draws: Callable[[Sequence[ImageRef], range, DrawLosses], None] | None = None
        cells = (prior.resolution_px // prior.cell_px) ** 2
        self.budget = RowBudget(settings.rows_per_call, prior.device, cells)
        self._prior = prior
        self._names = names
        self._settings = settings
        self._named = lru_cache(CLASSES_CACHED)(self._embed_class)
        self._null = lru_cache(1)(self._embed_null)
        self._projection: Tensor | None = None
        wanted = settings.feature_timestep
        self._feature_timestep = min(settings.timesteps, key=lambda t: (abs(t - wanted), t))

    def check_classes(self, indices: Sequence[int]) -> None:
        """Raise `SettingError` for classes that the prior cannot tell from the null prompt."""
        names = [name for index in indices for name in self._used_names(index)]
        if self._prior.reads == "labels":
            check_labels(self._prior, names)
        else:
            check_prompts(self._prior, names, self._settings)

    def images_per_call(self, draws: int) -> int:
        """Return the number of images that fill one call, at least 1."""
        return max(1, self.budget.rows // (2 * len(self._settings.timesteps) * draws))

    def try_backend(self, name: str) -> Trial:
        """Compare a backend with torch on a call's worth of noise; the prior is left with it.

        The trial is done once for a prior on a machine. Raises `PriorError` if it cannot run here.
        """
        prior, steps = self._prior, self._settings.timesteps
        latents = self._noise_like_latents(self.budget.rows)
        times = torch.tensor([steps[row % len(steps)] for row in range(len(latents))])
        null = self._null()
        rows = {name: part.expand(len(latents), *part.shape[1:]) for name, part in null.items()}
        return remembered(prior, name, latents, lambda: compare(prior, name, latents, times, rows))

    def warm_up(self) -> None:
        """Call the network once: converts and compiles it; raises `PriorError` if that fails."""
        latents = self._noise_like_latents(2)
        times = torch.tensor([self._settings.timesteps[0]] * 2)
        rows = {name: part.expand(2, *part.shape[1:]) for name, part in self._null().items()}
        self._prior.predict(latents, times, rows)

    def _noise_like_latents(self, rows: int) -> Tensor:
        """Return noise in the shape of a square image's latents, (rows, C, h, w)."""
        side = self._prior.resolution_px
        shape = self._prior.encode(np.zeros((1, side, side, 3), np.uint8)).shape[1:]
        generator = torch.Generator().manual_seed(0)
        return torch.randn(rows, *shape, generator=generator).to(self._prior.device)

    def score(
        self, refs: Sequence[ImageRef], pixels: NDArray[np.uint8], draws: range
    ) -> list[Score | None]:
        """Score proxies (B, height, width, 3); None where the output is not finite.

        Scores of draws after the first ones have no features.
        """
        start = time.perf_counter()
        losses, features = self.budget.attempt(lambda: self._score(refs, pixels, draws))
        scores = [self._checked(losses, features, row) for row in range(len(refs))]
        self.images += len(scores)
        cells = losses.gap[0, 0].numel() * 2 * losses.gap.shape[1] * len(draws) * len(refs)
        if len(refs) >= self.images_per_call(len(draws)):  # a smaller batch would distort the rate
            self.budget.report(cells, time.perf_counter() - start)
        return scores

    def score_names(
        self, refs: Sequence[ImageRef], pixels: NDArray[np.uint8], draws: range
    ) -> list[Score | None]:
        """Score one proxy (height, width, 3) under the class of each ref, on the first one's noise.

        The null prompt is predicted once for all of them.
        """
        keep = self._keep(refs, draws)
        losses, features = self.budget.attempt(lambda: self._score_names(refs, pixels, draws, keep))
        self.images += 1
        return [self._checked(losses, features, row) for row in range(len(refs))]

    def name_maps(
        self, ref: ImageRef, pixels: NDArray[np.uint8], classes: Sequence[int], draws: range
    ) -> list[Score | None]:
        """Score one proxy (height, width, 3) under the names of classes, on its own noise.

        None where the output is not finite. The image does not count as scored.
        """
        refs = [ImageRef(ref.id, index) for index in classes]
        losses, _ = self.budget.attempt(lambda: self._score_names(refs, pixels, draws, None))
        return [self._checked(losses, None, row) for row in range(len(refs))]

    def _score_names(
        self,
        refs: Sequence[ImageRef],
        pixels: NDArray[np.uint8],
        draws: range,
        keep: KeepDraws | None,
    ) -> tuple[PairedLosses, Tensor]:
        s, prior = self._settings, self._prior
        clean = self._encode(pixels[None], 1)[0]  # (C, h, w)
        seed_id = refs[0].id
        noise = draw_noise(s.noise_seed, seed_id, s.timesteps, draws, clean.shape, s.antithetic)
        conditioning = join([self._null(), *(self._named(ref.class_index) for ref in refs)])
        grids = _Grids(len(refs), s.feature_grid)
        losses = named_losses(
            self._predicting(conditioning, grids, True), clean, noise.to(clean), s.timesteps,
            prior.schedule, prior.prediction, self.budget.rows, in_second_half(draws, s.antithetic),
            len(refs), keep,
        )  # fmt: skip
        maps = [getattr(losses, field.name) for field in fields(losses)]
        *maps, means = to_host([*maps, grids.means()])
        return PairedLosses(*maps), self._project(means)

    def label_losses(
        self,
        ref: ImageRef,
        pixels: NDArray[np.uint8],
        classes: Sequence[int],
        timesteps: Sequence[int],
        draws: range,
    ) -> NDArray[np.float32]:
        """Return the losses of one proxy (height, width, 3) under the names of classes, (K, T).

        The noise is that of the image's score.
        """
        return self.budget.attempt(
            lambda: self._label_losses(ref, pixels, classes, timesteps, draws)
        )

    def _label_losses(
        self,
        ref: ImageRef,
        pixels: NDArray[np.uint8],
        classes: Sequence[int],
        timesteps: Sequence[int],
        draws: range,
    ) -> NDArray[np.float32]:
        s, prior = self._settings, self._prior
        clean = self._encode(pixels[None], 1)[0]  # (C, h, w)
        noise = draw_noise(s.noise_seed, ref.id, timesteps, draws, clean.shape, s.antithetic)
        conditioning = join([self._named(index) for index in classes])

        def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
            rows = {name: values[which] for name, values in conditioning.items()}
            return self._timed(lambda: prior.predict(noised, times, rows)).output

        losses = label_losses(
            predict, clean, noise.to(clean), timesteps, prior.schedule, prior.prediction,
            self.budget.rows, len(classes),
        )  # fmt: skip
        return losses.float().cpu().numpy()

    def _score(
        self, refs: Sequence[ImageRef], pixels: NDArray[np.uint8], draws: range
    ) -> tuple[PairedLosses, Tensor | None]:
        s, prior, are_first = self._settings, self._prior, draws.start == 0
        batch = min(ENCODE_BATCH, self.images_per_call(len(draws)))
        clean = self._encode(pixels, batch)  # (B, C, h, w)
        noise = self._noise_of(refs, draws, clean.shape[1:])  # (B, T, D, C, h, w)
        conditioning = join([self._null(), *(self._named(ref.class_index) for ref in refs)])
        grids = _Grids(len(refs), s.feature_grid)

        losses = paired_losses(
            self._predicting(conditioning, grids, are_first), clean, to_device(noise, clean),
            s.timesteps, prior.schedule, prior.prediction, self.budget.rows,
            in_second_half(draws, s.antithetic), self._keep(refs, draws),
        )  # fmt: skip
        maps = [getattr(losses, field.name) for field in fields(losses)]
        if not are_first:
            return PairedLosses(*to_host(maps)), None
        *maps, means = to_host([*maps, grids.means()])
        return PairedLosses(*maps), self._project(means)

    def _predicting(self, conditioning: Conditioning, grids: _Grids, described: bool) -> Predict:
        """Return the network under prompts; with `described` it adds features to the grids."""

        def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
            tapped = (times == self._feature_timestep) & (which > 0) & described
            tap = tapped.nonzero()[:, 0]
            rows = {name: values[which] for name, values in conditioning.items()}
            predicted = self._timed(lambda: self._prior.predict(noised, times, rows, tap=tap))
            if predicted.features is not None:
                grids.add(which[tap] - 1, predicted.features)
            return predicted.output

        return predict

    def _keep(self, refs: Sequence[ImageRef], draws: range) -> KeepDraws | None:
        """Return what takes the losses of each draw of a batch; None where nobody wants them."""
        keep = self.keep_draws
        if keep is None:
            return None
        return lambda *maps: keep(refs, draws, DrawLosses(*(m.float().cpu().numpy() for m in maps)))

    def _noise_of(self, refs: Sequence[ImageRef], draws: range, shape: Sequence[int]) -> Tensor:
        """Draw the noise of images, (B, T, D, *shape); in threads where a device waits for it."""
        s = self._settings

        def draw(ref: ImageRef) -> Tensor:
            return draw_noise(s.noise_seed, ref.id, s.timesteps, draws, shape, s.antithetic)

        if self._prior.device.type == "cpu":
            return torch.stack([draw(ref) for ref in refs])
        with ThreadPoolExecutor() as pool:
            return torch.stack(list(pool.map(draw, refs)))

    def _encode(self, pixels: NDArray[np.uint8], batch: int) -> Tensor:
        parts = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
        return torch.cat([self._timed(partial(self._prior.encode, part)) for part in parts])

    def _project(self, grids: Tensor) -> Tensor:
        """Project features on a grid, (B, F, g, g), to (B, g, g, d)."""
        s = self._settings
        if self._projection is None:
            self._projection = random_projection(s.noise_seed, grids.shape[1], s.feature_dim)
        return grids.movedim(1, -1) @ self._projection

    def _checked(self, losses: PairedLosses, features: Tensor | None, row: int) -> Score | None:
        means = [losses.conditional[row], losses.gap[row], losses.difference[row]]
        means += [] if features is None else [features[row]]
        noises = losses.noise[row], losses.difference_noise[row]
        finite, noise = ([t.float().cpu() for t in parts] for parts in (means, noises))
        # In half precision, as stored: its largest number is 65504. Unknown noise is NaN.
        if not all(t.half().isfinite().all() for t in finite):
            return None
        if any(t.half().isinf().any() for t in noise):
            return None
        conditional, gap, difference, *grid = (t.numpy() for t in finite)
        return Score(conditional, gap, difference, *(t.numpy() for t in noise), *grid)

    def _embed_class(self, class_index: int) -> Conditioning:
        """Encode the class's prompt, one row; with --names all, the mean over its names."""
        names = self._used_names(class_index)
        if self._prior.reads == "prompts":
            names = [self._settings.conditional_prompt(name) for name in names]
        found = self._timed(lambda: self._prior.embed(names))
        return {k: v.mean(0, keepdim=True) if len(names) > 1 else v for k, v in found.items()}

    def _used_names(self, class_index: int) -> Sequence[str]:
        names = self._names[class_index]
        return names if self._settings.names == "all" else names[:1]

    def _embed_null(self) -> Conditioning:
        text = self._settings.unconditional_prompt() if self._prior.reads == "prompts" else ""
        return self._timed(lambda: self._prior.embed([text]))

    def _timed(self, call: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = call()
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return result


def _refuse_prompts(settings: ScoreSettings) -> None:
    """Raise `SettingError` for prompt settings, which a prior with labels would ignore."""
    for name in ("names", "prompt", "null_prompt"):
        usual = settings_of(ScoreSettings)[name].default
        if (value := getattr(settings, name)) != usual:
            label = name.replace("_", " ")
            raise SettingError(
                f"{label} must be {usual} for a prior of labels, which has no prompts, "
                f"got {value!r}",
                setting=name,
            )


def join(parts: Sequence[Conditioning]) -> Mapping[str, Tensor]:
    """Concatenate the rows of several conditionings."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


class _Grids:
    """Collects activations, pooled to a grid, and averages them per image."""

    def __init__(self, images: int, side: int) -> None:
        self._grids: list[list[Tensor]] = [[] for _ in range(images)]
        self._side = side

    def add(self, images: Tensor, activations: Tensor) -> None:
        """Add activations (N, F, fh, fw) of the images with indices (N,)."""
        pooled = functional.adaptive_avg_pool2d(activations.float(), self._side)
        for image, grid in zip(images.tolist(), pooled, strict=True):
            self._grids[image].append(grid)

    def means(self) -> Tensor:
        """Return the mean grids of all images, (B, F, g, g)."""
        return torch.stack([torch.stack(found).mean(0) for found in self._grids])
