"""Rounds of further draws: the same bytes after any interruption, and what becomes of images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.stages import ADAPTIVE, CLASSES, all_stages, figures_of
from support.toyset import (
    QUICK,
    dataset_of,
    finish,
    toy_prior,
    tree,
    write_pictures,
)

from dsel.core.gap_maps import image_bucket
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.types import Event, Notice, Progress, Started

UNIFORM = QUICK.replace(draws=8)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that had every round in one go."""
    folder = tmp_path_factory.mktemp("whole")
    finish(all_stages(source, folder, ADAPTIVE))
    return folder


def until(events: Iterator[Event], stage: str, nth: int = 0) -> None:
    """Consume events up to the start of the nth stage of this name."""
    starts = (e for e in events if isinstance(e, Started) and e.stage == stage)
    next(itertools.islice(starts, nth, None))


def test_rounds__interrupted_after_any_event(source, whole, tmp_path):
    """In the first pass, in a round, between rounds, and after the last one."""
    count = len(finish(all_stages(source, tmp_path / "count", ADAPTIVE)))
    assert tree(tmp_path / "count") == tree(whole)
    for stop in range(1, count, 2):
        folder = tmp_path / f"{stop:03d}"
        events = all_stages(source, folder, ADAPTIVE)
        for _ in itertools.islice(events, stop):
            pass
        events.close()
        finish(all_stages(source, folder, ADAPTIVE))
        assert tree(folder) == tree(whole), f"interrupted after event {stop}"


def test_rounds__interrupted_twice(source, whole, tmp_path):
    """Once at the start of the first round, and again inside of the second."""
    for stage, nth in (("round", 0), ("round", 1)):
        events = all_stages(source, tmp_path, ADAPTIVE)
        until(events, stage, nth)
        next(e for e in events if isinstance(e, Progress))
        events.close()
    finish(all_stages(source, tmp_path, ADAPTIVE))
    assert tree(tmp_path) == tree(whole)


@pytest.mark.parametrize("rows", [4, 64])
def test_rounds__rows_per_call_and_decoders_do_not_count(source, tmp_path, rows):
    """Batches of other sizes choose the same images and draws; only the last digits may differ."""
    found = []
    for name, settings in (
        ("one", ADAPTIVE), ("other", ADAPTIVE.replace(rows_per_call=rows, decoders=1)),
    ):  # fmt: skip
        finish(score(dataset_of(source), toy_prior(), tmp_path / name, settings))
        run = open_run(tmp_path / name)
        found.append([header.draws for header in run.round_files.headers(run.summary.rounds)])
        found.append([run.class_scores(index).draws.tolist() for index in range(2)])
    assert found[:2] == found[2:]


def test_rounds__their_draws_are_those_of_a_run_that_gave_them_to_all(source, whole, tmp_path):
    """Gaps and noise are those of all draws; features stay those of the first ones."""
    finish(score(dataset_of(source), toy_prior(), tmp_path / "uniform", UNIFORM))
    finish(score(dataset_of(source), toy_prior(), tmp_path / "first", QUICK))
    run = open_run(whole / "run")
    uniform, first = open_run(tmp_path / "uniform"), open_run(tmp_path / "first")
    most = 0
    for index in range(2):
        found, of_all, few = (one.class_scores(index) for one in (run, uniform, first))
        assert np.array_equal(found.features, few.features)
        for row, draws in enumerate(found.draws.tolist()):
            mine, wanted, start = (image_bucket(s, row) for s in (found, of_all, few))
            if draws == 2:
                assert np.array_equal(mine.gap, start.gap)
                assert np.isnan(mine.noise).all()
            if draws == 8:
                most += 1
                # Parts had been stored in half precision before they were averaged.
                for kind in ("conditional", "gap", "noise"):
                    each, other = (getattr(one, kind) for one in (mine, wanted))
                    assert np.allclose(each, other, rtol=5e-3, atol=5e-4), kind
                assert not np.allclose(start.gap, wanted.gap, rtol=5e-3, atol=5e-4)
        assert set(found.draws.tolist()) <= {2, 4, 8}
    assert most


def test_rounds__what_was_spent_is_in_the_report(source, tmp_path):
    events = finish(score(dataset_of(source), toy_prior(), tmp_path, ADAPTIVE))
    run, summary = open_run(tmp_path), open_run(tmp_path).summary
    draws = np.concatenate([run.class_scores(index).draws for index in range(2)])
    assert summary.evaluations == 2 * 2 * draws.sum()  # prompts, timesteps
    assert summary.further == (draws > 2).sum() > 0
    assert figures_of(events)["evaluations"] == summary.evaluations
    assert figures_of(events)["evaluations_per_image"] == round(4 * draws.mean(), 1)
    started = [(e.stage, e.total) for e in events if isinstance(e, Started)]
    rounds = [total for stage, total in started if stage == "round"]
    assert len(rounds) == len(summary.rounds) > 1
    assert sum(rounds) == sum(len(header.ids) for header in run.round_files.headers(summary.rounds))


def test_rounds__none_without_most_draws(source, tmp_path):
    """Not where an image may get no more than it has, nor where no tolerance is exceeded."""
    for name, settings in (("off", QUICK), ("equal", QUICK.replace(most_draws=2))):
        events = finish(score(dataset_of(source), toy_prior(), tmp_path / name, settings))
        assert not {e.stage for e in events if isinstance(e, Started)} & {"round", "choose"}
        summary = open_run(tmp_path / name).summary
        assert (summary.rounds, summary.further) == ((), 0)
        assert not (tmp_path / name / "rounds").exists()


def test_rounds__classes_no_larger_than_what_is_kept_need_none(source, tmp_path):
    """Every image is kept, whatever its score; with one pair of draws no box is known unsteady."""
    settings = ADAPTIVE.replace(keep=4)
    finish(score(dataset_of(source), toy_prior(), tmp_path, settings))
    assert open_run(tmp_path).summary.rounds == ()


def test_rounds__the_same_command_on_a_finished_run_chooses_nothing_again(source, whole):
    events = finish(score(dataset_of(source), toy_prior(), whole / "run", ADAPTIVE))
    assert {e.stage for e in events if isinstance(e, Started)} == {"score", "verify"}


@pytest.mark.parametrize("end", ["gone", "changed"])
def test_rounds__a_picture_that_is_another_keeps_its_draws(tmp_path, end):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    events = score(dataset_of(root), toy_prior(), tmp_path / "run", ADAPTIVE)
    until(events, "round")
    if end == "gone":
        for file in root.rglob("*.png"):
            file.write_text("gone")
    else:
        write_pictures(root, CLASSES, seed=5)
    rest = list(events)
    notices = [event.text for event in rest if isinstance(event, Notice)]
    why = "it is text, not an image" if end == "gone" else "it has changed since the first draws"
    text = f" gets no further draws and keeps its scores, because {why}"
    assert notices
    assert all(notice.endswith(text) for notice in notices)
    # No later round chooses them again, though they still compete.
    assert len({notice.split()[0] for notice in notices}) == len(notices)
    run = open_run(tmp_path / "run")
    assert run.summary.further == 0
    assert run.summary.evaluations == 2 * 2 * 2 * run.summary.scored
    failed = [i for header in run.round_files.headers(run.summary.rounds) for i in header.failed]
    assert sorted(failed) == sorted(notice.split()[0] for notice in notices)


def test_rounds__a_score_that_is_not_finite_reads_as_a_sentence(tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    prior = toy_prior()
    events = score(dataset_of(root), prior, tmp_path / "run", ADAPTIVE)
    until(events, "round")
    predict = prior.predict
    prior.predict = lambda *given, **named: replace(
        found := predict(*given, **named), output=found.output * float("nan")
    )
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices
    assert all("scores, because the prior's output is not a finite" in text for text in notices)


def test_rounds__a_skipped_picture_has_none(tmp_path):
    root = write_pictures(tmp_path / "pictures", CLASSES)
    (root / "cat/01.png").write_text("no picture")
    events = finish(score(dataset_of(root), toy_prior(), tmp_path / "run", ADAPTIVE))
    run = open_run(tmp_path / "run")
    assert (run.summary.scored, run.summary.skipped) == (6, 1)
    headers = list(run.round_files.headers(run.summary.rounds))
    assert headers
    assert "cat/01.png" not in {image_id for header in headers for image_id in header.ids}
    assert not any("further draws" in e.text for e in events if isinstance(e, Notice))


def test_rounds__files_of_another_choice_are_made_again(source, whole, tmp_path):
    """As after a first pass on another machine, whose last digits chose other images."""
    events = all_stages(source, tmp_path, ADAPTIVE)
    until(events, "choose", 2)
    events.close()
    path, other = (min((tmp_path / "run/rounds" / name).iterdir()) for name in ("01", "02"))
    path.write_bytes(other.read_bytes())
    rest = finish(all_stages(source, tmp_path, ADAPTIVE))
    (notice,) = [event.text for event in rest if isinstance(event, Notice)]
    assert notice == f"{path} is made again: it has draws of other images"
    assert tree(tmp_path) == tree(whole)
