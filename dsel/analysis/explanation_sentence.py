"""An explanation as a few short sentences.

Two quantities have names of their own: the loss inside the patch, which naming the class changes by
a ratio, and gaps, which are shares of the mean loss: the loss at the same timestep, averaged over
all images of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from dsel.analysis.explained import CLEAR, Explanation, Losses, Placement
from dsel.analysis.patch_view import PatchView
from dsel.analysis.rank_order import Reason
from dsel.config import SelectSettings

CLOSE_RATIO: Final = 1.005
"""Below this ratio to the runner-up, the sentence gives no number."""

LEAST_PERCENT: Final = 0.001
"""Percentages below this are given as less than it."""

MEAN_LOSS: Final = "of the mean loss"

ORDER: Final[Mapping[Reason, str]] = {
    "baseline": "the baseline orders the patches",
    "pins": "pinned patches come first",
    "centroid": "the most central patch of a cluster comes first",
    "turns": "clusters take turns",
}
"""Why a ranking does not follow the scores."""


def sentence(explanation: Explanation, settings: SelectSettings) -> str:
    """Write the explanation in three sentences: the loss, the box, the rank; counts are from 1."""
    patch, placement = explanation.patch, explanation.placement
    if patch is None or placement is None or explanation.losses is None:
        return _without_patch(explanation, settings)
    rank = _rank(explanation, placement, settings)
    return " ".join(
        (
            f"{_saved(explanation.losses)}.",
            f"{_comparison(explanation, patch, settings)}.",
            f"{_measure(explanation, patch, settings)}, it has {rank}; "
            f"{_kept(explanation, placement, settings)}.",
        )
    )


def locating_map(settings: SelectSettings) -> str:
    """Name the map that locating uses."""
    name = "difference" if settings.locate == "difference" else f"{settings.locate} gap"
    return f"smoothed {name}" if settings.smooth else name


def _without_patch(explanation: Explanation, settings: SelectSettings) -> str:
    if explanation.image_id in settings.bans:
        return "This image is banned, so it is never kept."
    if explanation.same_as:
        return f"This image has the same pixels as {explanation.same_as}, which is used instead."
    if not explanation.best:
        return "This image has no patch, because its maps contain NaN."
    return "This image has fewer patches."


def _saved(losses: Losses) -> str:
    """Say how naming the class changes the loss inside the patch: by its true ratio."""
    if not losses.saved:
        return "Naming the class does not change the loss inside this patch"
    verb = "lowers" if losses.saved > 0 else "raises"
    ends = f"from {_loss(losses.unconditional)} to {_loss(losses.conditional)}"
    return (
        f"Naming the class {verb} the loss inside this patch by {_percent(abs(losses.saved))}, "
        f"{ends}"
    )


def _comparison(explanation: Explanation, patch: PatchView, settings: SelectSettings) -> str:
    """Compare the patch with the other boxes of the image."""
    if settings.baseline != "none" and explanation.place < 0:
        return f"The baseline {settings.baseline} placed it"
    boxes, gap = f"{explanation.candidates:,} boxes", locating_map(settings)
    if patch.moved:
        best = f", and the best of {boxes} has a {gap} of {_share(explanation.best[0].mean)}"
        return f"It was moved by hand{'' if explanation.place == 0 else best}"
    own = f"Its {gap} of {_share(explanation.mean)}"
    if explanation.candidates == 1:
        return f"{own} is that of the only box of this size"
    if explanation.place != 0:
        choice = f"number {explanation.place + 1}" if explanation.place > 0 else "one"
        return f"{own} is {choice} of {boxes} among boxes that do not overlap a better one"
    return f"{own} is the largest of all {boxes}{_runner_up(explanation)}"


def _runner_up(explanation: Explanation) -> str:
    """Describe the lead of the best box over the runner-up."""
    if len(explanation.best) == 1:
        return ", with no room for a second one"
    if explanation.mean <= 0:
        return ""
    if explanation.is_tie:
        return f", but leads by less than {CLEAR:g} standard errors: the runner-up is as good"
    if np.isnan(explanation.ratio):
        return ", while that of the runner-up is not positive"
    if explanation.ratio < CLOSE_RATIO:
        return ", slightly above that of the runner-up"
    return f", {_times(explanation.ratio)} times that of the runner-up"


def _measure(explanation: Explanation, patch: PatchView, settings: SelectSettings) -> str:
    """Name what ranks the patch: a baseline, a gap, or the gap that the comparison gave."""
    if settings.baseline != "none":
        return f"By the baseline {settings.baseline}"
    gap = f"{settings.score} gap"
    if settings.rank_by == "picture":
        return f"By the {gap} over the whole picture, {_share(patch.picture_score)}"
    is_compared = explanation.place >= 0 and not patch.moved
    if is_compared and settings.score == settings.locate and not settings.smooth:
        return "By this gap"
    return f"By its {gap} of {_share(patch.score)}"


def _rank(explanation: Explanation, placement: Placement, settings: SelectSettings) -> str:
    if settings.baseline != "none":
        return f"rank {placement.rank + 1:,} of {placement.patches:,}"
    place = (
        f"rank {placement.rank_in_cluster + 1:,} of {placement.cluster_size:,} "
        f"in cluster {placement.cluster + 1:,} of {placement.clusters:,}"
    )
    if not explanation.order:
        return place
    reasons = " and ".join(ORDER[reason] for reason in explanation.order)
    return f"{place}, and {placement.rank + 1:,} of {placement.patches:,} in all, since {reasons}"


def _kept(explanation: Explanation, placement: Placement, settings: SelectSettings) -> str:
    pinned = settings.baseline == "none" and explanation.image_id in settings.pins
    if placement.dropped:
        return "dropped, so it is never kept"
    if not placement.images:
        return f"{'pinned, but ' if pinned else ''}not kept at IPC {settings.ipc:,}"
    numbers = [f"{n + 1:,}" for n in placement.images]
    names = " and ".join(filter(None, [", ".join(numbers[:-1]), numbers[-1]]))
    word = "image" if len(numbers) == 1 else "images"
    link = "in" if settings.factor > 1 else "as"
    prefix = "pinned, " if pinned else ""
    return f"{prefix}kept at IPC {settings.ipc:,} {link} {word} {names}"


def _share(share: float) -> str:
    return f"{_percent_of(share)} {MEAN_LOSS}"


def _percent_of(share: float) -> str:
    return f"−{_percent(-share)}" if share < 0 else _percent(share) if share else "0 %"


def _percent(share: float) -> str:
    """Format a positive share with two digits."""
    percent = 100 * share
    if percent < LEAST_PERCENT:
        return f"less than {LEAST_PERCENT} %"
    text = f"{percent:,.0f}" if percent >= 99.5 else f"{percent:#.2g}".rstrip(".")
    return f"{text} %"


def _loss(loss: float) -> str:
    """Format a loss with four digits, so that a small saving still shows."""
    return f"{loss:#.4g}".rstrip(".")


def _times(ratio: float) -> str:
    if ratio >= 100:
        return "more than 100"
    return f"{ratio:.0f}" if ratio >= 9.95 else f"{ratio:.2f}" if ratio < 1.095 else f"{ratio:.1f}"
