"""The card of a dataset on the Hub: figures of an evaluation of this selection, and no paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dsel.analysis.explorer import Explorer
from dsel.cache import Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.exports import Export
from dsel.exports.card import card
from dsel.pipeline.export import plan_export, with_story
from dsel.runs import open_run

DEMO_RUN = Path(__file__).parents[2] / "assets/demo_run"


@pytest.fixture(scope="module")
def demo() -> Explorer:
    return Explorer(open_run(DEMO_RUN), Cache())


def planned(demo: Explorer, select: SelectSettings, image_px: int = 128) -> Export:
    selections = [demo.select(index, select) for index in range(len(demo.classes))]
    plan = plan_export(demo.run, selections, select, ExportSettings(), image_px, False)
    return with_story(plan, demo.run)


def test_card__has_the_accuracies_of_its_selection(demo):
    (evaluation,) = demo.run.evaluations()
    plan = planned(demo, SelectSettings(ipc=10))
    assert plan.evaluation == evaluation
    text = card(plan, 100, 400)
    assert "## Students trained on the set" in text
    for row in evaluation.rows:
        assert row.mean is not None
        assert row.sd is not None
        shown = f"{100 * row.mean:.1f} ± {100 * row.sd:.1f}"
        assert f"| {row.name} | {row.ipc} | {shown} |" in text
    assert f"on {evaluation.test.images} images of `{evaluation.test.source}`" in text


@pytest.mark.parametrize(
    ("select", "image_px"),
    [
        (SelectSettings(ipc=5), 128),
        (SelectSettings(ipc=10, patch_px=32), 128),
        (SelectSettings(ipc=10), 64),
    ],
    ids=["ipc", "selection", "size"],
)
def test_card__leaves_out_figures_of_other_sets(demo, select, image_px):
    plan = planned(demo, select, image_px)
    assert plan.evaluation is None
    assert "## Students" not in card(plan, 50, 400)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/home/somebody/photos/", "photos"),
        ("C:\\Users\\somebody\\photos", "photos"),
        ("~/photos.zip", "photos.zip"),
        ("toybox", "toybox"),
        ("owner/dataset", "owner/dataset"),
    ],
)
def test_card__names_sources_without_their_folders(demo, source, shown):
    plan = planned(demo, SelectSettings(ipc=5))
    facts = {**plan.facts, "dataset": {"origin": {"source": source}}}
    text = card(replace(plan, facts=facts), 50, 400)
    assert f"selected from `{shown}` with" in text
    assert "somebody" not in text


@pytest.mark.parametrize(
    ("images", "size"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (50_000, "10K<n<100K"), (10_000_000, "n>10M")],
)
def test_card__size(demo, images, size):
    from huggingface_hub import DatasetCard

    content = card(planned(demo, SelectSettings(ipc=5)), images, 400)
    assert DatasetCard(content).data.size_categories == [size]
