"""All baselines by name, with what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from dsel.core.baselines.base import Choice, Need, Pool
from dsel.core.baselines.centre_crop import centre_crop
from dsel.core.baselines.confidence import easiest, hardest
from dsel.core.baselines.facility_location import facility_location
from dsel.core.baselines.herding import herding
from dsel.core.baselines.kmeans_nearest import kmeans_nearest
from dsel.core.baselines.largest_object import largest_object
from dsel.core.baselines.no_clusters import no_clusters
from dsel.core.baselines.random_crop import random_crop
from dsel.core.baselines.random_whole import random_whole
from dsel.core.baselines.rded import rded


@dataclass(frozen=True, slots=True)
class Baseline:
    """One way to choose, what it keeps in a few words, and what it needs."""

    choose: Callable[[Pool], Choice]
    description: str
    needs: Need | None = None


BASELINES: Final[Mapping[str, Baseline]] = MappingProxyType({
    "random-whole": Baseline(random_whole, "random images, whole"),
    "random-crop": Baseline(random_crop, "random boxes of random images"),
    "centre-crop": Baseline(centre_crop, "the centres of random images"),
    "no-clusters": Baseline(no_clusters, "the highest ranking scores regardless of clusters"),
    "kmeans-nearest": Baseline(kmeans_nearest, "the images nearest to the centroids of k-means"),
    "herding": Baseline(herding, "images whose mean feature follows that of the class"),
    "facility-location": Baseline(
        facility_location, "images such that every other one is similar to one of them"
    ),
    "rded": Baseline(rded, "the random crops that a teacher is most confident of", "teacher"),
    "easiest": Baseline(easiest, "the images that a teacher is most confident of", "teacher"),
    "hardest": Baseline(hardest, "the images that a teacher is least confident of", "teacher"),
    "largest-object": Baseline(
        largest_object, "the images with the largest true objects", "objects"
    ),
})  # fmt: skip
"""Each baseline by its name in settings, in the order in which lists show them."""


def choose(name: str, pool: Pool) -> Choice:
    """Order the patches of a class by a baseline; a class without patches needs none."""
    if not len(pool.image):
        return Choice(np.zeros(0, np.int64))
    return BASELINES[name].choose(pool)
