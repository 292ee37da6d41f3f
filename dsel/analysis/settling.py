"""How the choice of an image's box settled: over its timesteps, and over its draws where stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dsel.analysis.explorer import Explorer
from dsel.config import SelectSettings
from dsel.core.gap_maps import image_bucket, mean_losses, timestep_columns
from dsel.core.halves import halves_of, in_second_half
from dsel.core.settling import BestBox, best_box
from dsel.runs.draws import StoredDraws, read_draws
from dsel.types import Bucket, Geometry


@dataclass(frozen=True, slots=True)
class Step:
    """The best box after some of the noise; at: a timestep, or a number of draws."""

    at: int
    best: BestBox


@dataclass(frozen=True, slots=True)
class Settling:
    """The steps of an image; the last ones of `cumulative` and of `draws` are what was chosen.

    alone: each timestep that the settings use by itself. cumulative: up to it, from the smallest.
    draws: after 1, 2, ... draws, as a run with so many would choose; empty where the run stores
    only the means over draws. Half of an antithetic pair has no standard error.
    """

    alone: tuple[Step, ...]
    cumulative: tuple[Step, ...]
    draws: tuple[Step, ...]


def settling(
    explorer: Explorer, class_index: int, image_id: str, settings: SelectSettings
) -> Settling:
    """Return how the best box of an image settled; boxes moved by hand do not count."""
    scores, geometry = explorer.scores(class_index), explorer.geometry
    row = explorer.row_of(class_index, image_id)
    bucket = image_bucket(scores, row)
    columns = timestep_columns(settings.timesteps, geometry.timesteps)
    counted = sorted(geometry.timesteps[column] for column in columns)

    def steps(parts: list[tuple[int, ...]]) -> tuple[Step, ...]:
        return tuple(
            Step(part[-1], best_box(scores, bucket, geometry, settings.replace(timesteps=part)))
            for part in parts
        )

    image_id = explorer.known_id(image_id)
    stored = read_draws(explorer.run, image_id)
    return Settling(
        alone=steps([(timestep,) for timestep in counted]),
        cumulative=steps([tuple(counted[: n + 1]) for n in range(len(counted))]),
        draws=() if stored is None else tuple(
            Step(count, best_box(scores, of_image, of_losses, settings))
            for count, of_image, of_losses in _replayed(explorer, image_id, stored, bucket)
        ),
    )  # fmt: skip


def _replayed(
    explorer: Explorer, image_id: str, stored: StoredDraws, bucket: Bucket
) -> Iterator[tuple[int, Bucket, Geometry]]:
    """Yield what a run with the first 1, 2, ... draws would have stored of the image.

    The draws of rounds change what they change in the run: neither the losses, nor the maps that
    locate of an image that no round chose for its box.
    """
    run, every = explorer.run, list(_all_losses(explorer))
    settings = run.identity.settings
    moves = run.round_files.chose_box(run.summary.rounds, image_id)
    for count in range(1, stored.count + 1):
        sums = np.sum([one.loss[:, :count].mean(axis=1) for one in every], axis=0, dtype=float)
        losses = mean_losses(sums, len(every))
        if count >= settings.draws:
            losses = explorer.geometry.losses
        after = _after(stored, count, settings.antithetic, bucket)
        if count > settings.draws and not moves:
            first = _after(stored, settings.draws, settings.antithetic, bucket)
            after = replace(
                after,
                difference=first.difference,
                difference_noise=first.difference_noise,
                settled_gap=first.gap,
                settled_noise=first.noise,
            )
        yield count, after, replace(explorer.geometry, losses=losses)


def _all_losses(explorer: Explorer) -> Iterator[StoredDraws]:
    """Yield the draws of all scored images of the run, whose losses scores are divided by."""
    for image_id, is_scored in zip(
        explorer.run.images.ids, explorer.run.images.is_scored, strict=True
    ):
        stored = read_draws(explorer.run, image_id) if is_scored else None
        if stored is not None:
            yield stored


def _after(stored: StoredDraws, count: int, antithetic: bool, bucket: Bucket) -> Bucket:
    """Return the maps of an image after its first draws, in the precision of a run."""
    second = np.array(in_second_half(range(count), antithetic))
    scale = halves_of(range(count), antithetic).scale
    maps = {"gap": stored.gap[:, :count], "difference": stored.difference[:, :count]}
    means = {name: part.mean(axis=1) for name, part in maps.items()}
    is_known = second.any() and not second.all() and not (antithetic and count % 2)
    noise = {
        name: scale * (part[:, ~second].mean(axis=1) - part[:, second].mean(axis=1))
        if is_known
        else np.full_like(means[name], np.nan)
        for name, part in maps.items()
    }
    return replace(
        bucket,
        gap=means["gap"][None].astype(np.float16),
        difference=means["difference"][None].astype(np.float16),
        noise=noise["gap"][None].astype(np.float16),
        difference_noise=noise["difference"][None].astype(np.float16),
        settled_gap=None,
        settled_noise=None,
    )
