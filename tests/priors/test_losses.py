"""The paired losses, compared with closed forms and slow definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from statistics import NormalDist

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.mixture import MixturePrior
from torch import Tensor

from dsel.core.halves import in_second_half
from dsel.errors import PriorError
from dsel.priors.losses import (
    PREDICTIONS,
    PairedLosses,
    Predict,
    check_prediction,
    named_losses,
    paired_losses,
)
from dsel.priors.schedules import add_noise, diffusion_schedule
from dsel.types import Prior, Schedule

CELLS = 8
SPREAD = 0.3
TIMESTEPS = (100, 400, 800)
NAMES = ("cat", "dog")
MAPS = tuple(field.name for field in fields(PairedLosses))


def one_gaussian_each(channels: int = 1, **more: object) -> MixturePrior:
    """Two classes, one Gaussian each: their means differ in the left half of the picture only."""
    means = torch.zeros(2, 1, channels, CELLS, CELLS)
    means[0, ..., : CELLS // 2] = 0.7
    means[1, ..., : CELLS // 2] = -0.4
    means[..., CELLS // 2 :] = 0.2
    return MixturePrior(NAMES, means=means, spread=SPREAD, dtype=torch.float64, **more)


def asks(prior: MixturePrior, name: str) -> Predict:
    prompts = prior.embed(["An image of .", f"An image of {name}."])
    named = prompts["named"]
    return lambda noised, times, which: prior.predict(noised, times, {"named": named[which]}).output


def losses_of(
    prior: MixturePrior, clean: Tensor, noise: Tensor, rows_per_call: int = 64, name: str = "cat"
) -> PairedLosses:
    """The losses of one image, (T, h, w) each, by a schedule in full precision."""
    alphas = prior.alphas_cumprod.double()
    schedule = Schedule(alphas.sqrt(), (1 - alphas).sqrt(), torch.arange(1000.0))
    if prior.prediction == "flow":
        sigma = torch.arange(1, 1001, dtype=torch.float64) / 1000
        schedule = Schedule(1 - sigma, sigma, 1000 * sigma)
    return of_one(asks(prior, name), clean, noise, schedule, prior.prediction, rows_per_call)


def of_one(
    predict: Predict, clean: Tensor, noise: Tensor, schedule: Schedule, prediction: str = "epsilon",
    rows_per_call: int = 64, timesteps: tuple[int, ...] = TIMESTEPS,
) -> PairedLosses:  # fmt: skip
    """The losses of one image: clean (C, h, w), noise (T, D, C, h, w)."""
    found = paired_losses(
        predict, clean[None], noise[None], timesteps[: len(noise)], schedule, prediction,
        rows_per_call, in_second_half(range(noise.shape[1]), antithetic=False),
    )  # fmt: skip
    return PairedLosses(**{name: getattr(found, name)[0] for name in MAPS})


def half_noise() -> Schedule:
    """a = 0.5 at every timestep."""
    return diffusion_schedule(torch.full((1000,), 0.5))


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def test_mixture_prior__is_a_prior() -> None:
    prior = MixturePrior(NAMES)
    assert [n for n in vars(Prior) if n[0] != "_" and not hasattr(prior, n)] == []
    assert prior.embed(["An image of .", "", "An image of dog."])["named"].tolist() == [
        [1, 1], [1, 1], [0, 1]
    ]  # fmt: skip
    latent = torch.linspace(-1, 1, 3 * 64).reshape(3, 8, 8)
    assert (prior.encode(prior.decode(latent)[None])[0] - latent).abs().max() <= 1 / 255 + 1e-6
    both = latent.expand(2, 3, 8, 8)
    answer = prior.predict(both, torch.tensor([9, 9]), prior.embed(["", ""]), tap=torch.tensor([1]))
    assert answer.features is not None
    assert answer.features.shape == (1, 3, 8, 8)


def test_mixture_prior__predicts_the_mean_of_the_noise() -> None:
    """The closed form against the noise of many samples that end near the same z_t."""
    prior = one_gaussian_each()
    signal = float(prior.alphas_cumprod[400])
    named = torch.ones(2)
    generator = torch.Generator().manual_seed(1)
    which = torch.randint(2, (2_000_000,), generator=generator)
    clean = prior.means[which, 0, 0, 0, 0] + SPREAD * normal(len(which), seed=2)
    eps = normal(len(which), seed=3)
    a = torch.tensor(signal, dtype=torch.float64)
    noised = add_noise(clean, eps, a.sqrt(), (1 - a).sqrt())
    for z in (-1.5, -0.2, 0.4, 1.3):
        near = eps[(noised - z).abs() < 0.02]
        latent = torch.full((1, CELLS, CELLS), z)
        expected = prior.noise_estimate(latent, signal, named)[0, 0, 0]
        assert float(near.mean()) == pytest.approx(float(expected), abs=5 * len(near) ** -0.5)


def test_mixture_prior__no_row_touches_another() -> None:
    prior = MixturePrior(("a", "b", "c"))
    latents, times = normal(5, 3, 8, 8).float(), torch.tensor([3, 900, 20, 500, 3])
    named = prior.embed(["b", "", "c", "a", "b"])["named"]
    together = prior.predict(latents, times, {"named": named}).output
    apart = [
        prior.predict(latents[[i]], times[[i]], {"named": named[[i]]}).output for i in range(5)
    ]
    assert torch.equal(together, torch.cat(apart))


@pytest.mark.parametrize("channels", [1, 3])
def test_paired_losses__conditional_of_one_gaussian_in_closed_form(channels: int) -> None:
    """The loss is quadratic in eps, so that the pair 1 and -1 gives its mean exactly.

    With delta = z_0 - mu and v = a s^2 + b:  eps - eps_c = (a s^2 eps - sqrt(a b) delta) / v.
    """
    prior = one_gaussian_each(channels)
    clean = prior.sample(0, seed=5)
    noise = torch.ones(3, 2, channels, CELLS, CELLS, dtype=torch.float64)
    noise[:, 1] = -1
    found = losses_of(prior, clean, noise).conditional
    a = prior.alphas_cumprod[list(TIMESTEPS)].double()[:, None, None]
    delta = (clean - prior.means[0, 0]).square().mean(0)  # (h, w)
    v = a * SPREAD**2 + 1 - a
    expected = (a**2 * SPREAD**4 + a * (1 - a) * delta) / v**2
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_paired_losses__conditional_averages_to_the_least_possible_loss() -> None:
    """Over z_0 and eps the loss of the best prediction is Var[eps | z_t] = a s^2 / (a s^2 + b)."""
    prior = one_gaussian_each()
    found = torch.stack([
        losses_of(prior, prior.sample(0, n), normal(3, 8, 1, CELLS, CELLS, seed=n)).conditional
        for n in range(60)
    ]).mean(dim=(0, 2, 3))  # fmt: skip
    a = prior.alphas_cumprod[list(TIMESTEPS)].double()
    expected = a * SPREAD**2 / (a * SPREAD**2 + 1 - a)
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0)


def test_paired_losses__unconditional_by_integration() -> None:
    """Equally likely strata of the normal distribution stand for the draws."""
    prior, draws = one_gaussian_each(), 400
    strata = [NormalDist().inv_cdf((j + 0.5) / draws) for j in range(draws)]
    eps = torch.tensor(strata, dtype=torch.float64)[None, :, None, None, None]
    clean = prior.sample(0, seed=7)
    found = losses_of(prior, clean, eps.expand(3, draws, 1, CELLS, CELLS))
    grid = np.linspace(-8, 8, 4001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    for t, timestep in enumerate(TIMESTEPS):
        a = float(prior.alphas_cumprod[timestep])
        for row, column in ((0, 0), (3, 2), (5, 6)):
            z_t = math.sqrt(a) * float(clean[0, row, column]) + math.sqrt(1 - a) * grid
            best = best_noise(z_t, prior.means[:, 0, 0, row, column].numpy(), a)
            expected = np.trapezoid((grid - best) ** 2 * density, grid)
            assert float(found.unconditional[t, row, column]) == pytest.approx(expected, rel=0.01)


def best_noise(
    z_t: NDArray[np.float64], means: NDArray[np.float64], a: float
) -> NDArray[np.float64]:
    """E[eps | z_t] = -sqrt(b) d/dz log p(z_t), from the density alone (Tweedie's formula)."""
    v = a * SPREAD**2 + 1 - a

    def log_p(z: NDArray[np.float64]) -> NDArray[np.float64]:
        away = [-((z - math.sqrt(a) * mean) ** 2) / (2 * v) for mean in means]
        return np.logaddexp.reduce(away)

    step = 1e-5
    slope = (log_p(z_t + step) - log_p(z_t - step)) / (2 * step)
    return -math.sqrt(1 - a) * slope


def test_paired_losses__gap_is_zero_where_classes_are_alike_and_positive_where_not() -> None:
    prior = one_gaussian_each()
    gaps = [
        losses_of(prior, prior.sample(0, seed), normal(3, 16, 1, CELLS, CELLS, seed=seed)).gap
        for seed in range(10)
    ]
    gap = torch.stack(gaps).mean(0)
    assert gap[..., CELLS // 2 :].abs().max() < 1e-12
    assert (gap[..., : CELLS // 2].mean((1, 2)) > 0.001).all()
    other = losses_of(prior, prior.sample(0, 0), normal(3, 16, 1, CELLS, CELLS), name="dog").gap
    assert (other[..., : CELLS // 2].mean((1, 2)) < 0).all()


@pytest.mark.parametrize("draws", [1, 3, 4])
def test_paired_losses__slow_definition(draws: int) -> None:
    """One draw, one timestep, one prompt at a time, and each map by its definition."""
    prior = MixturePrior(("cat", "dog", "cow"), dtype=torch.float64)
    clean, noise = prior.sample(1, 3), normal(3, draws, 3, CELLS, CELLS, seed=4)
    found = losses_of(prior, clean, noise, rows_per_call=5, name="dog")
    null, named = prior.embed(["An image of .", "An image of dog."])["named"]
    for t, timestep in enumerate(TIMESTEPS):
        a = float(prior.alphas_cumprod[timestep])
        conditional, unconditional, difference = [], [], []
        for draw in range(draws):
            eps = noise[t, draw]
            z_t = math.sqrt(a) * clean + math.sqrt(1 - a) * eps
            answers = [prior.noise_estimate(z_t, a, prompt) for prompt in (named, null)]
            for answer, kept in zip(answers, (conditional, unconditional), strict=True):
                kept.append(((eps - answer) ** 2).mean(0))
            difference.append(((answers[0] - answers[1]) ** 2).mean(0))
        c, u = (sum(kept) / draws for kept in (conditional, unconditional))
        torch.testing.assert_close(found.conditional[t], c, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(found.unconditional[t], u, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(found.gap[t], u - c, rtol=1e-5, atol=1e-9)
        d = sum(difference) / draws
        torch.testing.assert_close(found.difference[t], d, rtol=1e-6, atol=1e-12)


def test_paired_losses__difference_of_two_single_gaussians_in_closed_form() -> None:
    """Each prompt names one Gaussian: eps_c - eps_u = sqrt(a b) (mu_u - mu_c) / v, whatever z_t is.

    So the map has no noise at all, while the gap's has: it hangs on eps.
    """
    prior = one_gaussian_each(3)
    prompts = prior.embed(["dog", "cat"])["named"]  # "dog" takes the place of the null prompt
    alphas = prior.alphas_cumprod.double()
    found = of_one(
        lambda z, t, which: prior.predict(z, t, {"named": prompts[which]}).output,
        prior.sample(0, 1), normal(3, 4, 3, CELLS, CELLS, seed=2),
        Schedule(alphas.sqrt(), (1 - alphas).sqrt(), torch.arange(1000.0)),
    )  # fmt: skip
    a = alphas[list(TIMESTEPS)][:, None, None]
    v = a * SPREAD**2 + 1 - a
    apart = (prior.means[0, 0] - prior.means[1, 0]).square().mean(0)  # (h, w)
    torch.testing.assert_close(found.difference, a * (1 - a) * apart / v**2, rtol=1e-6, atol=1e-15)
    assert found.difference_noise.abs().max() < 1e-9
    assert found.noise[..., : CELLS // 2].abs().min() > 1e-5


def test_paired_losses__difference_by_integration() -> None:
    """Of a mixture: over strata of eps, |eps_c - eps_u|^2 by Tweedie's formula."""
    prior, draws = one_gaussian_each(), 400
    strata = [NormalDist().inv_cdf((j + 0.5) / draws) for j in range(draws)]
    eps = torch.tensor(strata, dtype=torch.float64)[None, :, None, None, None]
    clean = prior.sample(0, seed=7)
    found = losses_of(prior, clean, eps.expand(3, draws, 1, CELLS, CELLS))
    grid = np.linspace(-8, 8, 4001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    for t, timestep in enumerate(TIMESTEPS):
        a = float(prior.alphas_cumprod[timestep])
        z_t = math.sqrt(a) * float(clean[0, 3, 2]) + math.sqrt(1 - a) * grid
        means = prior.means[:, 0, 0, 3, 2].numpy()
        apart = best_noise(z_t, means[:1], a) - best_noise(z_t, means, a)
        expected = np.trapezoid(apart**2 * density, grid)
        assert float(found.difference[t, 3, 2]) == pytest.approx(expected, rel=0.01)
        assert float(found.difference[t, 5, 6]) == pytest.approx(0, abs=1e-12)  # classes alike


def test_paired_losses__gap_is_the_difference_plus_a_term_of_mean_zero() -> None:
    """gap = difference + 2 (eps - eps_c)(eps_c - eps_u), draw by draw.

    Over images of the class the second term has mean 0: eps_c is the mean of eps given z_t, and the
    other factor depends on z_t alone.
    """
    prior, t = one_gaussian_each(3), 1
    a = float(prior.alphas_cumprod[TIMESTEPS[t]])
    named, null = prior.embed(["cat", ""])["named"]
    differences, terms = [], []
    for seed in range(200):
        clean, noise = prior.sample(0, seed), normal(3, 1, 3, CELLS, CELLS, seed=seed)
        found = losses_of(prior, clean, noise)
        z_t = math.sqrt(a) * clean + math.sqrt(1 - a) * noise[t, 0]
        eps_c, eps_u = (prior.noise_estimate(z_t, a, one) for one in (named, null))
        term = (2 * (noise[t, 0] - eps_c) * (eps_c - eps_u)).mean(0)
        torch.testing.assert_close(found.gap[t], found.difference[t] + term, rtol=1e-6, atol=1e-8)
        differences.append(found.difference[t, :, : CELLS // 2])
        terms.append(term[:, : CELLS // 2])
    difference, term = torch.stack(differences), torch.stack(terms)
    assert float(term.mean().abs()) < 4 * float(term.std()) / math.sqrt(term.numel())
    assert float(term.mean().abs()) < 0.05 * float(difference.mean())


def test_paired_losses__both_prompts_share_noise_and_timestep() -> None:
    """A network that ignores its prompt has no gap at all, not even a rounding error."""

    def ignore(noised: Tensor, times: Tensor, _which: Tensor) -> Tensor:
        return noised.sin() * times[:, None, None, None] / 1000

    prior = MixturePrior(NAMES)
    clean, noise = prior.sample(0, 0), normal(3, 4, 3, CELLS, CELLS).float()
    found = of_one(ignore, clean, noise, prior.schedule, rows_per_call=6)
    assert torch.equal(found.gap, torch.zeros(3, CELLS, CELLS))
    assert torch.equal(found.difference, torch.zeros(3, CELLS, CELLS))
    assert torch.equal(found.conditional, found.unconditional)


def test_paired_losses__a_small_gap_survives_float32() -> None:
    """A gap of 1e-6 beside losses of about 1: their difference in float32 would lose a tenth."""

    def nearly_alike(noised: Tensor, _times: Tensor, which: Tensor) -> Tensor:
        return torch.full_like(noised, 3.0) + 1e-6 * which[:, None, None, None]

    noise = torch.full((1, 2, 1, 2, 2), 1.5)
    found = of_one(nearly_alike, torch.zeros(1, 2, 2), noise, half_noise()).gap
    # the step between float32 numbers near 3 is 2.4e-7, and both answers are such numbers
    eps_c, eps_u = float(torch.tensor(3.0) + 1e-6), 3.0
    expected = (1.5 - eps_u) ** 2 - (1.5 - eps_c) ** 2
    torch.testing.assert_close(found, torch.full((1, 2, 2), expected), rtol=1e-5, atol=0)


def test_paired_losses__prompts_and_rows_of_a_call() -> None:
    """Each call asks null prompts first, then the same rows with the class, within the limit."""
    seen: list[tuple[list[int], list[int]]] = []

    def record(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
        assert torch.equal(*noised.chunk(2))
        seen.append((times.tolist(), which.tolist()))
        return noised

    noise = normal(2, 3, 1, 2, 2)
    schedule = half_noise()
    of_one(record, noise[0, 0], noise, schedule, rows_per_call=5, timesteps=(7, 900))
    assert seen == [
        ([7, 7, 7, 7], [0, 0, 1, 1]), ([7, 900, 7, 900], [0, 0, 1, 1]),
        ([900, 900, 900, 900], [0, 0, 1, 1]),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [2, 3, 7, 10, 8192])
def test_paired_losses__rows_per_call_do_not_matter(rows: int) -> None:
    prior = MixturePrior(NAMES)
    clean, noise = prior.sample(0, 0), normal(3, 5, 3, CELLS, CELLS).float()
    predict = asks(prior, "cat")
    one = of_one(predict, clean, noise, prior.schedule)
    other = of_one(predict, clean, noise, prior.schedule, rows_per_call=rows)
    for name in MAPS:
        assert torch.equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
def test_paired_losses__kinds_of_prediction_agree(prediction: str) -> None:
    """But for a flow, which noises in another way."""

    def maps(kind: str) -> PairedLosses:
        prior = one_gaussian_each(3, prediction=kind)
        return losses_of(prior, prior.sample(0, 0), normal(3, 4, 3, CELLS, CELLS))

    one, other = maps("epsilon"), maps(prediction)
    torch.testing.assert_close(one.gap, other.gap, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(one.conditional, other.conditional, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(one.difference, other.difference, rtol=1e-5, atol=1e-9)


def test_paired_losses__float32_is_kept_whatever_the_prior_answers_in() -> None:
    def half(noised: Tensor, _times: Tensor, _which: Tensor) -> Tensor:
        return noised.half()

    noise = normal(1, 2, 1, 2, 2).float()
    found = of_one(half, noise[0, 0], noise, half_noise())
    assert found.gap.dtype == found.conditional.dtype == torch.float32


def test_check_prediction__lists_the_known_ones() -> None:
    for known in PREDICTIONS:
        check_prediction(known)
    known = "epsilon, v_prediction, sample, flow"
    with pytest.raises(PriorError, match=f"predicts 'score'; dsel supports {known}"):
        check_prediction("score")


@pytest.mark.parametrize(
    ("prediction", "output"),
    [
        ("epsilon", lambda _clean, eps, _signal: eps),
        ("v_prediction", lambda clean, eps, signal: signal * eps - (1 - signal**2).sqrt() * clean),
        ("sample", lambda clean, _eps, _signal: clean),
        ("flow", lambda clean, eps, _signal: eps - clean),
    ],
)
def test_predictions__give_the_noise_back(
    prediction: str, output: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> None:
    clean, eps = normal(2, 1, 3, 3), normal(2, 1, 3, 3, seed=1)
    signal = torch.tensor([0.9, 0.3], dtype=torch.float64)[:, None, None, None]
    amount = 1 - signal if prediction == "flow" else (1 - signal**2).sqrt()
    noised = add_noise(clean, eps, signal, amount)
    found = PREDICTIONS[prediction](output(clean, eps, signal), noised, signal, amount)
    torch.testing.assert_close(found, eps)


def test_paired_losses__several_images_are_each_alone() -> None:
    prior = MixturePrior(NAMES, dtype=torch.float64)
    clean = torch.stack([prior.sample(n % 2, n) for n in range(3)])
    noise = normal(3, 2, 4, 3, CELLS, CELLS)
    named = prior.embed(["", "cat", "dog", "cat"])["named"]

    def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
        return prior.predict(noised, times, {"named": named[which]}).output

    together = paired_losses(
        predict, clean, noise, (100, 700), prior.schedule, "epsilon", 10, [False, True] * 2
    )
    for image, class_name in enumerate(("cat", "dog", "cat")):
        one = of_one(
            asks(prior, class_name),
            clean[image],
            noise[image],
            prior.schedule,
            timesteps=(100, 700),
        )
        for name in MAPS:
            assert torch.equal(getattr(together, name)[image], getattr(one, name))


def test_paired_losses__of_a_flow_is_a_scaled_velocity_loss() -> None:
    """|eps - eps_theta|^2 = (1 - sigma)^2 |v - v_theta|^2 for z_t = (1 - sigma) z_0 + sigma eps."""
    prior = one_gaussian_each(prediction="flow")
    clean, noise = prior.sample(0, 1), normal(3, 2, 1, CELLS, CELLS)
    found = losses_of(prior, clean, noise)
    named = prior.embed(["cat"])
    for t, timestep in enumerate(TIMESTEPS):
        sigma = (timestep + 1) / 1000
        z_t = (1 - sigma) * clean + sigma * noise[t]
        rows = {"named": named["named"].expand(2, -1)}
        v = prior.predict(z_t, torch.tensor([timestep] * 2), rows).output
        loss = ((noise[t] - clean - v) ** 2).mean((0, 1))
        torch.testing.assert_close(found.conditional[t], (1 - sigma) ** 2 * loss)


def test_paired_losses__noise_is_the_standard_error_in_closed_form() -> None:
    """Between two single Gaussians the gap of a draw is linear in eps.

    With d = sqrt(a b) (mu_c - mu_u) / v and the constant k, it is 2 d (a s^2 / v) eps + k in each
    channel, so that the variance of its mean over C channels and D draws is
    sum (2 d a s^2 / v)^2 / (C^2 D).
    """
    means = torch.zeros(2, 1, 3, 1, 1, dtype=torch.float64)
    means[0, 0, :, 0, 0] = torch.tensor([0.5, -0.2, 0.9])
    prior = MixturePrior(("cat", "dog"), means=means, spread=0.5, dtype=torch.float64)
    clean, draws = torch.zeros(1, 3, 64, 64, dtype=torch.float64), 4
    named = prior.embed(["dog", "cat"])["named"]
    a, s = 0.5, 0.5
    v = a * s**2 + 1 - a
    slope = 2 * math.sqrt(a * (1 - a)) / v * means[0, 0, :, 0, 0] * a * s**2 / v
    expected = float(slope.square().sum()) / 9 / draws
    schedule = half_noise()
    prior.alphas_cumprod = torch.full((1000,), 0.5)

    def noise_of(eps: Tensor, antithetic: bool) -> Tensor:
        return paired_losses(
            lambda z, t, which: prior.predict(z, t, {"named": named[which]}).output,
            clean, eps, (100,), schedule, "epsilon", 64, in_second_half(range(draws), antithetic),
        ).noise  # fmt: skip

    eps = normal(1, 1, draws, 3, 64, 64)
    assert float(noise_of(eps, False).square().mean()) == pytest.approx(expected, rel=0.05)
    # A pair of eps and -eps has a mean without noise, which both halves of whole pairs show.
    pairs = torch.stack([eps[:, :, 0], -eps[:, :, 0], eps[:, :, 1], -eps[:, :, 1]], 2)
    assert float(noise_of(pairs, True).abs().max()) < 1e-6


def test_named_losses__are_those_of_copies_on_the_same_noise() -> None:
    """As `paired_losses` of copies of the image, but the null prompt is predicted once."""
    clean, noise = normal(2, 4, 4), normal(3, 4, 2, 4, 4, seed=1)
    asked: list[int] = []

    def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
        asked.extend(which.tolist())
        return noised * (0.1 + 0.2 * which + 0.001 * times)[:, None, None, None]

    common = TIMESTEPS, half_noise(), "epsilon", 5, (False, True, False, True)
    found = named_losses(predict, clean, noise, *common, 3)
    assert [asked.count(prompt) for prompt in range(4)] == [12, 12, 12, 12]
    copies = clean.expand(3, *clean.shape), noise.expand(3, *noise.shape)
    expected = paired_losses(predict, *copies, *common)
    for name in MAPS:
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
