"""Why a class's ranking does not follow its scores."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from dsel.config import SelectSettings
from dsel.core.best_patches import ranking_scores
from dsel.patches import Doubles
from dsel.types import ClassSelection

Reason: TypeAlias = Literal["baseline", "pins", "centroid", "turns"]
"""A baseline orders the patches; pinned ones come first; within a cluster the most central comes
first; clusters take turns."""


def rank_reasons(selected: ClassSelection, settings: SelectSettings) -> tuple[Reason, ...]:
    """Return why patches rank before others of a higher score; empty if none does."""
    scores = _scores(selected, settings)
    if (scores[:-1] >= scores[1:]).all():
        return ()
    return _reasons(selected, settings)


def order_of(selected: ClassSelection, rank: int, settings: SelectSettings) -> tuple[Reason, ...]:
    """Return why one patch ranks before a higher score or after a lower one; empty if it does not.

    Dropped patches rank last for their low score, or for the cut that they repeat.
    """
    scores = _scores(selected, settings)
    if rank >= len(scores):
        return ()
    own = scores[rank]
    if scores[rank:].max() <= own and scores[: rank + 1].min() >= own:
        return ()
    return _reasons(selected, settings)


def _scores(selected: ClassSelection, settings: SelectSettings) -> Doubles:
    """Return the scores that rank, of all patches that are not dropped, in their order."""
    ranked = len(selected.patches) - len(selected.dropped)
    return ranking_scores(selected.patches, settings)[:ranked]


def _reasons(selected: ClassSelection, settings: SelectSettings) -> tuple[Reason, ...]:
    if settings.baseline != "none":
        return ("baseline",)
    patches = selected.patches
    several = len(np.unique(patches.cluster)) > 1
    applies: dict[Reason, bool] = {
        "pins": any(map(patches.of_image, settings.pins)),
        "centroid": settings.within == "centroid",
        "turns": settings.across == "round-robin" and several,
    }
    return tuple(reason for reason, does in applies.items() if does)
