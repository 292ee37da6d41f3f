"""From clusters to the order in which patches stay: one ranked pool per class serves any IPC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Within: TypeAlias = Literal["score", "centroid"]
Across: TypeAlias = Literal["round-robin", "pooled"]
T = TypeVar("T")


def rank_patches(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    distance: NDArray[np.floating],
    within: Within,
    across: Across,
    pins: Sequence[int] = (),
) -> tuple[int, ...]:
    """Positions of all N patches, best first.

    within: inside a cluster by falling score, or by rising distance to the centroid.
    across: one patch of each cluster in turn, cluster 0 first, or all patches regardless of
    cluster.
    pins: positions that come before all others, in this order; the others keep theirs.
    """
    order = within_order(scores, distance, within)
    ranked = order if across == "pooled" else in_turn(_split(order, labels))
    return tuple(_first(pins, ranked))


def compose_images(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    distance: NDArray[np.floating],
    within: Within,
    across: Across,
    patches_per_image: int,
    pins: Sequence[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """The distilled images a class can give, best first, each as positions of its patches.

    An image's patches come from one cluster. A cluster's last image may lack patches: they are
    filled up with the cluster's best ones, and such images stand behind all full ones. Pinned
    patches are the first of their clusters, so that those of one cluster share an image, and the
    images that they lead come before all others, full or not, in the order of the pins.
    """
    if patches_per_image == 1:
        ranked = rank_patches(scores, labels, distance, within, across, pins)
        return tuple((position,) for position in ranked)
    full: list[list[tuple[int, ...]]] = []
    filled: list[list[tuple[int, ...]]] = []
    order = _first(pins, within_order(scores, distance, within))
    for cluster in _split(order, labels):
        whole = len(cluster) // patches_per_image * patches_per_image
        full.append(
            [tuple(cluster[i : i + patches_per_image]) for i in range(0, whole, patches_per_image)]
        )
        filled.append(
            [_fill_up(cluster[whole:], cluster, patches_per_image)] if cluster[whole:] else []
        )
    images = (*in_turn(full), *in_turn(filled))
    if across == "pooled":
        whole_images = sum(map(len, full))
        key = scores if within == "score" else -distance
        best = sorted(images[:whole_images], key=lambda image: -float(key[list(image)].mean()))
        images = (*best, *images[whole_images:])
    turn = {position: number for number, position in enumerate(pins)}
    return tuple(sorted(images, key=lambda image: turn.get(image[0], len(turn))))


def within_order(
    scores: NDArray[np.floating], distance: NDArray[np.floating], within: Within
) -> list[int]:
    """All positions by the key of `within`; equal ones keep their order."""
    key = -scores if within == "score" else distance
    return [int(position) for position in np.argsort(key, kind="stable")]


def in_turn(clusters: Iterable[list[T]]) -> Iterator[T]:
    """The first of each list, then the second of each, and so on."""
    missing = object()
    for turn in zip_longest(*clusters, fillvalue=missing):
        yield from (item for item in turn if item is not missing)  # type: ignore[misc]


def _first(pins: Sequence[int], order: Iterable[int]) -> list[int]:
    pinned = set(pins)
    return [*pins, *(position for position in order if position not in pinned)]


def _split(order: list[int], labels: NDArray[np.integer]) -> list[list[int]]:
    clusters: list[list[int]] = [[] for _ in range(int(labels.max()) + 1 if len(labels) else 0)]
    for position in order:
        clusters[labels[position]].append(position)
    return clusters


def _fill_up(rest: list[int], cluster: list[int], size: int) -> tuple[int, ...]:
    """`rest`, then the cluster's best from the top until the image is full."""
    filled = list(rest)
    while len(filled) < size:
        filled += cluster[: size - len(filled)]
    return tuple(filled)
