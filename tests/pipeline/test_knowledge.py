"""What a prior knows: planned within its share of the work, measured, stored, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.mixture import MixturePrior
from support.stages import figures_of
from support.toyset import CELL_PX, PX, QUICK, dataset_of, finish, toy_prior, tree, write_pictures

from dsel.config import ScoreSettings
from dsel.errors import RunError
from dsel.pipeline.knowledge import chosen_images, groups_of, plan_knowledge
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.runs.knowledge import KnowledgePlan, Measured
from dsel.types import ImageRef, Notice, Started

NAMES = ("cat", "dog", "emu")
FULL = QUICK.replace(knowledge="full")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of pictures, drawn from the mixtures that the toy prior expects of them."""
    root, prior = tmp_path_factory.mktemp("pictures"), turned(NAMES)
    for index, name in enumerate(NAMES):
        (root / name).mkdir()
        for number in range(5):
            pixels = prior.decode(prior.sample(index, 10 * index + number))
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


SIX = (200, 300, 400, 500, 600, 700)


def turned(names: tuple[str, ...]) -> MixturePrior:
    """The toy prior with the colour of each class under the name of another."""
    return MixturePrior(names, resolution_px=PX, cell_px=CELL_PX)


def test_plan_knowledge__at_most_five_percent_of_the_evaluations() -> None:
    settings = ScoreSettings(timesteps=SIX, draws=4)
    for classes in (2, 3, 10, 25, 1000):
        for count in (1, 3, 4, 10, 40, 130, 1300):
            plan = plan_knowledge(settings, [count] * classes)
            if plan is None:
                assert count < 5
                continue
            groups = groups_of([count] * classes, plan.group, 0)
            # With maps: all timesteps, the null prompt too, and at least 8 images of each class.
            maps = plan.maps > 0
            assert plan.maps == maps * len(groups)
            assert maps <= (plan.images >= 8)
            assert plan.timesteps == (SIX if maps else (200, 500))
            rows = sum(len(group) * (len(group) + maps) for group in groups)
            rows *= 2 * len(plan.timesteps) * min(plan.images, count)
            assert plan.evaluations == rows <= 0.05 * 2 * 6 * 4 * count * classes


def test_plan_knowledge__by_hand() -> None:
    lean = plan_knowledge(ScoreSettings(timesteps=(300, 400), draws=4), [40] * 10)
    assert lean == KnowledgePlan(4, 2, (300, 400), 2, 320)
    settings = ScoreSettings(timesteps=SIX, draws=4)
    # 5 % of 48 evaluations for each of 400 images are 960, 96 per class: 4 images x 4 x 5 names.
    assert plan_knowledge(settings, [40] * 10) == KnowledgePlan(4, 4, (200, 500), 2, 800)
    assert plan_knowledge(settings, [40]) is None
    assert plan_knowledge(settings, [40, 0]) is None
    full = settings.replace(knowledge="full")
    # 10 images, under 2 names and none, at 6 timesteps of 2 draws
    assert plan_knowledge(full, [5, 5]) == KnowledgePlan(16, 10, SIX, 2, 10 * 3 * 6 * 2, 1)
    one = ScoreSettings(timesteps=(300,), draws=1, antithetic=False, knowledge="full")
    # the default: 5 % of 12 evaluations for each are 240, 24 per class: 3 images x 4 x 2 names
    assert plan_knowledge(ScoreSettings(), [40] * 10) == KnowledgePlan(3, 2, (300, 500), 2, 240)
    assert plan_knowledge(one, [1, 1, 1]) == KnowledgePlan(16, 10, (300,), 1, 12, 1)
    # 5 % of 12 for each of 13,000 are 7,800, 780 per class: 8 x 11 names and none x 6 are 528.
    many = plan_knowledge(ScoreSettings(), [1300] * 10)
    assert many == KnowledgePlan(8, 10, (300, 500, 700), 2, 5280, 1)


def test_groups_of__all_classes_with_images_once() -> None:
    counts = [3, 0, 1, 2, 5, 5, 5, 5, 1, 1, 1, 1, 1]
    for size in (2, 3, 5, 10, 20):
        groups = groups_of(counts, size, 0)
        members = sorted(index for group in groups for index in group)
        assert members == [index for index, count in enumerate(counts) if count]
        assert all(min(size, 12) <= len(group) < 2 * size for group in groups)
    assert groups_of(counts, 3, 0) != groups_of(counts, 3, 1)


@pytest.mark.parametrize(
    ("auc", "images", "pairs", "near"),
    [
        (0.52, 4, 20, True), (0.69, 2, 8, True), (0.71, 9, 20, False), (0.2, 4, 4, False),
        (0.2, 1, 9, False), (None, 0, 0, False),
    ],
)  # fmt: skip
def test_is_near_chance__by_hand(auc: float | None, images: int, pairs: int, near: bool) -> None:
    assert Measured(images, pairs, auc, None).is_near_chance == near


def test_chosen_images__by_seed_and_id_whatever_the_order() -> None:
    refs = [ImageRef(f"cat/{n}", 0) for n in range(20)]
    found = chosen_images(refs, 4, 0)
    assert chosen_images(refs[::-1], 4, 0) == found
    assert chosen_images(refs, 4, 1) != found


def test_score__a_prior_that_knows_the_classes_and_one_that_mixes_them_up(
    pictures: Path, tmp_path: Path
) -> None:
    figures = {}
    for name, names in (("right", NAMES), ("wrong", ("dog", "emu", "cat"))):
        events = finish(score(dataset_of(pictures), turned(names), tmp_path / name, FULL))
        figures[name] = figures_of(events)
        notices = [event.text for event in events if isinstance(event, Notice)]
        started = [event for event in events if isinstance(event, Started)]
        assert Started("knowledge", 15, "images") in started
        if name == "wrong":
            assert any("does not tell these classes from each other (AUC 0." in n for n in notices)
        else:
            assert notices == []
    assert figures["right"]["knowledge_auc"] > 0.9
    assert figures["wrong"]["knowledge_auc"] < 0.6
    assert figures["right"]["knowledge_pairs"] == 75
    found = open_run(tmp_path / "right").knowledge
    assert found is not None
    assert [(one.images, one.pairs) for one in found.classes] == [(5, 50)] * 3
    assert found.run.auc == pytest.approx(np.mean([one.auc for one in found.classes]))


def test_score__the_same_bytes_whatever_the_batches_and_interruptions(
    pictures: Path, tmp_path: Path
) -> None:
    finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path / "whole", FULL))
    whole = tree(tmp_path / "whole")
    for rows in (2, 500):
        changed = FULL.replace(rows_per_call=rows, decoders=1)
        finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path / f"{rows}", changed))
        assert tree(tmp_path / f"{rows}") == whole
    events = score(dataset_of(pictures), toy_prior(NAMES), tmp_path / "cut", FULL)
    for event in events:
        if isinstance(event, Started) and event.stage == "knowledge":
            break
    events.close()
    assert not (tmp_path / "cut/knowledge.json").exists()
    finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path / "cut", FULL))
    assert tree(tmp_path / "cut") == whole


def test_score__on_request_for_a_run_that_is_there(pictures: Path, tmp_path: Path) -> None:
    """Few images: unknown, until it is asked for; then it stays."""

    def figures(settings: ScoreSettings) -> object:
        events = finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path, settings))
        return figures_of(events).get("knowledge_auc")

    assert figures(QUICK.replace(knowledge="off")) is None
    assert open_run(tmp_path).knowledge is None
    assert str(figures(QUICK)).startswith("unknown, because the run has too few images")
    known = figures(FULL)
    assert isinstance(known, float)
    assert figures(QUICK) == known


def test_score__one_class_has_no_other_names(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "in", {"cat": 3})
    events = finish(score(dataset_of(root), toy_prior(), tmp_path / "run", FULL))
    assert figures_of(events)["knowledge_auc"] == (
        "unknown, because the run has one class only, and no other names to compare its name with"
    )


@pytest.mark.parametrize("content", ['{"plan": null}', "[]", "null", '{"plan": 1, "reason": ""}'])
def test_read_knowledge__damaged(pictures: Path, tmp_path: Path, content: str) -> None:
    finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path, QUICK))
    (tmp_path / "knowledge.json").write_text(content)
    damaged = r"knowledge\.json is damaged: it .*; run the same dsel score again"
    with pytest.raises(RunError, match=damaged):
        _ = open_run(tmp_path).knowledge


def test_score__damaged_knowledge_is_measured_again(pictures: Path, tmp_path: Path) -> None:
    finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path, QUICK))
    before = (tmp_path / "knowledge.json").read_bytes()
    (tmp_path / "knowledge.json").write_bytes(before.replace(b"0", b"1"))
    events = finish(score(dataset_of(pictures), toy_prior(NAMES), tmp_path, QUICK))
    again = [one.text for one in events if isinstance(one, Notice) and "made again" in one.text]
    assert len(again) == 1
    assert again[0].startswith(f"{tmp_path / 'knowledge.json'} is made again: ")
    assert (tmp_path / "knowledge.json").read_bytes() == before
