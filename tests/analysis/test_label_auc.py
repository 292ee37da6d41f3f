"""The label AUC of settings: maps under wrong names against runs that have them, and a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.mixture import MixturePrior
from support.toyset import CELL_PX, PX, QUICK, dataset_of, finish, tree

from dsel.analysis.explorer import Explorer
from dsel.analysis.label_auc import class_label_aucs
from dsel.analysis.sweep import row_of, sweep
from dsel.cache import Cache
from dsel.config import SelectSettings, SweepSettings
from dsel.errors import DamageError
from dsel.pipeline.score import score
from dsel.pipeline.selector import Selector
from dsel.pipeline.verify import verify
from dsel.runs import Run, open_run
from dsel.runs.name_maps import read_name_maps
from dsel.types import Notice

NAMES = ("cat", "dog", "emu")
TURNS = (NAMES, ("dog", "emu", "cat"), ("emu", "cat", "dog"))
FULL = QUICK.replace(knowledge="full")
SETTINGS = (
    SelectSettings(),
    SelectSettings(patch_px=12, rank_by="patch"),
    SelectSettings(timesteps=(600,), locate="difference", smooth=1.0, patch_px=8, rank_by="patch"),
    SelectSettings(locate="signed", score="positive", rank_by="picture"),
)


def prior_of(names: tuple[str, ...]) -> MixturePrior:
    """The k-th name is that of the k-th mixture: with turned names, all are wrong."""
    return MixturePrior(names, resolution_px=PX, cell_px=CELL_PX)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ...]:
    """Runs of the same pictures: under their own names, and under those of others."""
    root = tmp_path_factory.mktemp("runs")
    for index, name in enumerate(NAMES):
        (root / "in" / name).mkdir(parents=True)
        for number in range(4):
            pixels = prior_of(NAMES).decode(prior_of(NAMES).sample(index, 10 * index + number))
            shown = np.hstack([pixels, pixels[:, :8]]) if number % 2 else pixels  # two shapes
            Image.fromarray(shown).save(root / "in" / name / f"{number}.png")
    for number, names in enumerate(TURNS):
        settings = QUICK.replace(knowledge="off") if number else FULL
        finish(score(dataset_of(root / "in"), prior_of(names), root / str(number), settings))
    return tuple(open_run(root / str(number)) for number in range(3))


def named(runs: tuple[Run, ...], true: int, name: int) -> Run:
    """The run in which images of a class are scored under a name."""
    return runs[next(n for n, turn in enumerate(TURNS) if turn.index(NAMES[true]) == name)]


def test_read_name_maps__are_those_of_runs_under_wrong_names(runs: tuple[Run, ...]) -> None:
    knowledge = runs[0].knowledge
    assert knowledge is not None
    assert knowledge.plan is not None
    (group,) = read_name_maps(runs[0], knowledge.plan)
    assert group.classes == (0, 1, 2)
    seen = 0
    for alike in group.buckets:
        for at, image_id in enumerate(alike.ids):
            true = NAMES.index(image_id.split("/")[0])
            for name in range(3):
                scores = named(runs, true, name).class_scores(true)
                row = scores.ids.index(image_id)
                bucket = next(one for one in scores.buckets if row in one.rows)
                mine = bucket.take(np.flatnonzero(bucket.rows == row))
                for kind in ("gap", "difference"):
                    found = getattr(alike, kind)[at, name].astype(float)
                    expected = getattr(mine, kind)[0].astype(float)
                    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)
                seen += 1
    assert seen == 3 * 4 * 3


@pytest.mark.parametrize("settings", SETTINGS)
def test_class_label_aucs__pairs_of_runs_under_wrong_names(
    runs: tuple[Run, ...], settings: SelectSettings
) -> None:
    found = class_label_aucs(runs[0], settings)

    def scores(true: int, name: int) -> list[float]:
        selector = Selector(named(runs, true, name), Cache())
        selector.geometry = runs[0].geometry
        return list(selector.scored(true, settings).ranking)

    for name in range(3):
        right = pairs = 0.0
        for own in scores(name, name):
            for other in {0, 1, 2} - {name}:
                for wrong in scores(other, name):
                    right += float(own > wrong) + 0.5 * float(own == wrong)
                    pairs += 1
        assert found[name].pairs == pairs == 4 * 8
        assert found[name].auc == pytest.approx(right / pairs)


def test_row_of__label_auc_is_the_mean_over_images(runs: tuple[Run, ...]) -> None:
    cell = SelectSettings(ipc=2, clusters=2, patch_px=12)
    aucs = [one.auc for one in class_label_aucs(runs[0], cell).values()]
    assert row_of(Explorer(runs[0], Cache()), cell)["label_auc"] == pytest.approx(np.mean(aucs))
    assert np.mean(aucs) > 0.6  # the prior knows its mixtures


def test_sweep__a_run_without_maps_says_how_to_get_the_figure(runs: tuple[Run, ...]) -> None:
    one = SweepSettings(cut=("whole",), rank_by=(), within=())
    for run, known in ((runs[0], True), (runs[1], False)):
        explorer = Explorer(run, Cache())
        events = list(sweep(explorer, SelectSettings(ipc=2, clusters=2), one))
        said = [event.text for event in events if isinstance(event, Notice)]
        assert any("dsel score with --knowledge full" in text for text in said) != known
        assert (row_of(explorer, SelectSettings(ipc=2))["label_auc"] is None) != known


def test_read_name_maps__damage_is_found_and_made_again(
    runs: tuple[Run, ...], tmp_path: Path
) -> None:
    source = runs[0].path.parent / "in"
    finish(score(dataset_of(source), prior_of(NAMES), tmp_path, FULL))
    whole, file = tree(tmp_path), tmp_path / "knowledge/00000.safetensors"
    content = bytearray(file.read_bytes())
    content[-9] ^= 4
    for damage in (bytes(content), None):
        if damage is None:
            file.unlink()
        else:
            file.write_bytes(damage)
        told = [one.text for one in verify(tmp_path) if isinstance(one, Notice)]
        assert len(told) == 1
        assert told[0].startswith(f"{file} is {'damaged' if damage else 'missing'}: ")
        with pytest.raises(DamageError, match="run the same dsel score again"):
            class_label_aucs(open_run(tmp_path), SelectSettings())
        events = finish(score(dataset_of(source), prior_of(NAMES), tmp_path, QUICK))
        assert any(isinstance(one, Notice) and "made again" in one.text for one in events)
        assert tree(tmp_path) == whole
