"""Noise is a function of the seed, the image, the timestep and the draw."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dsel.priors.noise import draw_noise, noise_generator, random_projection


def noise_of(
    seed: int = 3, image_id: str = "cat/1", timesteps: tuple[int, ...] = (200, 500),
    draws: int | range = 4, shape: tuple[int, ...] = (2, 5, 5), antithetic: bool = False,
) -> Tensor:  # fmt: skip
    wanted = range(draws) if isinstance(draws, int) else draws
    return draw_noise(seed, image_id, timesteps, wanted, shape, antithetic)


def test_draw_noise__is_standard_normal() -> None:
    noise = noise_of(timesteps=tuple(range(50)), draws=8, shape=(4, 16, 16))
    assert noise.shape == (50, 8, 4, 16, 16)
    assert noise.dtype == torch.float32
    assert abs(float(noise.mean())) < 5 * noise.numel() ** -0.5
    assert float(noise.var()) == pytest.approx(1, abs=5 * (2 / noise.numel()) ** 0.5)
    flat = noise.flatten(2).flatten(0, 1).numpy()  # (400, 1024)
    correlation = np.corrcoef(flat)[np.triu_indices(400, 1)]
    assert abs(correlation).max() < 6 / 1024**0.5


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"image_id": "cat/2"}, {"timesteps": (201, 501)}, {"image_id": "cat/1 "}],
    ids=str,
)
def test_draw_noise__each_argument_counts(change: dict[str, object]) -> None:
    one, other = noise_of(), noise_of(**change)
    assert not (one == other).flatten(2).all(2).any()


def test_draw_noise__all_draws_differ() -> None:
    draws = noise_of(timesteps=(1, 11, 111), draws=12).flatten(0, 1).flatten(1)
    assert len(torch.unique(draws, dim=0)) == 36


def test_draw_noise__other_timesteps_order_and_number_of_draws_do_not_count() -> None:
    both = noise_of(timesteps=(200, 500), draws=4)
    assert torch.equal(noise_of(timesteps=(500,), draws=4)[0], both[1])
    assert torch.equal(noise_of(timesteps=(500, 7, 200), draws=4)[[2, 0]], both)
    assert torch.equal(noise_of(timesteps=(200, 500), draws=2), both[:, :2])


def test_draw_noise__antithetic_pairs_are_negatives() -> None:
    noise = noise_of(antithetic=True, draws=6)
    assert torch.equal(noise[:, 0::2], -noise[:, 1::2])
    assert torch.equal(noise[:, 0::2], noise_of(draws=6)[:, 0::2])


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_draw_noise__further_draws_continue_the_first_ones(antithetic: bool, first: int) -> None:
    parts = [noise_of(draws=r, antithetic=antithetic) for r in (range(first), range(first, 6))]
    assert torch.equal(torch.cat(parts, dim=1), noise_of(draws=6, antithetic=antithetic))


def test_draw_noise__leaves_the_global_state() -> None:
    before = torch.random.get_rng_state()
    noise_of()
    assert torch.equal(before, torch.random.get_rng_state())


def test_noise_generator__same_key_same_stream() -> None:
    one, other = (torch.randn(3, generator=noise_generator(1, "a", 2, 3)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, torch.randn(3, generator=noise_generator(1, "a", 23, 0)))


def test_random_projection__keeps_squared_lengths_on_average() -> None:
    matrix = random_projection(0, 1280, 64)
    assert matrix.shape == (1280, 64)
    vectors = torch.randn(200, 1280, generator=torch.Generator().manual_seed(0))
    ratio = (vectors @ matrix).square().sum(1) / vectors.square().sum(1)
    assert float(ratio.mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(matrix, random_projection(0, 1280, 64))
    assert not torch.equal(matrix, random_projection(1, 1280, 64))


def test_random_projection__pads_what_is_short_enough() -> None:
    assert torch.equal(random_projection(0, 2, 3), torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    assert torch.equal(random_projection(0, 3, 3), torch.eye(3))
