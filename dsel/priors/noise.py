"""The noise of an image: a function of (seed, image id, timestep, draw), and of nothing else.

This is where every seed of a score is made. No generator is shared between images, timesteps or
draws, so batch size, order, worker and resume cannot change a score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor


def draw_noise(
    seed: int,
    image_id: str,
    timesteps: Sequence[int],
    draws: range,
    shape: Sequence[int],
    antithetic: bool,
) -> Tensor:
    """Return the noise of one image, (T, D, *shape) float32, standard normal.

    draws: the D indices to draw. With antithetic pairs, draw 2j + 1 is the negative of draw 2j.
    """

    def sample(timestep: int, draw: int) -> Tensor:
        mirrored = antithetic and draw % 2
        generator = noise_generator(seed, image_id, timestep, draw - 1 if mirrored else draw)
        eps = torch.randn(tuple(shape), generator=generator)
        return -eps if mirrored else eps

    samples = [sample(timestep, draw) for timestep in timesteps for draw in draws]
    return torch.stack(samples).reshape(len(timesteps), len(draws), *shape)


def noise_generator(seed: int, image_id: str, timestep: int, draw: int) -> torch.Generator:
    """Return the generator of one draw, seeded with a hash of its key."""
    key = f"{seed}\0{image_id}\0{timestep}\0{draw}".encode()
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)


def random_projection(seed: int, source: int, target: int) -> Tensor:
    """Return a Gaussian projection (source, target) that preserves squared lengths on average.

    Johnson and Lindenstrauss, 1984. With source <= target it is the identity, padded by zeros.
    """
    if source <= target:
        return torch.eye(source, target)
    generator = noise_generator(seed, "projection", source, target)
    projection: Tensor = torch.randn(source, target, generator=generator) / target**0.5
    return projection
