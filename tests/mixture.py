"""An exact stand-in for a diffusion model: Gaussian mixtures whose best noise prediction is known.

Each latent cell of class c is, independently of all other cells, drawn from a mixture of Gaussians
of one width s. Noised by z_t = sqrt(a) z_0 + sqrt(1 - a) eps, component k is N(sqrt(a) mu_k, v),
where v = a s^2 + 1 - a, and the prediction that no network can beat is

    E[eps | z_t] = sum_k p(k | z_t) sqrt(1 - a) (z_t - sqrt(a) mu_k) / v

where k runs over the components of the named class, or of all classes for the null prompt.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dsel.records import Pixels

CHANNELS = 3


class MixturePrior:
    """The Prior protocol says what each member does; everything runs in float64 inside."""

    name = "mixture"
    precision = "float32"

    def __init__(
        self,
        classes: Sequence[str],
        *,
        means: Tensor | None = None,
        spread: float = 0.2,
        resolution_px: int = 64,
        cell_px: int = 8,
        prediction: str = "epsilon",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`means` is (classes, components, C, h, w), each component as likely; `spread` is s."""
        self.classes = tuple(classes)
        self.resolution_px, self.cell_px = resolution_px, cell_px
        self.cells = resolution_px // cell_px
        self.means = (self._default_means() if means is None else means).double()
        self.spread = spread
        self.prediction = prediction
        self.alphas_cumprod = stable_diffusion_schedule()
        self.dtype = dtype
        key = repr((self.classes, self.means.tolist(), spread, prediction)).encode()
        self.fingerprint = hashlib.sha256(key).hexdigest()[:16]

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Which classes a prompt may mean, (P, 1, classes): the named one, or all of them."""
        return torch.stack([self._named(prompt) for prompt in prompts])[:, None]

    def encode(self, pixels: Pixels) -> Tensor:
        """The mean colour of each cell, -1 to 1, (3, h, w)."""
        cells, px = self.cells, self.cell_px
        pooled = pixels.astype(np.float64).reshape(cells, px, cells, px, 3).mean(axis=(1, 3))
        return torch.from_numpy(pooled / 127.5 - 1.0).movedim(-1, 0).to(self.dtype)

    def decode(self, latent: Tensor) -> Pixels:
        """A picture that `encode` maps to `latent`, up to rounding and clipping."""
        pixels = latent.double().add(1).mul(127.5).round().clamp(0, 255).movedim(0, -1).numpy()
        return pixels.astype(np.uint8).repeat(self.cell_px, axis=0).repeat(self.cell_px, axis=1)

    def predict(self, latents: Tensor, timesteps: Tensor, prompts: Tensor) -> Tensor:
        """The best output there is, row by row, so that no row can touch another."""
        rows = zip(latents, timesteps, prompts, strict=True)
        return torch.stack([self._output(*row) for row in rows]).to(self.dtype)

    def features(self, latents: Tensor, timesteps: Tensor, prompts: Tensor) -> Tensor:
        """The expected clean latent, (B, C, h, w)."""
        rows = zip(latents, timesteps, prompts, strict=True)
        return torch.stack([self._clean(*row) for row in rows]).float()

    def sample(self, class_index: int, seed: int) -> Tensor:
        """A latent (C, h, w) of a class, from the very mixture that the predictions assume."""
        generator = torch.Generator().manual_seed(seed)
        means = self.means[class_index]  # (K, C, h, w)
        which = torch.randint(len(means), means.shape[2:], generator=generator)  # (h, w)
        centre = torch.gather(means, 0, which.expand(1, *means.shape[1:]))[0]
        noise = torch.randn(centre.shape, generator=generator, dtype=torch.float64)
        return (centre + self.spread * noise).to(self.dtype)

    def noise_estimate(self, noised: Tensor, signal: float, named: Tensor) -> Tensor:
        """E[eps | z_t] for latents (..., C, h, w), a = signal and the classes named (classes,)."""
        noise, z = 1.0 - signal, noised.double().unsqueeze(-4)  # (..., 1, C, h, w)
        variance = signal * self.spread**2 + noise
        away = z - math.sqrt(signal) * self.means[named > 0].flatten(0, 1)  # (..., K, C, h, w)
        log_likelihood = -away.square().sum(-3, keepdim=True) / (2 * variance)
        responsibility = log_likelihood.softmax(-4)
        return math.sqrt(noise) / variance * (responsibility * away).sum(-4)

    def _output(self, noised: Tensor, timestep: Tensor, prompt: Tensor) -> Tensor:
        signal = float(self.alphas_cumprod[timestep])
        eps = self.noise_estimate(noised, signal, prompt[0])
        if self.prediction == "epsilon":
            return eps
        clean = (noised.double() - math.sqrt(1 - signal) * eps) / math.sqrt(signal)
        if self.prediction == "sample":
            return clean
        return math.sqrt(signal) * eps - math.sqrt(1 - signal) * clean  # v = sqrt(a) eps - ... z_0

    def _clean(self, noised: Tensor, timestep: Tensor, prompt: Tensor) -> Tensor:
        signal = float(self.alphas_cumprod[timestep])
        eps = self.noise_estimate(noised, signal, prompt[0])
        return (noised.double() - math.sqrt(1 - signal) * eps) / math.sqrt(signal)

    def _named(self, prompt: str) -> Tensor:
        found = [name for name in self.classes if re.search(rf"\b{re.escape(name)}\b", prompt)]
        if not found:
            return torch.ones(len(self.classes))
        longest = max(found, key=len)  # "toy car" names one class, though "car" may be another
        return torch.tensor([float(name == longest) for name in self.classes])

    def _default_means(self) -> Tensor:
        """Mid-gray ground and a colour of its own for each class, wherever in the picture."""
        turns = torch.arange(len(self.classes), dtype=torch.float64)[:, None] / len(self.classes)
        hue = 2 * math.pi * (turns + torch.arange(CHANNELS) / CHANNELS)  # (classes, C)
        colours = torch.stack([torch.zeros_like(hue), 0.8 * torch.cos(hue)], dim=1)
        return colours[..., None, None].expand(-1, -1, -1, self.cells, self.cells)


def stable_diffusion_schedule() -> Tensor:
    """The cumulative product of 1 - beta of Stable Diffusion's 1000 steps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()
