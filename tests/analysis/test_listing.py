"""Rows of the gallery in every order, page by page, and cards of clusters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from math import isnan, nan
from statistics import median

import numpy as np
import pytest
from support.drawn import patch_of, selection_of

from dsel.analysis.comparison import compare
from dsel.analysis.listing import (
    MOST_ROWS,
    Changing,
    ClusterCard,
    Listing,
    Page,
    Side,
    SkippedRow,
    change_rows,
    cluster_cards,
    cluster_counts,
    list_changes,
    list_patches,
    list_skipped,
)
from dsel.analysis.patch_view import PatchView
from dsel.config import SelectSettings
from dsel.core.best_patches import best_patches
from dsel.errors import SettingError
from dsel.runs.schema import ImageRow
from dsel.types import Box, ClassImages, ClassSelection, Frame, Frames

PATCHES = [  # name, cluster, score, margin
    ("d", 1, 0.5, 0.1), ("a", 0, 0.9, nan), ("c", 1, 0.7, 0.3), ("b", 0, 0.7, -0.2),
    ("e", 2, -0.1, 0.3),
]  # fmt: skip
SELECTED = selection_of(
    [patch_of(name, n, cluster, score, margin) for n, (name, cluster, score, margin) in
     enumerate(PATCHES)],
    [(0, 1), (2, 0), (3, 4)],
)  # fmt: skip


TWO = SelectSettings(ipc=2)


def scores(selected: ClassSelection) -> ClassImages:
    """Each image has a frame whose width follows from its best rank."""
    ids = tuple(dict.fromkeys(patch.image_id for patch in selected.patches))
    frames = tuple(Frame(9, 9, Box(0, 0, 9, 9), 100 + n, 64) for n in range(len(ids)))
    return ClassImages(ids, Frames.of(frames))


def listed(selected: ClassSelection, view: Listing, ipc: int = 2) -> Page[PatchView]:
    return list_patches(selected, scores(selected), SelectSettings(ipc=ipc), view)


def names(view: Listing, selected: ClassSelection = SELECTED) -> str:
    page = listed(selected, view)
    return "".join(row.image_id for row in page.rows)


@pytest.mark.parametrize(
    ("sort", "forwards", "backwards"),
    [
        ("rank", "dacbe", "ebcad"),
        ("score", "acbde", "edcba"),  # of equal ones, c stands before b: it has the better rank
        ("margin", "cedba", "bdcea"),  # a has none
        ("cluster", "abdce", "edcab"),
        ("name", "abcde", "edcba"),
    ],
)
def test_list_patches__order(sort: str, forwards: str, backwards: str) -> None:
    assert names(Listing(sort=sort)) == forwards
    assert names(Listing(sort=sort, backwards=True)) == backwards


@pytest.mark.parametrize(("sort", "back"), product(["score", "margin", "cluster"], [False, True]))
def test_list_patches__slow_definition(sort: str, back: bool) -> None:
    """Each row comes before all those that it should come before, of many equal ones."""
    rng = np.random.default_rng(0)
    patches = [
        patch_of(f"{n:02d}", n, int(rng.integers(3)), rng.integers(4) / 8,
                 nan if n % 5 == 0 else rng.integers(4) / 8)
        for n in range(60)
    ]  # fmt: skip
    selected = selection_of(patches)
    page = listed(selected, Listing(sort=sort, backwards=back), 2)
    found = list(page.rows)
    assert len(found) == 60
    for one, other in pairwise(found):
        a, b = getattr(one, sort), getattr(other, sort)
        falling = back != (sort != "cluster")
        assert (a > b if falling else a < b) or isnan(b) or (a == b and one.rank < other.rank)
        assert not isnan(a) or (isnan(b) and one.rank < other.rank)


def test_list_patches__unknown_order() -> None:
    with pytest.raises(
        SettingError, match="unknown order 'size'; known are: rank, score, picture_score, margin"
    ):
        names(Listing(sort="size"))  # type: ignore[arg-type]


def test_list_patches__of_a_cluster_and_of_some_images() -> None:
    assert names(Listing(cluster=1)) == "dc"
    assert names(Listing(cluster=7)) == ""
    assert names(Listing(image_ids=["e", "b", "x"])) == "be"
    assert names(Listing(image_ids=[])) == ""
    assert names(Listing(sort="score", cluster=0, image_ids=("a", "c"))) == "a"


def test_list_patches__rows_hold_size_and_distilled_images() -> None:
    rows = listed(SELECTED, Listing(), 2).rows
    assert [(row.width_px, row.height_px) for row in rows] == [(100 + n, 64) for n in range(5)]
    assert [row.kept for row in rows] == [(0, 1), (0,), (1,), (), ()]


def test_list_patches__pages() -> None:
    selected = selection_of([patch_of(f"{n:03d}", n) for n in range(250)])
    shown = [listed(selected, Listing(page=page), 1) for page in range(4)]
    assert [len(page.rows) for page in shown] == [100, 100, 50, 50]
    assert [(page.page, page.pages, page.total) for page in shown] == [
        (0, 3, 250), (1, 3, 250), (2, 3, 250), (2, 3, 250),
    ]  # fmt: skip
    every = [row.rank for page in shown[:3] for row in page.rows]
    assert every == list(range(250))
    small = listed(selected, Listing(page=-2, rows=7), 1)
    assert (small.page, small.pages, len(small.rows)) == (0, 36, 7)


@pytest.mark.parametrize("rows", [0, -1, MOST_ROWS + 1])
def test_list_patches__rows_of_a_page(rows: int) -> None:
    with pytest.raises(SettingError, match=f"rows of a page must be between 1 and 100, got {rows}"):
        names(Listing(rows=rows))


def test_list_patches__empty_class() -> None:
    page = listed(selection_of([]), Listing(page=3))
    assert page == Page((), 0, 1, 0)


def image(name: str, class_index: int, reason: str = "") -> ImageRow:
    return ImageRow(name, class_index, 0, -1 if reason else 0, 0, None, reason)


def test_list_skipped__with_reasons_in_dataset_order() -> None:
    images = [
        image("b", 0, "is empty"), image("a", 0), image("c", 1, "is text"), image("0", 0, "is SVG"),
    ]  # fmt: skip
    rows = (SkippedRow("b", "is empty"), SkippedRow("0", "is SVG"))
    assert list_skipped(images, 0) == Page(rows, 0, 1, 2)
    assert list_skipped(images, 0, 1, 1) == Page(rows[1:], 1, 2, 2)
    assert list_skipped(images, 2) == Page((), 0, 1, 0)


def cards(selected: ClassSelection, ipc: int) -> tuple[ClusterCard, ...]:
    return cluster_cards(selected, scores(selected), SelectSettings(ipc=ipc))


def test_cluster_cards__by_hand() -> None:
    scores, distances = [0.9, 0.1, 0.5, 0.3], [3, 1, 2, 1]
    patches = [
        patch_of(str(n), n, 0, score, distance=distance)
        for n, (score, distance) in enumerate(zip(scores, distances, strict=True))
    ]
    patches.append(patch_of("4", 4, 1, 0.2))
    card, other = cards(selection_of(patches, [(0, 2), (4, 4)]), 1)
    assert (card.cluster, card.size, card.kept) == (0, 4, 2)
    assert card.median_score == pytest.approx(0.4) == median(scores)
    assert [patch.image_id for patch in card.discriminative] == ["0", "2", "3", "1"]
    assert [patch.image_id for patch in card.central] == ["1", "3", "2", "0"]
    assert (other.cluster, other.size, other.kept, other.median_score) == (1, 1, 0, 0.2)
    assert cards(selection_of([]), 3) == ()


def test_cluster_cards__by_the_score_that_ranks() -> None:
    """The picture scores run against the patches' own."""
    scored = [(0.9, 0.1), (0.5, 0.2), (0.1, 0.6)]
    patches = [
        replace(patch_of(str(n), n, 0, score), picture_score=picture_score)
        for n, (score, picture_score) in enumerate(scored)
    ]
    selected = selection_of(patches)
    for rank_by, order, middle in (("patch", "012", 0.5), ("picture", "210", 0.2)):
        settings = SelectSettings(rank_by=rank_by)
        (card,) = cluster_cards(selected, scores(selected), settings)
        assert "".join(patch.image_id for patch in card.discriminative) == order
        assert card.median_score == middle
    view = Listing(sort="picture_score")
    assert [patch.image_id for patch in listed(selected, view).rows] == ["2", "1", "0"]


def test_cluster_cards__show_a_few() -> None:
    (card,) = cards(selection_of([patch_of(str(n), n) for n in range(9)]), 9)
    assert (card.size, len(card.discriminative), len(card.central)) == (9, 6, 6)


def test_cluster_counts__follow_the_images() -> None:
    assert cluster_counts(SELECTED, ["a", "d", "c", "x"]) == {0: 1, 1: 2, 2: 0}
    assert cluster_counts(SELECTED, []) == {0: 0, 1: 0, 2: 0}


@pytest.mark.parametrize(
    ("rows", "image", "page"), [(2, "d", 0), (2, "b", 1), (2, "e", 2), (1, "c", 2)]
)
def test_list_patches__the_page_that_holds_an_image(rows: int, image: str, page: int) -> None:
    view = Listing(rows=rows, page=9, holding=image)
    found = listed(SELECTED, view)
    assert found.page == page
    assert image in [row.image_id for row in found.rows]


def test_list_patches__the_page_asked_for_where_no_row_has_the_image() -> None:
    for view in (Listing(rows=2, page=1, holding="z"), Listing(rows=2, page=1, holding="")):
        assert listed(SELECTED, view).page == 1
    other = Listing(rows=1, page=1, cluster=1, holding="a")
    assert listed(SELECTED, other).page == 1


def test_best_patches__the_best_patch_of_each_image() -> None:
    marks = best_patches(
        SELECTED, ["a", "b", "c", "gone", "d", "e"], SelectSettings(ipc=2, rank_by="patch")
    )
    assert marks.cluster.tolist() == [0, 0, 1, -1, 1, 2]
    assert marks.rank.tolist() == [1, 3, 2, -1, 0, 4]
    assert np.allclose(marks.score, [0.9, 0.7, 0.7, nan, 0.5, -0.1], equal_nan=True)
    assert marks.kept.tolist() == [1, 0, 1, 0, 1, 0]
    box = SELECTED.patches[1].box
    assert marks.box[0].tolist() == [box.x, box.y, box.width, box.height]
    assert np.isnan(marks.box[3]).all()


def test_best_patches__of_two_patches_the_better_one() -> None:
    twice = selection_of(
        [patch_of("a", 0, 0, 0.9), patch_of("b", 1, 1, 0.8), patch_of("a", 2, 1, 0.1)],
        [(1,), (2,)],
    )
    marks = best_patches(twice, ["a", "b"], SelectSettings(ipc=2))
    assert (marks.cluster.tolist(), marks.rank.tolist()) == ([0, 1], [0, 1])
    assert marks.kept.tolist() == [1, 1]


A = selection_of(
    [patch_of("p", 0, 0), patch_of("q", 1, 1), patch_of("r", 2, 0), patch_of("q", 3, 1, x=40)]
)
B = selection_of([patch_of("q", 0, 0, x=4), patch_of("p", 1, 0), patch_of("s", 2, 2)])
"""p keeps its box, q moves and loses one, r and s are each in one of them alone."""


SIDES = Side(A, TWO), Side(B, TWO)
CHANGED = ClassImages(tuple("pqrs"), Frames.of((Frame(9, 9, Box(0, 0, 9, 9), 64, 96),) * 4))


def changed(view: Changing) -> str:
    page = list_changes(compare(A, B, 2, 2), *SIDES, CHANGED, view)
    return "".join(row.image_id for row in page.rows)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (Changing(), "rsqp"),
        (Changing(backwards=True), "pqrs"),  # those that agree alike keep their order
        (Changing(cluster_a=0), "rp"),
        (Changing(cluster_b=0), "qp"),
        (Changing(cluster_a=1, cluster_b=0), "q"),
        (Changing(cluster_a=0, cluster_b=2), ""),
        (Changing(keeping="both"), "qp"),
        (Changing(keeping="a"), ""),
        (Changing(keeping="neither"), "rs"),
        (Changing(rows=3, page=1), "p"),
        (Changing(rows=3, page=9), "p"),
    ],
)
def test_list_changes__which_and_in_what_order(view: Changing, expected: str) -> None:
    assert changed(view) == expected


def test_list_changes__kept_in_one_alone() -> None:
    found = compare(A, B, 1, 1)  # p of A, q of B
    for keeping, expected in (("a", "p"), ("b", "q"), ("neither", "rs")):
        view = Changing(keeping=keeping)  # type: ignore[arg-type]
        page = list_changes(found, *SIDES, CHANGED, view)
        assert "".join(row.image_id for row in page.rows) == expected


def test_change_rows__have_all_patches_of_both() -> None:
    found = compare(A, B, 2, 2)
    by_id = {change.image_id: change for change in found.changes}
    row, gone = change_rows([by_id["q"], by_id["s"]], *SIDES, CHANGED)
    assert (row.image_id, row.overlap) == ("q", by_id["q"].overlap)
    assert [view.box.x for view in row.a] == [0, 40]
    assert [(view.box.x, view.rank) for view in row.b] == [(4, 0)]
    assert {(view.width_px, view.height_px) for view in (*row.a, *row.b)} == {(64, 96)}
    assert (row.kept_a, row.kept_b) == (True, True)
    assert [view.kept for view in row.a] == [(1,), ()]
    assert (gone.image_id, gone.a, len(gone.b)) == ("s", (), 1)
    assert change_rows([], *SIDES, CHANGED) == ()


def test_list_changes__an_unknown_way_is_said() -> None:
    with pytest.raises(SettingError, match="unknown way of keeping 'often'"):
        changed(Changing(keeping="often"))  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="rows of a page"):
        changed(Changing(rows=101))
