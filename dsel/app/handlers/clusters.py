"""Handlers of Clusters: the projection, its marks, a lasso, cards of the clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsel.analysis.layouts import OWN, settings_of_layout
from dsel.analysis.listing import cluster_counts
from dsel.app.context import Context
from dsel.app.requests import LassoParams, LayoutParams, Params
from dsel.app.wire import packed, patch_wire, plain


def projection(context: Context, params: LayoutParams) -> Mapping[str, Any]:
    """Return the positions of the class's images in a layout, and the sizes of their proxies."""
    explorer, index, name = context.explorer, context.class_index, params.layout
    images = explorer.images(index)
    return {
        "layout": name,
        "settings": plain(settings_of_layout(name)),
        "fitted": name != OWN or explorer.run.read_layout(index) is not None,
        "ids": list(images.ids),
        "places": packed(explorer.layout(index, name)),
        "sizes": packed(images.frames.proxy.astype(np.int32)),
    }


def layout_status(context: Context, _: Params) -> Any:
    """Return the name of the layout of the view's patches and whether it is ready.

    Fitting begins in the background if it is not.
    """
    return plain(context.explorer.layout_status(context.class_index, context.settings))


def marks(context: Context, _: Params) -> Mapping[str, Any]:
    """Return what the plot shows of each image, in the order of the projection."""
    explorer, index = context.explorer, context.class_index
    found = explorer.best_patches(index, context.settings)
    counts = cluster_counts(explorer.select(index, context.settings))
    names = ("cluster", "rank", "score", "standard_error", "box", "kept")
    arrays = {name: packed(getattr(found, name)) for name in names}
    return {**arrays, "counts": list(counts.values())}


def lasso(context: Context, params: LassoParams) -> Mapping[str, Any]:
    """Return which images are inside a polygon, and how many patches of each cluster are."""
    explorer, index = context.explorer, context.class_index
    corners = np.array(params.polygon or (), np.float64).reshape(-1, 2)
    chosen = frozenset(explorer.lasso(index, corners, params.layout))
    counts = cluster_counts(explorer.select(index, context.settings), chosen)
    inside = [image_id in chosen for image_id in explorer.images(index).ids]
    return {"inside": packed(np.array(inside, np.uint8)), "counts": list(counts.values())}


def cluster_cards(context: Context, _: Params) -> Mapping[str, Any]:
    """Return a card of each cluster of the class."""
    cards = context.explorer.cluster_cards(context.class_index, context.settings)
    return {
        "cards": [
            {
                "cluster": card.cluster,
                "size": card.size,
                "kept": card.kept,
                "median": plain(card.median_score),
                "discriminative": [patch_wire(view) for view in card.discriminative],
                "central": [patch_wire(view) for view in card.central],
            }
            for card in cards
        ]
    }
