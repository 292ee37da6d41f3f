"""Patches that could replace a kept one."""

from __future__ import annotations

import pytest
from support.drawn import patch_of, scores_of, selection_of

from dsel.analysis.replacements import SwapEffect, find_replacements, swap_effect, swapped
from dsel.config import SelectSettings
from dsel.errors import SettingError
from dsel.types import ClassSelection

SCORES = scores_of([[[[0.0] * 4] * 4]] * 8).images
TWO = SelectSettings(ipc=2)


def ranked(clusters: str) -> ClassSelection:
    """Patches of the images cat/0, cat/1, ... in this order, each of the cluster of its digit."""
    return selection_of(
        [patch_of(f"cat/{n}", n, int(cluster)) for n, cluster in enumerate(clusters)]
    )


def test_find_replacements__of_its_cluster_first_and_none_that_is_kept() -> None:
    found = find_replacements(ranked("01010012"), SCORES, TWO, "cat/1")
    assert [one.image_id for one in found.cluster] == ["cat/3", "cat/6"]
    assert [one.image_id for one in found.others] == ["cat/2", "cat/4", "cat/5", "cat/7"]
    assert set(ranked("01010012").kept(2)) == {0, 1}


def test_find_replacements__no_more_than_asked_for() -> None:
    found = find_replacements(ranked("00000000"), SCORES, TWO, "cat/0", most=3)
    assert [one.image_id for one in found.cluster] == ["cat/2", "cat/3", "cat/4"]
    assert found.others == ()


def test_find_replacements__the_best_patch_of_each_image() -> None:
    ids = ["cat/0", "cat/1", "cat/1", "cat/0", "cat/2", "cat/2"]
    selected = selection_of([patch_of(image_id, n) for n, image_id in enumerate(ids)])
    found = find_replacements(selected, SCORES, SelectSettings(ipc=1), "cat/0")
    assert [(one.image_id, one.nth) for one in found.cluster] == [("cat/1", 0), ("cat/2", 0)]


def test_find_replacements__for_an_image_without_a_patch() -> None:
    with pytest.raises(SettingError, match="image 'cat/9' has no patch"):
        find_replacements(ranked("01"), SCORES, TWO, "cat/9")


@pytest.mark.parametrize(
    ("pins", "bans", "after"),
    [
        ((), (), (("b",), ("a",))),
        (("x", "a", "y"), ("z",), (("x", "b", "y"), ("a", "z"))),
        (("b", "a"), (), (("b",), ("a",))),
        (("b",), ("b2",), (("b",), ("a", "b2"))),
        ((), ("b", "c"), (("b",), ("a", "c"))),
    ],
)
def test_swapped__as_the_page_does(
    pins: tuple[str, ...], bans: tuple[str, ...], after: tuple[tuple[str, ...], ...]
) -> None:
    found = swapped(SelectSettings(pins=pins, bans=bans), "a", "b")
    assert (found.pins, found.bans) == after


def test_swap_effect__what_joins_and_leaves_besides_the_two() -> None:
    before, after = ranked("0123"), selection_of([patch_of(f"cat/{n}", r) for r, n in
                                                 enumerate((5, 0, 6, 7))])  # fmt: skip
    found = swap_effect(before, after, 3, "cat/1", "cat/5")
    assert found == SwapEffect("cat/5", joining=("cat/6",), leaving=("cat/2",))
    same = swap_effect(before, selection_of([patch_of("cat/0", 0), patch_of("cat/5", 1)]), 2,
                       "cat/1", "cat/5")  # fmt: skip
    assert same == SwapEffect("cat/5", (), ())
