"""Rank the clustered patches of one class: the first ones of a single ranking serve any IPC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, cycle, islice, zip_longest
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dsel.patches import Ints, earlier, quickly_sorted

Within: TypeAlias = Literal["score", "centroid"]
Across: TypeAlias = Literal["round-robin", "pooled"]
T = TypeVar("T")

ROUNDING = 1e-9
"""What rounding may take off a product that is a whole number."""


def rank_patches(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    distance: NDArray[np.floating],
    within: Within,
    across: Across,
    pins: Sequence[int] = (),
) -> tuple[int, ...]:
    """Return the positions of all N patches, best first.

    within: inside a cluster by falling score, or by rising distance to the centroid.
    across: one patch of each cluster in turn, cluster 0 first, or all patches regardless of
    cluster.
    pins: positions that come before all others, in this order; the others keep their order.
    """
    return tuple(ranked_positions(scores, labels, distance, within, across, pins).tolist())


def ranked_positions(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    distance: NDArray[np.floating],
    within: Within,
    across: Across,
    pins: Sequence[int] = (),
) -> Ints:
    """Return the positions of `rank_patches` as an array, (N,)."""
    order: Ints = np.argsort(_within_key(scores, distance, within), kind="stable")
    if across == "round-robin":
        mine = labels[order]
        turns = quickly_sorted(earlier(mine))
        order = order[np.lexsort((quickly_sorted(mine), turns))]
    if not pins:
        return order
    return np.concatenate([np.array(pins, np.int64), order[~np.isin(order, pins)]])


def compose_images(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    distance: NDArray[np.floating],
    within: Within,
    across: Across,
    patches_per_image: int,
    pins: Sequence[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """Return the distilled images that a class gives, best first, as positions of their patches.

    An image's patches come from one cluster. A cluster's last image may lack patches: it is filled
    up with the cluster's best ones and ranks after all complete images. Pinned patches are the
    first of their clusters, so that those of one cluster share an image. Images that start with a
    pinned patch come before all others, complete or not, in the order of the pins.
    """
    if patches_per_image == 1:
        ranked = rank_patches(scores, labels, distance, within, across, pins)
        return tuple((position,) for position in ranked)
    order = _pins_first(pins, within_order(scores, distance, within))
    clusters = _by_cluster(order, labels)
    complete = list(in_turn(_complete_images(one, patches_per_image) for one in clusters))
    if across == "pooled":
        key = scores if within == "score" else -distance
        complete.sort(key=lambda image: -float(key[list(image)].mean()))
    images = (*complete, *in_turn(_filled_image(one, patches_per_image) for one in clusters))
    turn = {position: number for number, position in enumerate(pins)}
    return tuple(sorted(images, key=lambda image: turn.get(image[0], len(turn))))


def lowest(
    scores: NDArray[np.floating], share: float, pins: Sequence[int] = ()
) -> NDArray[np.bool_]:
    """Return which positions have the lowest scores, (N,): this share of all, rounded down.

    Of equal scores, the later positions are taken. Pinned positions are not, nor others for them.
    """
    count = int(share * len(scores) + ROUNDING)
    chosen = np.zeros(len(scores), bool)
    if not count:
        return chosen
    chosen[np.argsort(-scores, kind="stable")[len(scores) - count :]] = True
    chosen[list(pins)] = False
    return chosen


def within_order(
    scores: NDArray[np.floating], distance: NDArray[np.floating], within: Within
) -> list[int]:
    """Return all positions in the order of `within`; equal ones keep their order."""
    positions: list[int] = np.argsort(_within_key(scores, distance, within), kind="stable").tolist()
    return positions


def _within_key(
    scores: NDArray[np.floating], distance: NDArray[np.floating], within: Within
) -> NDArray[np.floating]:
    return -scores if within == "score" else distance


def in_turn(clusters: Iterable[list[T]]) -> Iterator[T]:
    """Yield the first item of each list, then the second of each, and so on."""
    missing = object()
    for turn in zip_longest(*clusters, fillvalue=missing):
        yield from (item for item in turn if item is not missing)  # type: ignore[misc]


def _pins_first(pins: Sequence[int], order: Iterable[int]) -> list[int]:
    if not pins:
        return list(order)
    pinned = set(pins)
    return [*pins, *(position for position in order if position not in pinned)]


def _by_cluster(order: list[int], labels: NDArray[np.integer]) -> list[list[int]]:
    clusters: list[list[int]] = [[] for _ in range(int(labels.max()) + 1 if len(labels) else 0)]
    for position in order:
        clusters[labels[position]].append(position)
    return clusters


def _complete_images(cluster: list[int], size: int) -> list[tuple[int, ...]]:
    """Return the images that a cluster's patches fill, `size` patches each."""
    whole = len(cluster) // size * size
    return [tuple(cluster[start : start + size]) for start in range(0, whole, size)]


def _filled_image(cluster: list[int], size: int) -> list[tuple[int, ...]]:
    """Return the image of a cluster's remaining patches, if any, filled up with its best."""
    rest = cluster[len(cluster) // size * size :]
    if not rest:
        return []
    return [tuple(islice(chain(rest, cycle(cluster)), size))]
