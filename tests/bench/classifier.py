"""Asks a prior which class each image is of: the one whose prompt predicts the noise best.

    python tests/bench/classifier.py --prior FOLDER --source DATASET --split test --images 500

The diffusion classifier (Li et al., arXiv 2303.16203, algorithm 1): every class's prompt is tried
on the same noised latents, and the lowest mean loss wins. A prior whose accuracy is at chance
cannot tell which patch is discriminative. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import Tensor

from dsel.config import PriorSettings, ScoreSettings, SourceSettings
from dsel.data import open_dataset
from dsel.data.images import to_proxy
from dsel.errors import UnreadableImage
from dsel.priors import load_prior
from dsel.priors.losses import PREDICTIONS
from dsel.priors.noise import draw_noise
from dsel.priors.schedules import add_noise, amplitudes
from dsel.types import Conditioning, ImageRef, Pixels, Prior


def main() -> None:
    options = _options()
    settings = ScoreSettings(prompt=options.prompt)
    classes = open_dataset(options.source, SourceSettings(split=options.split)).classes
    per_class = max(1, options.images // len(classes))
    dataset = open_dataset(options.source, SourceSettings(split=options.split, per_class=per_class))
    prior = load_prior(PriorSettings(prior=options.prior, device=options.device))
    texts = [settings.conditional_prompt(name) for name in classes]
    prompts = prior.embed(texts if prior.reads == "prompts" else classes)
    right: dict[int, list[bool]] = {index: [] for index in range(len(classes))}
    began = time.perf_counter()
    for ref in dataset.refs:
        try:
            picture = dataset.read(ref)
        except UnreadableImage as reason:
            print(f"skipped {ref.id}: {reason}", file=sys.stderr)
            continue
        pixels = to_proxy(picture, prior.resolution_px, settings.fit, prior.step_px).pixels
        losses = class_losses(prior, prompts, ref, pixels, options)
        right[ref.class_index].append(int(losses.argmin()) == ref.class_index)
    seconds = time.perf_counter() - began
    answers = [answer for found in right.values() for answer in found]
    figures = {
        "prior": options.prior,
        "images": len(answers),
        "accuracy": round(_share(answers), 4),
        "chance": round(1 / len(classes), 4),
        "per_class": {classes[index]: round(_share(found), 3) for index, found in right.items()},
        "timesteps": options.timesteps,
        "draws": options.draws,
        "images_per_s": round(len(answers) / seconds, 3),
    }
    print(json.dumps(figures))


def class_losses(
    prior: Prior, prompts: Conditioning, ref: ImageRef, pixels: Pixels, options: argparse.Namespace
) -> Tensor:
    """The mean loss under each of C prompts, on the same noise: (C,)."""
    clean = prior.encode(pixels[None])[0]
    draws, classes = range(options.draws), len(next(iter(prompts.values())))
    noise = draw_noise(options.seed, ref.id, options.timesteps, draws, clean.shape, False)
    eps = noise.flatten(0, 1)  # (N, C, h, w)
    times = torch.tensor(options.timesteps).repeat_interleave(options.draws)  # (N,)
    # Row c N + n is noise n under prompt c.
    which = torch.arange(classes).repeat_interleave(len(eps))
    row = torch.arange(len(eps)).repeat(classes)
    losses = []
    for n, c in zip(row.split(options.rows), which.split(options.rows), strict=True):
        signal, amount = amplitudes(prior.schedule, times[n])
        noised = add_noise(clean, eps[n], signal, amount)
        named = {name: values[c] for name, values in prompts.items()}
        output = prior.predict(noised, times[n], named).output
        guess = PREDICTIONS[prior.prediction](output, noised, signal, amount)
        losses.append((guess - eps[n]).square().mean((1, 2, 3)))
    return torch.cat(losses).unflatten(0, (classes, len(eps))).mean(1)


def _share(answers: list[bool]) -> float:
    return sum(answers) / max(1, len(answers))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="demo")
    parser.add_argument("--source", default="toybox")
    parser.add_argument("--split", default="")
    parser.add_argument("--images", type=int, default=500, help="in all, evenly over the classes")
    parser.add_argument(
        "--timesteps", type=int, nargs="+", default=[100 + 700 * n // 11 for n in range(12)]
    )
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--rows", type=int, default=64, help="noised latents in one call")
    parser.add_argument("--prompt", default=ScoreSettings().prompt)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
