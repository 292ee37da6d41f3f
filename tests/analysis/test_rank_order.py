"""Why rankings do not follow scores: clusters in turn, pins, centroids, baselines."""

from __future__ import annotations

import pytest
from support.drawn import patch_of, selection_of

from dsel.analysis.rank_order import order_of, rank_reasons
from dsel.config import SelectSettings
from dsel.types import ClassSelection

PATCH = SelectSettings(rank_by="patch")


def ranked(*scores: float, clusters: tuple[int, ...] = (0, 1, 0, 1)) -> ClassSelection:
    pairs = zip(scores, clusters, strict=False)
    return selection_of([patch_of(f"cat/{n}", n, c, score) for n, (score, c) in enumerate(pairs)])


def test_rank_reasons__none_where_scores_fall() -> None:
    assert rank_reasons(ranked(0.4, 0.3, 0.3, 0.1), PATCH) == ()


@pytest.mark.parametrize(
    ("settings", "reasons"),
    [
        ({}, ("turns",)),
        ({"pins": ("cat/0",)}, ("pins", "turns")),
        ({"pins": ("dog/0",)}, ("turns",)),
        ({"within": "centroid"}, ("centroid", "turns")),
        ({"across": "pooled", "pins": ("cat/0",)}, ("pins",)),
        ({"baseline": "herding"}, ("baseline",)),
    ],
)
def test_rank_reasons__of_the_settings(
    settings: dict[str, object], reasons: tuple[str, ...]
) -> None:
    assert rank_reasons(ranked(0.2, 0.3, 0.1, 0.05), PATCH.replace(**settings)) == reasons


def test_rank_reasons__dropped_patches_do_not_count() -> None:
    patches = ranked(0.4, 0.3, 0.2, 0.9).patches
    assert rank_reasons(selection_of(patches, [(0,), (1,), (2,)]), PATCH) == ()


def test_order_of__only_the_patches_out_of_order() -> None:
    selected = ranked(0.9, 0.2, 0.3, 0.1)
    found = [order_of(selected, rank, PATCH) for rank in range(4)]
    assert found == [(), ("turns",), ("turns",), ()]
