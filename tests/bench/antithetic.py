"""Measure whether antithetic pairs of noise lower the variance of the gap, at equal draws.

    python tests/bench/antithetic.py --prior mixture --images 20

prints one JSON object of ratios, variance with antithetic pairs over variance with independent
draws: below 1 pairs pay off, and 0.5 says that they are worth twice the draws. `per_cell` is of the
gap in one latent cell, `per_patch` of its mean over boxes of half the side, `overall` of the mean
over timesteps, each divided by its spread. The mixture is scored on latents of
its own, whose gap it knows exactly; any other prior on toybox scenes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# so that it also runs in a checkout that is not installed
sys.path[:0] = [str(Path(__file__).parents[up]) for up in (1, 2)]

from support.mixture import MixturePrior  # noqa: E402

from dsel.config import PriorSettings, ScoreSettings, SourceSettings  # noqa: E402
from dsel.core.integral_image import box_means, summed_area  # noqa: E402
from dsel.data import open_dataset  # noqa: E402
from dsel.data.images import to_proxy  # noqa: E402
from dsel.priors import load_prior  # noqa: E402
from dsel.priors.losses import paired_losses  # noqa: E402
from dsel.priors.noise import draw_noise  # noqa: E402
from dsel.types import Prior  # noqa: E402

Maps = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Latent:
    """A clean latent (C, h, w) and the class that its gap is asked of."""

    id: str
    clean: Tensor
    class_name: str


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="mixture", help="mixture, demo, a folder or a Hub id")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=16, help="pairs of draws per timestep")
    parser.add_argument("--timesteps", type=int, nargs="+", default=[*ScoreSettings().timesteps])
    parser.add_argument("--device", default="auto")
    flags = parser.parse_args()
    began = time.perf_counter()
    prior, latents = opened(flags.prior, flags.images, flags.device)
    gaps = np.stack([all_gaps(prior, one, flags.timesteps, flags.pairs) for one in latents])
    figures = {
        "prior": flags.prior, "images": flags.images, "pairs": flags.pairs,
        **ratios(gaps, flags.timesteps), "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    print(json.dumps(figures, indent=2))


def opened(name: str, images: int, device: str) -> tuple[Prior, Iterator[Latent]]:
    """The prior, and latents for it, one class after the other."""
    if name == "mixture":
        mixture = MixturePrior([f"class{n}" for n in range(10)])
        classes = mixture.classes
        return mixture, (
            Latent(f"mixture/{n}", mixture.sample(n % 10, seed=n), classes[n % 10])
            for n in range(images)
        )
    prior = load_prior(PriorSettings(prior=name, device=device))
    return prior, toybox_latents(prior, images)


def toybox_latents(prior: Prior, images: int) -> Iterator[Latent]:
    """Scenes of a seed that no demo prior was trained on."""
    settings = SourceSettings(per_class=-(-images // 10), scene_seed=990_001)
    scenes = open_dataset("toybox", settings)
    in_turn = sorted(scenes.refs, key=lambda ref: (ref.id.partition("/")[2], ref.class_index))
    for ref in in_turn[:images]:
        proxy = to_proxy(scenes.read(ref), prior.resolution_px, "crop", prior.step_px)
        yield Latent(ref.id, prior.encode(proxy.pixels[None])[0], scenes.classes[ref.class_index])


def all_gaps(prior: Prior, latent: Latent, timesteps: Sequence[int], pairs: int) -> Maps:
    """The gap of each single draw, (T, pairs, 2, h, w); the second of a pair has negative noise."""
    settings = ScoreSettings()
    named = settings.conditional_prompt(latent.class_name)
    prompts = prior.embed([settings.unconditional_prompt(), named])
    shape = latent.clean.shape
    noise = draw_noise(0, latent.id, timesteps, range(2 * pairs), shape, antithetic=True)

    def predict(noised: Tensor, times: Tensor, which: Tensor) -> Tensor:
        return prior.predict(noised, times, {k: v[which] for k, v in prompts.items()}).output

    found = []
    for one, timestep in zip(noise, timesteps, strict=True):
        # draws stand for timesteps here, so that nothing is averaged over them
        gap = paired_losses(
            predict, latent.clean[None], one[None, :, None], [timestep] * len(one),
            prior.schedule, prior.prediction, 64, [False],
        ).gap[0]  # fmt: skip
        found.append(gap.unflatten(0, (pairs, 2)))
    return torch.stack(found).double().numpy()


def ratios(gaps: Maps, timesteps: Sequence[int]) -> dict[str, object]:
    """Of gaps (N, T, pairs, 2, h, w), the ratio of variances per timestep and overall."""
    scales = np.sqrt(gaps.mean(axis=(2, 3)).var(axis=(2, 3)).mean(axis=0))  # (T,)
    figures: dict[str, object] = {}
    for name, maps in (("per_cell", gaps), ("per_patch", half_boxes(gaps))):
        with_pairs, independent = variances(maps)
        weighted = [float((v / scales**2).sum()) for v in (with_pairs, independent)]
        figures[name] = {
            "timesteps": {
                str(timestep): round(float(a / b), 4)
                for timestep, a, b in zip(timesteps, with_pairs, independent, strict=True)
            },
            "overall": round(weighted[0] / weighted[1], 4),
        }
    figures["noise_over_signal_per_draw"] = {
        str(timestep): round(float(noise**0.5 * 2**0.5 / scale), 2)
        for timestep, noise, scale in zip(timesteps, variances(gaps)[1], scales, strict=True)
    }
    return figures


def variances(maps: Maps) -> tuple[Maps, Maps]:
    """Mean variance (T,) of the average of two draws: a pair, and two independent ones.

    Both members of a pair are normal noise, so each half of the draws is an independent sample.
    """
    with_pairs = maps.mean(axis=3).var(axis=2, ddof=1)  # (N, T, h, w)
    independent = maps.var(axis=2, ddof=1).mean(axis=2) / 2  # (N, T, h, w)
    return with_pairs.mean(axis=(0, 2, 3)), independent.mean(axis=(0, 2, 3))


def half_boxes(gaps: Maps) -> Maps:
    """Means over boxes of half the side at every cell, (..., h, w) -> (..., h', w')."""
    flat = gaps.reshape(-1, *gaps.shape[-2:])
    side = flat.shape[-1] // 2
    corners = np.arange(side + 1, dtype=np.float64)
    means = box_means(summed_area(flat), corners, corners, side, side)
    return means.reshape(*gaps.shape[:-2], *means.shape[-2:])


if __name__ == "__main__":
    main()
