"""The records of an explanation: why a patch was chosen, and the values of a cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from dsel.analysis.patch_view import PatchView
from dsel.analysis.rank_order import Reason
from dsel.types import Box

CLEAR: Final = 2.0
"""Standard errors by which the best box of an image must lead, or else the runner-up is as good."""


@dataclass(frozen=True, slots=True)
class CandidateBox:
    """One of the best boxes of an image that do not overlap, in proxy pixels.

    mean: of the map that locating uses. margin is its lead over the next best one; NaN if no other
    box fits. standard_error: of the mean; NaN if unknown.
    """

    box: Box
    mean: float
    margin: float
    standard_error: float = math.nan


@dataclass(frozen=True, slots=True)
class Losses:
    """Mean losses inside a box over the timesteps that the settings use."""

    conditional: float
    unconditional: float

    @property
    def saved(self) -> float:
        """The share of the unconditional loss that naming the class saves; negative if it adds."""
        if not self.unconditional:
            return 0.0
        return (self.unconditional - self.conditional) / self.unconditional


@dataclass(frozen=True, slots=True)
class TimestepGap:
    """The signed mean gap of a box at one timestep, as a share of the timestep's mean loss.

    rank counts from 0 among all boxes of the image at this timestep. counts: whether the settings
    use the timestep. standard_error: of the share; NaN if unknown.
    """

    timestep: int
    share: float
    rank: int
    counts: bool
    standard_error: float = math.nan


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a patch ranks in its class; ranks, clusters and distilled images count from 0.

    images: the distilled images among the first IPC ones that show it, usually one or none.
    dropped: no IPC keeps it.
    """

    cluster: int
    clusters: int
    rank_in_cluster: int
    cluster_size: int
    rank: int
    patches: int
    images: tuple[int, ...]
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of an image's patch; without a patch, the best boxes of the image.

    source_box: the patch in pixels of the upright source. candidates: how many boxes were compared.
    lead_error: the standard error of the margin of the first of them; NaN if unknown. losses:
    inside the patch. mean: of the map that locating uses, inside the patch. place: the index of the
    patch in `best`, -1 if it is none of them. ratio: its mean over that of the runner-up; NaN
    unless both are positive. order: why the patch ranks before one of a higher
    score, or after one of a lower score; empty if neither is so. same_as: the image with the same
    pixels that is used in place of this one.
    """

    image_id: str
    patch: PatchView | None
    source_box: Box | None
    candidates: int
    best: tuple[CandidateBox, ...]
    lead_error: float
    losses: Losses | None
    mean: float
    place: int
    ratio: float
    curve: tuple[TimestepGap, ...]
    placement: Placement | None
    order: tuple[Reason, ...]
    sentence: str
    same_as: str = ""

    @property
    def is_tie(self) -> bool:
        """Whether the best box is as good as its runner-up: ahead by less than `CLEAR` errors."""
        return bool(self.best) and self.best[0].margin < CLEAR * self.lead_error


@dataclass(frozen=True, slots=True)
class CellValues:
    """The values of one cell: losses, gap, difference, and the combined map that locates."""

    conditional: float
    unconditional: float
    gap: float
    difference: float
    combined: float


@dataclass(frozen=True, slots=True)
class CellReading:
    """The values of the cell under a pixel: per chosen timestep, and their means."""

    row: int
    column: int
    timesteps: tuple[int, ...]
    values: tuple[CellValues, ...]
    mean: CellValues
