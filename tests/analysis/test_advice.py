"""Advice: the rounds of the search, fresh students at the end, an honest sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.scored import evaluated_run
from support.trainer import Interrupted, trainer

from dsel.analysis.advice import (
    FINAL_SEED,
    advice_text,
    advise,
    candidates,
    changes,
    planned_steps,
    schedule,
)
from dsel.config import AdviseSettings, ExportSettings, SelectSettings, StudentSettings
from dsel.errors import SettingError
from dsel.pipeline.held_out import HeldOutTest, Validation, subject_of
from dsel.pipeline.trials import Trials
from dsel.runs import Run, open_run
from dsel.runs.advice import Advice, read_advice
from dsel.types import Done, Notice, Progress, Started

__all__ = ["trainer"]

SELECT = SelectSettings(ipc=1, clusters=2)
QUICK = StudentSettings(student_px=16, steps=8, seeds=2)
SHORT = AdviseSettings(candidates=4, rungs=2, final_seeds=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return evaluated_run(tmp_path)


@pytest.fixture
def run(folder: Path) -> Run:
    return open_run(folder / "run")


@pytest.fixture
def trials(folder: Path, run: Run) -> Trials:
    validation = Validation(subject_of(run), str(folder / "validation"))
    return Trials(run, validation, QUICK, ExportSettings())


def advice_of(events, run: Run) -> Advice:
    done = list(events)[-1]
    assert isinstance(done, Done)
    return read_advice(run.path, str(done.figures["advice"]))


def test_candidates__the_selection_itself_and_each_once():
    found = candidates(SELECT, 24)
    assert found[0] == SELECT
    assert len(found) == len(set(found)) >= 12
    assert {one.ipc for one in found} == {1}
    assert candidates(SELECT, 4) == found[:4]


def test_candidates__of_a_baseline_s_selection_are_of_dsel_s_own_ranking():
    chosen = SelectSettings(ipc=2, baseline="random-whole", baseline_seed=5)
    assert candidates(chosen, 99) == candidates(SelectSettings(ipc=2), 99)


def test_advise__refused_uses_up_no_images(folder, run, trials):
    wrong = Trials(run, trials.validation, QUICK.replace(recipe="soft"), ExportSettings())
    with pytest.raises(SettingError, match="the soft recipe needs a teacher"):
        list(advise(run, SELECT, SHORT, wrong))
    assert HeldOutTest(subject_of(run), str(folder / "validation"))


def test_schedule__longer_and_more_until_the_last_round_has_all(trials):
    assert schedule(AdviseSettings(rungs=3), trials) == ((2, 1), (4, 1), (8, 2))
    assert schedule(AdviseSettings(rungs=1), trials) == ((8, 2),)


def test_planned_steps__by_hand(trials):
    # 4 candidates x 4 steps x 1 student, 2 x 8 x 2, and 3 students of the best and of random images
    assert planned_steps(4, SHORT, trials) == 4 * 4 * 1 + 2 * 8 * 2 + 2 * 3 * 8


def test_advise__the_better_half_stays(run, trials, trainer):
    advice = advice_of(advise(run, SELECT, SHORT, trials), run)
    first, second = advice.rungs
    assert (first.steps, first.seeds, len(first.candidates)) == (4, 1, 4)
    assert (second.steps, second.seeds, len(second.candidates)) == (8, 2, 2)
    for rung in advice.rungs:
        means = [one.mean for one in rung.candidates]
        assert means == sorted(means, reverse=True)
    kept = [one.changes for one in first.candidates[:2]]
    assert sorted(map(str, kept)) == sorted(str(one.changes) for one in second.candidates)
    assert advice.changes == second.candidates[0].changes
    best = SelectSettings.from_plain(advice.select)
    assert changes(best, SELECT) == advice.changes


def test_advise__the_last_comparison_has_students_of_its_own(run, trials, trainer):
    advice = advice_of(advise(run, SELECT, SHORT, trials), run)
    last = [seed for seeds in trainer.calls for seed in seeds if seed >= FINAL_SEED]
    assert sorted(last) == sorted(2 * [FINAL_SEED, FINAL_SEED + 1, FINAL_SEED + 2])
    assert advice.students == 3
    assert advice.difference == pytest.approx(advice.mean - advice.random_mean)


def test_advise__counts_every_step(run, trials, trainer):
    events = list(advise(run, SELECT, SHORT, trials))
    (started,) = [e for e in events if isinstance(e, Started) and e.stage == "advise"]
    at = events.index(started)
    assert sum(e.count for e in events[at:] if isinstance(e, Progress)) == started.total


def test_advise__resumes(run, trials, trainer):
    trainer.stop_after = 5
    with pytest.raises(Interrupted):
        list(advise(run, SELECT, SHORT, trials))
    trainer.stop_after = -1
    first = advice_of(advise(run, SELECT, SHORT, trials), run)
    done = trainer.students
    assert advice_of(advise(run, SELECT, SHORT, trials), run) == first
    assert trainer.students == done


def test_advise__its_images_are_no_test_afterwards(folder, run, trials, trainer):
    list(advise(run, SELECT, SHORT, trials))
    with pytest.raises(SettingError, match="was the validation of a sweep or of advice"):
        HeldOutTest(subject_of(run), str(folder / "validation"))


def test_advise__candidates_of_too_few_images_are_left_out(run, trials, trainer):
    events = list(advise(run, SELECT.replace(ipc=3), AdviseSettings(candidates=4, rungs=1), trials))
    (notice,) = [e.text for e in events if isinstance(e, Notice) and "left out" in e.text]
    assert "are left out, since they give fewer images than IPC" in notice
    with pytest.raises(SettingError, match="too few images for the IPC of its selection"):
        list(advise(run, SELECT.replace(ipc=7), SHORT, trials))


@pytest.mark.parametrize(
    ("difference", "p_value", "text"),
    [
        (0.05, 0.01,
         "these settings train better students than random whole images: +5.0 points, p = 0.01"),
        (0.01, 0.4,
         "random whole images are as good here: the best settings differ by +1.0 points, p = 0.4"),
        (-0.05, 0.0001,
         "random whole images are better here than all settings that were tried: -5.0 points, "
         "p < 0.001"),
    ],
)  # fmt: skip
def test_advice_text__honest(difference, p_value, text):
    assert advice_text(difference, p_value) == text
