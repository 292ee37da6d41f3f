"""Which images of a class need further draws of noise, so that their selection becomes steady."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dsel.config import ScoreSettings, SelectSettings
from dsel.core.clustering import cluster_patches
from dsel.core.gap_maps import combined_maps
from dsel.core.margins import margins
from dsel.core.ranking import rank_patches
from dsel.core.selection import locate_class, score_class, without_images
from dsel.types import ClassScores, Geometry

Doubles: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

LEAD = 2.0
"""Standard errors by which the leading box of an image has to be ahead of its runner-up."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Which of N images need further draws, (N,) each: for their place in the set, or their box."""

    place: Flags
    box: Flags


def needing_draws(
    scores: ClassScores, geometry: Geometry, settings: ScoreSettings, copies: Collection[str] = ()
) -> Needs:
    """Return which of a class's N images need further draws, whatever they may get.

    These are the images that compete for a place in the default selection of `keep` images, and
    those whose box is unsteady. copies: images that no selection uses.
    """
    select = SelectSettings(ipc=settings.keep)
    of = scores, geometry, select.timesteps
    located = locate_class(
        scores, geometry, select, combined_maps(*of, select.locate, select.smooth, locating=True)
    )
    scored = score_class(scores, located, geometry, select, combined_maps(*of, select.score))
    scored = without_images(scored, scores.ids, copies)
    image = scored.located.image
    clusters = cluster_patches(
        scored.located.features, scored.ranking, select.k, strength=scored.located.strength
    )
    keys = scored.ranking, clusters.labels, clusters.distance, select.within, select.across
    kept = np.isin(np.arange(len(image)), rank_patches(*keys)[: settings.keep])
    error = pooled_errors(scored.ranking_error, scores.draws[image])
    place, box = np.zeros(len(scores.ids), bool), np.zeros(len(scores.ids), bool)
    place[image] = contested(scored.ranking, error, clusters.labels, kept, settings.tolerance)
    found = margins(scores, geometry, select)
    box[image] = unsteady_boxes(found.lead, found.error)[image]
    return Needs(place, box)


def pooled_errors(error: Doubles, draws: Ints) -> Doubles:
    """Return standard errors (P,) from the mean variance of one draw in a class; NaN if unknown.

    error: (P,) of means over `draws` (P,) each, NaN where it is unknown. The error of one image has
    a degree of freedom per timestep, too few to compare two images by; the images of a class are
    about as noisy as each other.
    """
    known = np.isfinite(error)
    if not known.any():
        return np.full(len(error), np.nan)
    variance = float(np.mean(np.square(error[known]) * draws[known]))  # of one draw
    pooled: Doubles = np.sqrt(variance / draws)
    return pooled


def contested(
    score: Doubles, error: Doubles, cluster: Ints, kept: Flags, tolerance: float
) -> Flags:
    """Return which of P patches compete for a place in the kept set, (P,).

    A kept patch and one of its cluster that is left out do, if the chance that the latter is the
    better one exceeds the tolerance: Phi(-d / s), where d is the difference of their scores and s
    its standard error. Where errors are unknown (NaN), the last kept patch of a cluster and the
    first one left out do.
    """
    competes = np.zeros(len(score), bool)
    for name in np.unique(cluster[kept]):
        mine = cluster == name
        inside, outside = np.flatnonzero(mine & kept), np.flatnonzero(mine & ~kept)
        if not len(outside):
            continue
        if np.isnan(error[inside]).any():
            last, first = score[inside].argmin(), score[outside].argmax()
            competes[[inside[last], outside[first]]] = True
            continue
        lead = score[inside, None] - score[None, outside]
        spread = np.hypot(error[inside, None], error[None, outside])
        close = lead < NormalDist().inv_cdf(1 - tolerance) * spread
        competes[inside] |= close.any(axis=1)
        competes[outside] |= close.any(axis=0)
    return competes


def unsteady_boxes(margin: Doubles, error: Doubles) -> Flags:
    """Return which of P images have a leading box that is not ahead of its runner-up, (P,).

    margin: (P,) the lead of the mean inside the best box, NaN without a runner-up. error: (P,) its
    standard error; where it is unknown (NaN), the box counts as steady.
    """
    unsteady: Flags = margin < LEAD * error  # false where either is NaN
    return unsteady


def next_draws(draws: int, most: int) -> range:
    """Return the draws that an image gets next: as many as it has, up to the most it may get."""
    return range(draws, min(2 * draws, most))
