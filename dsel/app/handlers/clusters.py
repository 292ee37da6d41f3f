"""Answers about a class in the plane: places, marks, who is inside a lasso, cards of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsel.analysis.layouts import OWN, settings_of_layout
from dsel.analysis.listing import cluster_counts
from dsel.app.requests import Request, packed, patch_plain, plain


def plane(request: Request) -> Mapping[str, Any]:
    """The images' places in a layout, asked once for each; more: layout, its name."""
    explorer, index = request.explorer, request.class_index
    name = request.text("layout", OWN)
    scores = explorer.scores(index)
    sides = [(frame.proxy_width, frame.proxy_height) for frame in scores.frames]
    return {
        "layout": name,
        "settings": plain(settings_of_layout(name)),
        "fitted": name != OWN or explorer.run.read_layout(index) is not None,
        "ids": list(scores.ids),
        "places": packed(explorer.layout(index, name)),
        "sizes": packed(np.array(sides, np.int32).reshape(-1, 2)),
    }


def relayout(request: Request) -> Mapping[str, Any]:
    """The layout of the view's patches: its name, whether it is ready; it is begun if it is not."""
    answer: Mapping[str, Any] = plain(
        request.explorer.layout_status(request.class_index, request.settings)
    )
    return answer


def marks(request: Request) -> Mapping[str, Any]:
    """What is shown of each image of the plane, in its order, under the view's settings."""
    explorer, index = request.explorer, request.class_index
    found = explorer.best_patches(index, request.settings)
    counts = cluster_counts(explorer.select(index, request.settings), explorer.scores(index).ids)
    return {
        "cluster": packed(found.cluster),
        "rank": packed(found.rank),
        "score": packed(found.score),
        "box": packed(found.box),
        "kept": packed(found.kept),
        "counts": list(counts.values()),
    }


def lasso(request: Request) -> Mapping[str, Any]:
    """Which images lie inside a polygon, and their patches by cluster; more: polygon, layout."""
    explorer, index = request.explorer, request.class_index
    polygon = request.polygon("polygon")
    ids = explorer.scores(index).ids
    corners = np.zeros((0, 2)) if polygon is None else polygon
    chosen = frozenset(explorer.lasso(index, corners, request.text("layout", OWN)))
    counts = cluster_counts(explorer.select(index, request.settings), chosen)
    return {
        "inside": packed(np.array([image_id in chosen for image_id in ids], np.uint8)),
        "counts": list(counts.values()),
    }


def cards(request: Request) -> Mapping[str, Any]:
    """The clusters of the class at a glance."""
    found = request.explorer.cluster_cards(request.class_index, request.settings)
    return {
        "cards": [
            {
                "cluster": card.cluster,
                "size": card.size,
                "kept": card.kept,
                "median": plain(card.median_score),
                "discriminative": [patch_plain(patch) for patch in card.discriminative],
                "central": [patch_plain(patch) for patch in card.central],
            }
            for card in found
        ]
    }


HANDLERS = {"plane": plane, "relayout": relayout, "marks": marks, "lasso": lasso, "cards": cards}
