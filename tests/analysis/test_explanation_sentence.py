"""Every kind of sentence that explains a patch."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from support.drawn import geometry, scores_of
from support.selecting import select_class

from dsel.analysis.explained import CandidateBox, Explanation, Losses, Placement
from dsel.analysis.explanation import explain
from dsel.analysis.explanation_sentence import sentence
from dsel.analysis.patch_view import PatchView
from dsel.config import SelectSettings
from dsel.types import Box, ClassScores

GEOMETRY = geometry((200, 500, 700), [0.5, 0.25, 1.0], 48)
SIGNED = SelectSettings(locate="signed", smooth=0, rank_by="patch", patch_px=16, ipc=3)
RANKS = "By this gap, it has rank 1 of 2 in cluster 1 of 1; kept at IPC 3 as image 1."
SAVED = "Naming the class lowers the loss inside this patch by 10 %, from 0.5000 to 0.4500. "


def explained(
    scores: ClassScores, settings: SelectSettings, row: int = 0, nth: int = 0
) -> Explanation:
    return explain(scores, GEOMETRY, settings, select_class(scores, GEOMETRY, settings), row, nth)


def flat(high: float, second: float, rest: float = 0.0) -> ClassScores:
    """Two boxes of 2 x 2 cells that save so much of the loss, on 6 x 6 cells; and another image."""
    gap = np.full((3, 6, 6), float(rest))
    gap[:, 0:2, 0:2], gap[:, 3:5, 3:5] = high, second
    losses = np.array(GEOMETRY.losses, float)[:, None, None]
    return scores_of([gap * losses, np.zeros((3, 6, 6))])


@pytest.mark.parametrize(
    ("high", "second", "rest", "gap", "lead"),
    [
        (0.021, 0.015, 0, "2.1 %", ", 1.4 times that of the runner-up"),
        (0.5, 0.0625, 0, "50 %", ", 8.0 times that of the runner-up"),
        (1.5, 0.125, 0, "150 %", ", 12 times that of the runner-up"),
        (0.5, 0.0039, 0, "50 %", ", more than 100 times that of the runner-up"),
        (0.525, 0.5, 0, "52 %", ", 1.05 times that of the runner-up"),
        (0.5, 0.5, 0, "50 %", ", slightly above that of the runner-up"),
        (0.5, -0.25, -0.25, "50 %", ", while that of the runner-up is not positive"),
    ],
)
def test_sentence__the_lead(high: float, second: float, rest: float, gap: str, lead: str) -> None:
    text = explained(flat(high, second, rest), SIGNED.replace(clusters=1)).sentence
    start = f"Its signed gap of {gap} of the mean loss is the largest of all 25 boxes"
    assert text.endswith(f". {start}{lead}. {RANKS}")


def test_sentence__the_loss_inside_the_patch() -> None:
    """The conditional loss is 1, the gap 0.25, 0.125 and 0.5: 0.2917 on average."""
    text = explained(flat(0.5, 0.0625), SIGNED.replace(clusters=1)).sentence
    start = "Naming the class lowers the loss inside this patch by 23 %, from 1.292 to 1.000. "
    assert text.startswith(start)
    alone = explained(flat(0.5, 0.0625), SIGNED.replace(clusters=1, timesteps=(700,))).sentence
    assert "lowers the loss inside this patch by 33 %, from 1.500 to 1.000. " in alone


def test_sentence__the_loss_counts_every_cell() -> None:
    """Naming the class helps in two cells and misleads in two."""
    gap = np.zeros((3, 6, 6))
    gap[:, 0, 0:2], gap[:, 1, 0:2] = 0.5, -0.5
    text = explained(scores_of([gap]), SIGNED.replace(locate="positive", clusters=1)).sentence
    assert text.startswith("Naming the class does not change the loss inside this patch. Its ")
    assert "Its positive gap of " in text
    assert ". By its signed gap of 0 % of the mean loss, it has rank" in text


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"locate": "difference"}, "difference"),
        ({"locate": "difference", "smooth": 1.5}, "smoothed difference"),
        ({"locate": "positive", "smooth": 1.0}, "smoothed positive gap"),
    ],
)
def test_sentence__says_by_which_map_the_patch_was_located(
    settings: dict[str, object], name: str
) -> None:
    """The difference of drawn scores is the gap without its sign."""
    chosen = SIGNED.replace(clusters=1, **settings)
    found = explained(flat(0.5, 0.25), chosen)
    percent = f"{100 * found.mean:#.2g}".rstrip(".")
    start = f". Its {name} of {percent} % of the mean loss is the largest of all 25 boxes, "
    assert start in found.sentence
    assert ". By its signed gap of 50 % of the mean loss, it has rank" in found.sentence
    moved = explained(flat(0.5, 0.25), chosen.replace(moves=("cat/0@24,24",))).sentence
    assert f", and the best of 25 boxes has a {name} of {percent} % of the mean loss. " in moved


@pytest.mark.parametrize(
    ("lead", "error", "tie"),
    [(0.006, 0.0031, True), (0.006, 0.0029, False), (0.006, nan, False), (nan, nan, False)],
)
def test_sentence__a_lead_that_noise_explains(lead: float, error: float, tie: bool) -> None:
    best = (
        CandidateBox(view_of(0.02).box, 0.021, lead),
        CandidateBox(Box(20, 20, 16, 16), 0.015, nan),
    )
    placement = Placement(0, 1, 0, 1, 0, 1, ())
    found = explanation_of(view_of(0.021), placement, best, lead_error=error)
    assert found.is_tie == tie
    text = ", but leads by less than 2 standard errors: the runner-up is as good. "
    assert (text in sentence(found, SIGNED)) == tie


def test_sentence__no_gain() -> None:
    nothing = explained(flat(0, 0), SIGNED.replace(clusters=1)).sentence
    start = "Naming the class does not change the loss inside this patch. "
    gap = "Its signed gap of 0 % of the mean loss is the largest of all 25 boxes. "
    assert nothing.startswith(f"{start}{gap}")
    loss = explained(flat(-0.25, -0.5, -0.5), SIGNED.replace(clusters=1)).sentence
    assert loss.startswith("Naming the class raises the loss inside this patch by 17 %, from ")
    assert "Its signed gap of −25 % of the mean loss is the largest of all 25 boxes. " in loss


def test_sentence__one_possible_box() -> None:
    text = explained(flat(0.5, 0.25), SIGNED.replace(patch_px=48, clusters=1)).sentence
    assert " of the mean loss is that of the only box of this size. By this gap, it " in text
    wide = explained(flat(0.5, 0.25), SIGNED.replace(patch_px=40, clusters=1)).sentence
    assert "the largest of all 4 boxes, with no room for a second one. By this gap, it" in wide


def test_sentence__choices_of_one_image() -> None:
    settings = SIGNED.replace(per_image=2, clusters=1)
    text = explained(flat(0.5, 0.25), settings, 0, 1).sentence
    place = "number 2 of 25 boxes among boxes that do not overlap a better one"
    assert f"Its signed gap of 25 % of the mean loss is {place}. By this gap, it has rank" in text


def test_sentence__moved_by_hand() -> None:
    settings = SIGNED.replace(clusters=1, moves=("cat/0@24,24",))
    text = explained(flat(0.5, 0.25), settings).sentence
    moved = ". It was moved by hand, and the best of 25 boxes has a signed gap of "
    score = ". By its signed gap of 25 % of the mean loss, it has rank"
    assert f"{moved}50 % of the mean loss{score}" in text
    beside = explained(flat(0.5, 0.25), SIGNED.replace(clusters=1, moves=("cat/0@3,24",)))
    assert beside.sentence.startswith(
        "Naming the class does not change the loss inside this patch. It was moved by hand, and"
    )
    best = explained(flat(0.5, 0.25), SIGNED.replace(clusters=1, moves=("cat/0@0,0",)))
    assert ". It was moved by hand. By its signed gap of 50 % of the mean loss, it" in best.sentence


def test_sentence__names_the_baseline_that_selected() -> None:
    rng = np.random.default_rng(0)
    scores = scores_of(rng.normal(size=(5, 3, 6, 7)) * 0.1, conditional=0.7)
    settings = SIGNED.replace(baseline="centre-crop", pins=(scores.ids[0],))
    found = [explained(scores, settings, row).sentence for row in range(5)]
    assert all(". By the baseline centre-crop, it has rank " in one for one in found)
    assert sum(". The baseline centre-crop placed it. " in one for one in found) >= 3
    assert not any("pinned" in one or "cluster" in one for one in found)
    herding = [explained(scores, SIGNED.replace(baseline="herding"), row) for row in range(5)]
    assert not any("placed" in one.sentence for one in herding)
    ranks = sorted(one.sentence.split("rank ")[1][0] for one in herding)
    assert ranks == ["1", "2", "3", "4", "5"]


def view_of(score: float, picture_score: float = 0.0) -> PatchView:
    return PatchView(
        image_id="cat/0", box=Box(0, 0, 16, 16), cut=Box(0, 0, 48, 48), width_px=48, height_px=48,
        score=score, standard_error=0.01, picture_score=picture_score,
        picture_standard_error=0.01, margin=0.05, cluster=2, rank=7, nth=0, kept=(), dropped=False,
        pinned=False, moved=False,
    )  # fmt: skip


def explanation_of(
    patch: PatchView, placement: Placement, best: tuple[CandidateBox, ...] = (), **others: object
) -> Explanation:
    fields = {
        "image_id": "cat/0", "patch": patch, "source_box": None, "candidates": 1024, "best": best,
        "losses": Losses(0.45, 0.5), "lead_error": 0.002, "mean": 0.021, "place": 0, "ratio": 1.4,
        "curve": (), "placement": placement, "order": (), "sentence": "",
    }  # fmt: skip
    return Explanation(**{**fields, **others})  # type: ignore[arg-type]


def kept(images: tuple[int, ...], dropped: bool = False, **settings: object) -> str:
    placement = Placement(2, 10, 1, 1031, 7, 5000, images, dropped)
    patch = view_of(0.021)
    best = (CandidateBox(patch.box, 0.021, 0.006), CandidateBox(Box(20, 20, 16, 16), 0.015, nan))
    text = sentence(explanation_of(patch, placement, best), SIGNED.replace(**settings))
    lead = "the largest of all 1,024 boxes, 1.4 times that of the runner-up"
    head = (
        f"{SAVED}Its signed gap of 2.1 % of the mean loss is {lead}. By this gap, it has rank 2 "
        "of 1,031 in cluster 3 of 10; "
    )
    assert text.startswith(head)
    return text.removeprefix(head)


def test_sentence__kept() -> None:
    assert kept((3,), ipc=10) == "kept at IPC 10 as image 4."
    assert kept((), ipc=10) == "not kept at IPC 10."
    assert kept((1233,), ipc=2000) == "kept at IPC 2,000 as image 1,234."
    assert kept((3,), factor=2) == "kept at IPC 3 in image 4."
    assert kept((3, 8), factor=2) == "kept at IPC 3 in images 4 and 9."
    assert kept((0, 3, 8), factor=2) == "kept at IPC 3 in images 1, 4 and 9."
    assert kept((0,), pins=("cat/0",)) == "pinned, kept at IPC 3 as image 1."
    assert kept((), pins=("cat/9", "cat/0")) == "pinned, but not kept at IPC 3."
    assert kept((), dropped=True) == "dropped, so it is never kept."


@pytest.mark.parametrize(
    ("settings", "score", "picture_score", "text"),
    [
        ({}, 0.02, 0.01, "By this gap"),
        ({"rank_by": "picture"}, 0.02, -0.01,
         "By the signed gap over the whole picture, −1.0 % of the mean loss"),
        ({"smooth": 1.0}, 0.02, 0.01, "By its signed gap of 2.0 % of the mean loss"),
        ({"locate": "difference"}, 0.02, 0.01, "By its signed gap of 2.0 % of the mean loss"),
        ({"locate": "positive"}, 0.02, 0.01, "By its signed gap of 2.0 % of the mean loss"),
        ({"locate": "positive", "rank_by": "picture"}, -0.02, 0.01,
         "By the signed gap over the whole picture, 1.0 % of the mean loss"),
        ({"score": "positive", "rank_by": "picture"}, 0.02, 0.01,
         "By the positive gap over the whole picture, 1.0 % of the mean loss"),
    ],
)  # fmt: skip
def test_sentence__names_the_gap_that_ranks(
    settings: dict[str, str], score: float, picture_score: float, text: str
) -> None:
    placement = Placement(0, 1, 0, 1, 0, 1, ())
    explanation = explanation_of(view_of(score, picture_score), placement, candidates=1)
    found = sentence(explanation, SIGNED.replace(**settings))
    assert found.endswith(f"the only box of this size. {text}, it has rank 1 of 1 in cluster 1 of "
                          "1; not kept at IPC 3.")  # fmt: skip


@pytest.mark.parametrize(
    ("order", "reasons"),
    [
        (("turns",), "clusters take turns"),
        (("pins", "turns"), "pinned patches come first and clusters take turns"),
        (("centroid",), "the most central patch of a cluster comes first"),
    ],
)
def test_sentence__a_rank_that_its_score_does_not_explain(
    order: tuple[str, ...], reasons: str
) -> None:
    placement = Placement(2, 10, 0, 4, 2, 40, ())
    text = sentence(explanation_of(view_of(0.021), placement, order=order), SIGNED)
    rank = "it has rank 1 of 4 in cluster 3 of 10, and 3 of 40 in all"
    assert f"{rank}, since {reasons}; not kept" in text


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (1e-9, "less than 0.001 %"), (1.2e-5, "0.0012 %"), (0.00034, "0.034 %"), (0.01, "1.0 %"),
        (0.0996, "10 %"), (0.994, "99 %"), (0.996, "100 %"), (25.0, "2,500 %"),
    ],
)  # fmt: skip
def test_sentence__percent(score: float, text: str) -> None:
    placement = Placement(0, 1, 0, 1, 0, 1, ())
    explanation = explanation_of(view_of(score), placement, mean=score, candidates=1)
    assert f"{SAVED}Its signed gap of {text} of the mean loss is that of the only box" in sentence(
        explanation, SIGNED
    )
