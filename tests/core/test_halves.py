"""The noise of a mean, from two halves of the draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dsel.core.halves import Draws, Halves, halves_of, in_second_half, merged


def drawn(values: np.ndarray, draws: range, antithetic: bool = False) -> Draws:
    """The mean and the noise of some of all draws (D, ...), by definition."""
    mine = values[draws.start : draws.stop]
    second = np.array(in_second_half(draws, antithetic))
    n, m = int((~second).sum()), int(second.sum())
    noise = np.full(values.shape[1:], np.nan, np.float32)
    if n and m:
        difference = mine[~second].mean(0) - mine[second].mean(0)
        noise = np.float32(math.sqrt(n * m) / (n + m)) * difference
    return Draws(mine.mean(0), noise, Halves(n, m))


def test_in_second_half__every_other_draw_or_pair() -> None:
    assert in_second_half(range(5), antithetic=False) == [False, True, False, True, False]
    assert in_second_half(range(6), antithetic=True) == [False, False, True, True, False, False]
    assert in_second_half(range(2, 6), antithetic=True) == [True, True, False, False]


def test_halves__scale_by_hand() -> None:
    assert Halves(2, 2).scale == 0.5  # half the difference
    assert Halves(2, 1).scale == pytest.approx(math.sqrt(2) / 3)
    assert math.isnan(Halves(1, 0).scale)
    assert halves_of(range(4), antithetic=True) == Halves(2, 2)
    assert halves_of(range(2), antithetic=True) == Halves(2, 0)
    assert halves_of(range(3), antithetic=False) == Halves(2, 1)


@pytest.mark.parametrize("draws", [2, 3, 4, 7])
def test_noise__its_square_is_the_variance_of_the_mean(draws: int) -> None:
    """20,000 means of draws of variance 4: the expected square is 4 / draws."""
    values = 2 * np.random.default_rng(0).normal(size=(draws, 20_000)).astype(np.float32)
    found = drawn(values, range(draws))
    assert np.square(found.noise).mean() == pytest.approx(4 / draws, rel=0.04)
    assert found.mean.var() == pytest.approx(4 / draws, rel=0.04)


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize(("first", "all_draws"), [(1, 2), (2, 4), (2, 8), (3, 8), (4, 6), (1, 5)])
def test_merged__as_if_all_had_been_drawn_at_once(
    first: int, all_draws: int, antithetic: bool
) -> None:
    values = np.random.default_rng(1).normal(size=(all_draws, 3, 5)).astype(np.float32)
    parts = [drawn(values, draws, antithetic) for draws in (range(first), range(first, all_draws))]
    found, expected = merged(parts), drawn(values, range(all_draws), antithetic)
    assert found.halves == expected.halves
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(found.noise, expected.noise, atol=1e-6)
