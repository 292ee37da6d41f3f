"""How a choice settles: the replay after n draws is what a run of n draws chooses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.stored import flip
from support.synthetic import synthetic_run
from support.toyset import QUICK, dataset_of, finish, toy_prior, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.analysis.settling import settling
from dsel.config import ScoreSettings, SelectSettings
from dsel.errors import DamageError
from dsel.pipeline.score import score
from dsel.runs import open_run
from dsel.runs.draws import MOST_IMAGES, read_draws

DRAWS = 4
SELECT = SelectSettings(patch_px=12, ipc=1)


def scored(source: Path, path: Path, settings: ScoreSettings) -> Explorer:
    finish(score(dataset_of(source), toy_prior(("cat", "dog")), path, settings))
    return Explorer(open_run(path))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("one") / "pictures", {"cat": 1, "dog": 1})


@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("locate", ["positive", "difference"])
def test_settling__after_n_draws_is_a_run_of_n_draws(source, tmp_path, antithetic, locate):
    how = QUICK.replace(antithetic=antithetic)
    select = SELECT.replace(locate=locate)
    whole = scored(source, tmp_path / "whole", how.replace(draws=DRAWS))
    (image_id,) = whole.images(0).ids
    steps = settling(whole, 0, image_id, select).draws
    assert [one.at for one in steps] == [1, 2, 3, 4]
    for step in steps:
        if antithetic and step.at % 2:  # half of a pair, which no run has
            assert math.isnan(step.best.standard_error)
            continue
        run = scored(source, tmp_path / f"{step.at}", how.replace(draws=step.at))
        patch = run.explanation(0, image_id, select).patch
        assert step.best.box == patch.box
        assert step.best.score == pytest.approx(patch.score, rel=2e-3, abs=1e-5)
        assert step.best.lead == pytest.approx(patch.margin, rel=2e-2, abs=1e-4)
        assert step.best.standard_error == pytest.approx(
            patch.standard_error, rel=1e-2, abs=1e-5, nan_ok=True
        )


@pytest.mark.parametrize("locate", ["positive", "difference"])
def test_settling__further_draws_follow_the_first(tmp_path, locate):
    """Rounds of further draws are replayed as well, and the last step is what was chosen."""
    select = SELECT.replace(locate=locate)
    source = write_pictures(tmp_path / "source", {"cat": 4, "dog": 4})
    settings = QUICK.replace(most_draws=6, keep=1, tolerance=0.0001)
    explorer = scored(source, tmp_path / "run", settings)
    found = set()
    for index in (0, 1):
        for row, image_id in enumerate(explorer.images(index).ids):
            draws = int(explorer.scores(index).draws[row])
            steps = settling(explorer, index, image_id, select).draws
            assert [one.at for one in steps] == [*range(1, draws + 1)]
            found.add(draws)
            chosen = explorer.explanation(index, image_id, select).patch
            assert steps[-1].best.box == chosen.box
            assert steps[-1].best.score == pytest.approx(chosen.score, rel=1e-3, abs=1e-5)
            assert steps[-1].best.lead == pytest.approx(chosen.margin, rel=1e-2, abs=1e-4)
    assert found == {6}


def test_settling__the_last_steps_are_the_choice(source, tmp_path):
    explorer = scored(source, tmp_path / "run", QUICK.replace(draws=4))
    (image_id,) = explorer.images(1).ids
    patch = explorer.explanation(1, image_id, SELECT).patch
    found = settling(explorer, 1, image_id, SELECT)
    for step in (found.cumulative[-1], found.draws[-1]):
        assert step.best.box == patch.box
        assert step.best.score == pytest.approx(patch.score, rel=1e-3)
    assert [one.at for one in found.cumulative] == [300, 600]
    assert found.cumulative[0].best == found.alone[0].best


def test_settling__a_patch_of_more_than_half_the_side_has_no_runner_up(source, tmp_path):
    explorer = scored(source, tmp_path / "run", QUICK)
    select = SelectSettings(patch_px=20, ipc=1)
    (image_id,) = explorer.images(0).ids
    found = settling(explorer, 0, image_id, select)
    chosen = explorer.explanation(0, image_id, select).patch
    assert found.cumulative[-1].best.box == chosen.box
    assert found.cumulative[-1].best.runner_up is None
    assert math.isnan(found.cumulative[-1].best.lead)


def test_settling__only_counted_timesteps(tmp_path):
    explorer = Explorer(synthetic_run(tmp_path / "run", classes=1, per_class=12))
    image_id = explorer.images(0).ids[0]
    select = SelectSettings(timesteps=(500, 300))
    found = settling(explorer, 0, image_id, select)
    assert [one.at for one in found.cumulative] == [300, 500]
    alone = explorer.explanation(0, image_id, select.replace(timesteps=(500,))).patch
    assert found.alone[1].best.box == alone.box
    assert found.alone[1].best.score == pytest.approx(alone.score)
    assert found.alone[1].best.standard_error == pytest.approx(alone.standard_error)
    assert found.draws == ()


def test_draws__of_large_runs_are_not_stored(tmp_path):
    source = write_pictures(tmp_path / "source", {"cat": 5, "dog": 4})
    explorer = scored(source, tmp_path / "run", QUICK)
    assert explorer.run.identity.images == MOST_IMAGES + 1
    assert not (explorer.run.path / "draws").exists()
    assert read_draws(explorer.run, explorer.images(0).ids[0]) is None


def test_draws__a_damaged_file_is_named(source, tmp_path):
    explorer = scored(source, tmp_path / "run", QUICK)
    (image_id,) = explorer.images(0).ids
    flip(explorer.run.path / "draws/00000-00000.safetensors", -1)
    with pytest.raises(DamageError, match="draws/00000-00000"):
        settling(explorer, 0, image_id, SELECT)
