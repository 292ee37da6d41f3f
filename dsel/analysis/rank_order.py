"""Why a class's ranking does not follow its scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from dsel.analysis.patch_view import ranking_score
from dsel.config import SelectSettings
from dsel.types import ClassSelection

Reason: TypeAlias = Literal["baseline", "pins", "centroid", "turns"]
"""A baseline orders the patches; pinned ones come first; within a cluster the most central comes
first; clusters take turns."""


def rank_reasons(selected: ClassSelection, settings: SelectSettings) -> tuple[Reason, ...]:
    """Return why patches rank before others of a higher score; empty if none does."""
    scores = _scores(selected, settings)
    if all(a >= b for a, b in pairwise(scores)):
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
    if max(scores[rank:]) <= own and min(scores[: rank + 1]) >= own:
        return ()
    return _reasons(selected, settings)


def _scores(selected: ClassSelection, settings: SelectSettings) -> Sequence[float]:
    """Return the scores that rank, of all patches that are not dropped, in their order."""
    ranked = len(selected.patches) - len(selected.dropped)
    return [ranking_score(patch, settings) for patch in selected.patches[:ranked]]


def _reasons(selected: ClassSelection, settings: SelectSettings) -> tuple[Reason, ...]:
    if settings.baseline != "none":
        return ("baseline",)
    ids = {patch.image_id for patch in selected.patches}
    several = len({patch.cluster for patch in selected.patches}) > 1
    applies: dict[Reason, bool] = {
        "pins": not ids.isdisjoint(settings.pins),
        "centroid": settings.within == "centroid",
        "turns": settings.across == "round-robin" and several,
    }
    return tuple(reason for reason, does in applies.items() if does)
