"""The second pass over a run: promising images get further draws, the others keep theirs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from support.stages import ADAPTIVE, CLASSES, all_stages, figures_of
from support.toyset import (
    QUICK,
    dataset_of,
    finish,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.config import SelectSettings
from dsel.core.gap_maps import image_bucket
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import open_run
from dsel.types import Notice, Started


def test_refine__interrupted_after_any_event(source, tmp_path):
    count = len(finish(all_stages(source, tmp_path / "whole", ADAPTIVE)))
    whole = tree(tmp_path / "whole")
    for stop in range(1, count, 2):
        folder = tmp_path / f"{stop:03d}"
        events = all_stages(source, folder, ADAPTIVE)
        for _ in itertools.islice(events, stop):
            pass
        events.close()
        finish(all_stages(source, folder, ADAPTIVE))
        assert tree(folder) == whole, f"interrupted after event {stop}"


def test_refine__the_promising_get_all_draws_and_the_others_keep_theirs(source, tmp_path):
    """A refined image's maps are those of a run that gave all draws to all."""
    for name, settings in (
        ("cascade", ADAPTIVE), ("full", ADAPTIVE.replace(refine=0.0)), ("first", QUICK),
    ):  # fmt: skip
        finish(score(dataset_of(source), toy_prior(), tmp_path / name, settings))
    cascade, full, first = (open_run(tmp_path / name) for name in ("cascade", "full", "first"))
    refined = marked = 0
    for index in range(2):
        found, all_draws, few = (run.class_scores(index) for run in (cascade, full, first))
        for row in range(len(found.ids)):
            mine, whole, start = (image_bucket(s, row).gap[0] for s in (found, all_draws, few))
            if np.array_equal(mine, start):
                continue
            refined += 1
            # The first draws had been stored in half precision before they were averaged in.
            assert np.allclose(mine, whole, rtol=2e-3, atol=2e-4)
            assert not np.allclose(start, whole, rtol=2e-3, atol=2e-4)
            assert np.allclose(found.features[row], all_draws.features[row], rtol=2e-3, atol=2e-3)
            assert found.refined[row]
        assert not all_draws.refined.any()
        marked += found.refined.sum()
    assert marked == refined
    assert refined == cascade.summary.refined == 2 + 1  # 40 % of 4 and of 2 images, rounded up


def test_refine__what_was_spent_is_in_the_report(source, tmp_path):
    events = finish(score(dataset_of(source), toy_prior(), tmp_path, ADAPTIVE))
    started = {e.stage: e.total for e in events if isinstance(e, Started)}
    assert started == {"score": 7, "refine": 3, "layout": 2}
    summary = open_run(tmp_path).summary
    assert summary.evaluations == 2 * 2 * (2 * 6 + 4 * 3)  # prompts, timesteps, draws of images
    assert figures_of(events)["evaluations"] == summary.evaluations
    assert figures_of(events)["images"] == summary.scored == 6


def test_refine__the_chosen_lead_their_class_by_the_first_draws(source, tmp_path):
    finish(score(dataset_of(source), toy_prior(), tmp_path / "cascade", ADAPTIVE))
    finish(score(dataset_of(source), toy_prior(), tmp_path / "first", QUICK))
    cascade, first = open_run(tmp_path / "cascade"), open_run(tmp_path / "first")
    finish(select(first, SelectSettings()))
    for selected in first.read_selection()[1]:
        ids = first.class_scores(selected.index).ids
        lead = {p.image_id for p in selected.patches[: -(-len(ids) * 2 // 5)]}
        changed = {
            ids[row]
            for row in range(len(ids))
            if not np.array_equal(
                image_bucket(cascade.class_scores(selected.index), row).gap,
                image_bucket(first.class_scores(selected.index), row).gap,
            )
        }
        assert changed == lead


def test_refine__a_picture_that_vanished_keeps_its_first_draws(source, tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    dataset = dataset_of(root)
    events = score(dataset, toy_prior(), tmp_path / "run", ADAPTIVE)
    for event in events:
        if isinstance(event, Started) and event.stage == "refine":
            break
    for file in root.rglob("*.png"):
        file.write_text("gone")
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2 + 2
    end = " was not refined and keeps its first scores, because it is text, not an image"
    assert all(text.endswith(end) for text in notices)
    assert open_run(tmp_path / "run").summary.refined == 0


def test_refine__a_picture_that_changed_keeps_its_first_draws(source, tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    events = score(dataset_of(root), toy_prior(), tmp_path / "run", ADAPTIVE)
    for event in events:
        if isinstance(event, Started) and event.stage == "refine":
            break
    write_pictures(root, CLASSES, seed=5)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2 + 2
    end = " keeps its first scores, because it has changed since the first draws"
    assert all(text.endswith(end) for text in notices)
    assert open_run(tmp_path / "run").summary.refined == 0


def test_refine__a_score_that_is_not_finite_reads_as_a_sentence(tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    prior = toy_prior()
    events = score(dataset_of(root), prior, tmp_path / "run", ADAPTIVE)
    for event in events:
        if isinstance(event, Started) and event.stage == "refine":
            break
    predict = prior.predict
    prior.predict = lambda *given, **named: replace(
        found := predict(*given, **named), output=found.output * float("nan")
    )
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 2 + 2
    assert all("scores, because the prior's output is not a finite" in text for text in notices)


def test_refine__the_noise_is_that_of_all_draws_together(source, tmp_path):
    """The first pass draws one pair, whose noise is unknown; a refined image's is known."""
    for name, settings in (("cascade", ADAPTIVE), ("full", ADAPTIVE.replace(refine=0.0))):
        finish(score(dataset_of(source), toy_prior(), tmp_path / name, settings))
    cascade, full = (open_run(tmp_path / name) for name in ("cascade", "full"))
    known = 0
    for index in range(2):
        found, all_draws = (run.class_scores(index) for run in (cascade, full))
        for row, refined in enumerate(found.refined.tolist()):
            mine, whole = (image_bucket(s, row).noise[0] for s in (found, all_draws))
            assert np.isfinite(whole).all()
            assert np.isnan(mine).all() != refined
            if refined:
                known += 1
                assert np.allclose(mine, whole, rtol=5e-3, atol=5e-4)
    assert known
