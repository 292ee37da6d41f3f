"""Results of the public functions: typed, and counted from 1 as the page counts."""

from __future__ import annotations

from typing import TypedDict, cast

from dsel.analysis.explained import Explanation, Losses, Placement
from dsel.analysis.patch_view import PatchView
from dsel.app.wire import patch_wire, plain
from dsel.types import Box


class PatchResult(TypedDict):
    """One patch; boxes are x, y, width, height in pixels of the image as the prior saw it.

    Scores and the margin are shares of the mean loss: the page writes 0.05 as 5 %. rank, cluster,
    nth (among the patches of the image) and kept (distilled images) count from 1. Standard errors
    are null where they are unknown.
    """

    id: str
    box: list[float]
    cut: list[float]
    size: list[int]
    score: float | None
    standard_error: float | None
    picture_score: float | None
    picture_standard_error: float | None
    margin: float | None
    cluster: int
    rank: int
    nth: int
    kept: list[int]
    dropped: bool
    pinned: bool
    moved: bool


class BoxResult(TypedDict):
    """One of the best boxes of an image: its mean on the map that locates, its lead, as shares."""

    box: list[float]
    mean: float | None
    margin: float | None
    standard_error: float | None


class TimestepResult(TypedDict):
    """The signed gap in the patch at one timestep, as a share; rank among all boxes, from 1."""

    timestep: int
    share: float | None
    rank: int
    counts: bool
    standard_error: float | None


class LossesResult(TypedDict):
    """Mean losses inside the patch, and the share that naming the class saves of the second."""

    conditional: float
    unconditional: float
    saved: float


class PlacementResult(TypedDict):
    """Where the patch ranks; ranks, clusters and images count from 1."""

    cluster: int
    clusters: int
    rank_in_cluster: int
    cluster_size: int
    rank: int
    patches: int
    images: list[int]
    dropped: bool


class ExplanationResult(TypedDict):
    """Why a patch was chosen. patch and what belongs to it are null for an image without one.

    place: of the patch among the best boxes, from 1; 0 if it is none of them. lead_error: the
    standard error of the first one's margin. is_tie: whether that margin is less than two of them.
    """

    image_id: str
    sentence: str
    patch: PatchResult | None
    source_box: list[float] | None
    losses: LossesResult | None
    placement: PlacementResult | None
    candidates: int
    place: int
    best: list[BoxResult]
    lead_error: float | None
    is_tie: bool
    curve: list[TimestepResult]


class MapsResult(TypedDict):
    """Maps of an image, row by row, one value per cell; combined is what the box search uses."""

    conditional: list[list[float]]
    unconditional: list[list[float]]
    gap: list[list[float]]
    difference: list[list[float]]
    combined: list[list[float]]


def patch_result(view: PatchView) -> PatchResult:
    """Return a patch as programs get it."""
    counted = {"cluster": view.cluster + 1, "rank": view.rank + 1, "nth": view.nth + 1}
    kept = [number + 1 for number in view.kept]
    return cast("PatchResult", {**patch_wire(view), **counted, "kept": kept})


def explanation_result(found: Explanation) -> ExplanationResult:
    """Return an explanation as programs get it."""
    return {
        "image_id": found.image_id,
        "sentence": found.sentence,
        "patch": patch_result(found.patch) if found.patch else None,
        "source_box": _box(found.source_box) if found.source_box else None,
        "losses": _losses(found.losses) if found.losses else None,
        "placement": _placement(found.placement) if found.placement else None,
        "candidates": found.candidates,
        "place": found.place + 1,
        "best": [
            {
                "box": _box(one.box),
                "mean": plain(one.mean),
                "margin": plain(one.margin),
                "standard_error": plain(one.standard_error),
            }
            for one in found.best
        ],
        "lead_error": plain(found.lead_error),
        "is_tie": found.is_tie,
        "curve": [
            {
                "timestep": one.timestep,
                "share": plain(one.share),
                "rank": one.rank + 1,
                "counts": one.counts,
                "standard_error": plain(one.standard_error),
            }
            for one in found.curve
        ],
    }


def _box(box: Box) -> list[float]:
    return [box.x, box.y, box.width, box.height]


def _losses(losses: Losses) -> LossesResult:
    return {
        "conditional": losses.conditional,
        "unconditional": losses.unconditional,
        "saved": losses.saved,
    }


def _placement(place: Placement) -> PlacementResult:
    return {
        "cluster": place.cluster + 1,
        "clusters": place.clusters,
        "rank_in_cluster": place.rank_in_cluster + 1,
        "cluster_size": place.cluster_size,
        "rank": place.rank + 1,
        "patches": place.patches,
        "images": [number + 1 for number in place.images],
        "dropped": place.dropped,
    }
