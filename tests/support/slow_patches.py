"""Slow definitions that columns of patches are tested against: record by record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsel.config import SelectSettings
from dsel.core.clustering import Clusters
from dsel.core.selection import Scored
from dsel.types import Box, ClassScores, Frame, Patch


def slow_cut(patch: Box, frame: Frame, settings: SelectSettings) -> Box:
    """The cut around one patch: a square of its side, moved into the proxy."""
    shorter = min(frame.proxy_width, frame.proxy_height)
    side = {
        "patch": patch.width,
        "context": min(settings.context * patch.width, shorter),
        "whole": float(shorter),
    }[settings.cut]
    if side == patch.width:
        return patch
    corners = (
        min(max(start + (patch.width - side) / 2, 0.0), length - side)
        for start, length in ((patch.x, frame.proxy_width), (patch.y, frame.proxy_height))
    )
    return Box(*corners, side, side)


def slow_patches(
    scores: ClassScores, scored: Scored, clusters: Clusters, ranked: Sequence[int],
    settings: SelectSettings,
) -> tuple[Patch, ...]:  # fmt: skip
    """The patches at these positions, one by one."""
    located = scored.located
    patches = []
    for rank, at in enumerate(ranked):
        row, side = int(located.image[at]), float(located.patch_px)
        frame = scores.frames[row]
        box = Box(float(located.x[at]), float(located.y[at]), side, side)
        boxes = box, frame.to_source(box), frame.to_source(slow_cut(box, frame, settings))
        numbers = (
            scored.patch[at], scored.patch_error[at], scored.picture[at], scored.picture_error[at],
            located.margin[at], clusters.labels[at], clusters.distance[at],
        )  # fmt: skip
        explanation = (number.item() for number in numbers)
        patches.append(Patch(scores.ids[row], scores.index, *boxes, *explanation, rank))
    return tuple(patches)


def slow_repeated(image: np.ndarray, cuts: Sequence[Box]) -> list[bool]:
    """Whether each patch has the cut of an earlier one of its image."""
    keys = list(zip(image.tolist(), cuts, strict=True))
    return [key in keys[:at] for at, key in enumerate(keys)]


def slow_turns(order: Sequence[int], labels: Sequence[int]) -> list[int]:
    """An order in which clusters take turns, cluster 0 first."""
    clusters = {label: [at for at in order if labels[at] == label] for label in sorted({*labels})}
    ranked = []
    while any(clusters.values()):
        ranked += [members.pop(0) for members in clusters.values() if members]
    return ranked
