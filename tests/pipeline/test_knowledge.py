"""What a prior knows: planned within its share of the work, measured, stored, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.mixture import MixturePrior
from support.stages import figures_of
from support.toyset import CELL_PX, PX, QUICK, dataset_of, finish, toy_prior, tree, write_pictures

from dsel.config import ScoreSettings
from dsel.errors import RunError
from dsel.pipeline.knowledge import chosen_images, other_classes, plan_knowledge
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.runs.knowledge import KnowledgePlan, Measured, measured
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


def turned(names: tuple[str, ...]) -> MixturePrior:
    """The toy prior with the colour of each class under the name of another."""
    return MixturePrior(names, resolution_px=PX, cell_px=CELL_PX)


def test_plan_knowledge__at_most_five_percent_of_the_evaluations() -> None:
    settings = ScoreSettings()
    for classes in (2, 3, 10, 1000):
        for count in (1, 3, 4, 10, 40, 130, 1300):
            plan = plan_knowledge(settings, [count] * classes)
            if plan is None:
                assert count < 4
                continue
            assert plan.timesteps == (200, 500)
            rows = 2 * 2 * (1 + plan.names) * min(plan.images, count) * classes
            assert plan.evaluations == rows <= 0.05 * 2 * 6 * 4 * count * classes
            assert plan.names < classes


def test_plan_knowledge__by_hand() -> None:
    settings = ScoreSettings()
    # 5 % of 48 evaluations for each of 400 images are 960: 10 classes x 4 images x 4 x (1 + 5).
    assert plan_knowledge(settings, [40] * 10) == KnowledgePlan(4, 5, (200, 500), 2, 960)
    assert plan_knowledge(settings, [40]) is None
    assert plan_knowledge(settings, [40, 0]) is None
    full = settings.replace(knowledge="full")
    assert plan_knowledge(full, [5, 5]) == KnowledgePlan(16, 1, (200, 500), 2, 2 * 5 * 4 * 2)
    one = ScoreSettings(timesteps=(300,), draws=1, antithetic=False, knowledge="full")
    assert plan_knowledge(one, [1, 1, 1]) == KnowledgePlan(16, 2, (300,), 1, 9)


def test_measured__by_hand() -> None:
    found = measured([[True, True], [True, False], [False, True], [True, True]])
    assert (found.images, found.pairs, found.auc) == (4, 8, 0.75)
    assert found.standard_error == pytest.approx(0.2886751 / 2)  # shares 1, 0.5, 0.5, 1
    assert measured([]) == Measured(0, 0, None, None)
    assert measured([[True, False]]) == Measured(1, 2, 0.5, None)


@pytest.mark.parametrize(
    ("auc", "pairs", "near"),
    [(0.52, 20, True), (0.59, 6, True), (0.61, 20, False), (0.2, 4, False), (None, 0, False)],
)
def test_is_near_chance__by_hand(auc: float | None, pairs: int, near: bool) -> None:
    assert Measured(5, pairs, auc, None).is_near_chance == near


def test_chosen__by_seed_and_name_whatever_the_order() -> None:
    refs = [ImageRef(f"cat/{n}", 0) for n in range(20)]
    found = chosen_images(refs, 4, 0)
    assert chosen_images(refs[::-1], 4, 0) == found
    assert chosen_images(refs, 4, 1) != found
    groups = [refs[:1]] * 8 + [[]]
    others = other_classes(3, groups, 4, 0)
    assert len(set(others)) == 4
    assert not {3, 8} & set(others)


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
    assert figures["right"]["knowledge_pairs"] == 30
    found = open_run(tmp_path / "right").knowledge
    assert found is not None
    assert [(one.images, one.pairs) for one in found.classes] == [(5, 10)] * 3
    assert sum((one.auc or 0) * one.pairs for one in found.classes) == found.run.auc * 30


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
    with pytest.raises(RunError, match=r"knowledge\.json is damaged: delete it and run dsel score"):
        _ = open_run(tmp_path).knowledge
