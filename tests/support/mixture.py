"""An exact stand-in for a diffusion model: Gaussian mixtures whose best noise prediction is known.

Each latent cell of class c is, independently of all other cells, drawn from a mixture of Gaussians
of one width s. Noised by z_t = sqrt(a) z_0 + sqrt(b) eps, component k is N(sqrt(a) mu_k, v), where
v = a s^2 + b, and the prediction that no network can beat is

    E[eps | z_t] = sum_k p(k | z_t) sqrt(b) (z_t - sqrt(a) mu_k) / v

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

from dsel.priors.schedules import diffusion_schedule, flow_schedule
from dsel.types import Conditioning, Pixels, Prediction

CHANNELS = 3


class MixturePrior:
    """The Prior protocol says what each member does; everything runs in float64 inside."""

    name = "mixture"
    precision = "float32"
    reads = "prompts"
    device = torch.device("cpu")
    backend = requested_backend = backend_to_try = "torch"
    weights = 1

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
        self.schedule = diffusion_schedule(self.alphas_cumprod)
        if prediction == "flow":
            sigmas = torch.arange(1, 1001) / 1000
            self.schedule = flow_schedule(sigmas, 1000 * sigmas)
        self.step_px = cell_px if means is None else 0
        self.origin = {"prior": "mixture"}
        self.dtype = dtype
        key = repr((self.classes, self.means.tolist(), spread, prediction)).encode()
        self.fingerprint = hashlib.sha256(key).hexdigest()[:16]

    def use_backend(self, name: str) -> None:
        """It has no network: any backend will do."""
        self.backend = name

    def tokens(self, text: str) -> list[tuple[list[int], int]]:
        """A token per character."""
        return [([*map(ord, text)], 1000)]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """named: which classes a prompt may mean, (P, classes): the named one, or all of them."""
        return {"named": torch.stack([self._named(prompt) for prompt in prompts])}

    def encode(self, pixels: Pixels) -> Tensor:
        """The mean colour of each cell, -1 to 1, (B, 3, h, w)."""
        images, height, width = pixels.shape[:3]
        px = self.cell_px
        cells = pixels.astype(np.float64).reshape(images, height // px, px, width // px, px, 3)
        pooled = cells.mean(axis=(2, 4))
        return torch.from_numpy(pooled / 127.5 - 1.0).movedim(-1, 1).to(self.dtype)

    def decode(self, latent: Tensor) -> Pixels:
        """A picture that `encode` maps to `latent`, up to rounding and clipping."""
        pixels = latent.double().add(1).mul(127.5).round().clamp(0, 255).movedim(0, -1).numpy()
        return pixels.astype(np.uint8).repeat(self.cell_px, axis=0).repeat(self.cell_px, axis=1)

    def predict(
        self,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        *,
        tap: Tensor | None = None,
    ) -> Prediction:
        """The best output there is, row by row, so that no row can touch another.

        The activations of a row are its expected clean latent, (C, h, w).
        """
        rows = list(zip(latents, timesteps, conditioning["named"], strict=True))
        output = torch.stack([self._output(*row) for row in rows]).to(self.dtype)
        if tap is None or not len(tap):
            return Prediction(output)
        return Prediction(output, torch.stack([self._clean(*rows[row]) for row in tap]).float())

    def sample(self, class_index: int, seed: int) -> Tensor:
        """A latent (C, h, w) of a class, from the very mixture that the predictions assume."""
        generator = torch.Generator().manual_seed(seed)
        means = self.means[class_index].expand(-1, -1, self.cells, self.cells)  # (K, C, h, w)
        which = torch.randint(len(means), means.shape[2:], generator=generator)  # (h, w)
        centre = torch.gather(means, 0, which.expand(1, *means.shape[1:]))[0]
        noise = torch.randn(centre.shape, generator=generator, dtype=torch.float64)
        return (centre + self.spread * noise).to(self.dtype)

    def noise_estimate(
        self, noised: Tensor, a: float, named: Tensor, b: float | None = None
    ) -> Tensor:
        """E[eps | z_t] for latents (..., C, h, w) and the classes named (classes,); b is 1 - a."""
        noise, z = 1.0 - a if b is None else b, noised.double().unsqueeze(-4)  # (..., 1, C, h, w)
        variance = a * self.spread**2 + noise
        away = z - math.sqrt(a) * self.means[named > 0].flatten(0, 1)  # (..., K, C, h, w)
        log_likelihood = -away.square().sum(-3, keepdim=True) / (2 * variance)
        responsibility = log_likelihood.softmax(-4)
        return math.sqrt(noise) / variance * (responsibility * away).sum(-4)

    def _output(self, noised: Tensor, timestep: Tensor, prompt: Tensor) -> Tensor:
        signal, noise = self._amplitudes(timestep)
        eps = self.noise_estimate(noised, signal**2, prompt, noise**2)
        if self.prediction == "epsilon":
            return eps
        clean = (noised.double() - noise * eps) / signal
        if self.prediction == "sample":
            return clean
        if self.prediction == "flow":
            return eps - clean
        return signal * eps - noise * clean  # v

    def _clean(self, noised: Tensor, timestep: Tensor, prompt: Tensor) -> Tensor:
        signal, noise = self._amplitudes(timestep)
        eps = self.noise_estimate(noised, signal**2, prompt, noise**2)
        return (noised.double() - noise * eps) / signal

    def _amplitudes(self, timestep: Tensor) -> tuple[float, float]:
        """The square roots of a and b, in full precision."""
        if self.prediction == "flow":
            sigma = (int(timestep) + 1) / 1000
            return 1 - sigma, sigma
        a = float(self.alphas_cumprod[timestep])
        return math.sqrt(a), math.sqrt(1 - a)

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
        return colours[..., None, None]


def stable_diffusion_schedule() -> Tensor:
    """The cumulative product of 1 - beta of Stable Diffusion's 1000 steps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()
