"""One picture under several names, on the same noise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.stored import flip
from support.synthetic import synthetic_run
from support.toyset import draw_picture, toy_prior, tree

from dsel.analysis.explorer import Explorer
from dsel.analysis.names import name_scores
from dsel.config import ScoreSettings, SelectSettings, SourceSettings
from dsel.data import open_dataset
from dsel.errors import RunError, SettingError
from dsel.pipeline.repair import repair
from dsel.pipeline.score import score
from dsel.runs import Run, open_run
from dsel.types import Done, Notice

SETTINGS = ScoreSettings(
    timesteps=(300, 600), draws=4, shard_size=2, feature_grid=4, feature_dim=8, knowledge="off"
)
NAMES = ("cat", "dog", "bird")


def source(folder: Path) -> Path:
    names = {f"class{number:02d}": [name] for number, name in enumerate(NAMES)}
    for place in names:
        (folder / place).mkdir(parents=True)
        Image.fromarray(draw_picture(0, 0, 0)).save(folder / place / "one.png")
    (folder / "classes.json").write_text(json.dumps(names))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run, int]:
    """The picture under its names together, and as images of their own."""
    folder = tmp_path_factory.mktemp("names")
    dataset = open_dataset(str(source(folder / "picture")), SourceSettings())
    prior = toy_prior(NAMES)
    events = list(score(dataset, prior, folder / "alike", SETTINGS, alike=True))
    done = next(one for one in events if isinstance(one, Done))
    list(score(dataset, prior, folder / "apart", SETTINGS))
    assert "1 image is in two classes" not in " ".join(map(str, events))
    return open_run(folder / "alike"), open_run(folder / "apart"), int(done.figures["names"])


def maps(run: Run, index: int) -> dict[str, np.ndarray]:
    (bucket,) = run.class_scores(index).buckets
    names = ("conditional", "gap", "difference", "noise")
    return {name: getattr(bucket, name)[0].astype(np.float32) for name in names}


def test_score__names_share_the_noise_of_the_first(runs: tuple[Run, Run, int]) -> None:
    alike, apart, names = runs
    assert names == 3
    assert alike.identity.classes == NAMES
    for name, one in maps(apart, 0).items():
        np.testing.assert_allclose(maps(alike, 0)[name], one, rtol=2e-3, atol=1e-4)
    unconditional = [maps(alike, index)["conditional"] + maps(alike, index)["gap"]
                     for index in range(3)]  # fmt: skip
    for one in unconditional[1:]:
        np.testing.assert_allclose(one, unconditional[0], rtol=2e-3, atol=1e-3)
    assert not np.allclose(maps(alike, 1)["gap"], maps(apart, 1)["gap"], atol=1e-4)
    features = [alike.class_scores(index).features for index in range(3)]
    assert all(one.shape == (1, 4, 4, 8) for one in features)


def test_score__what_decoding_has_to_say_is_told(tmp_path: Path) -> None:
    folder = source(tmp_path / "deep")
    for path in folder.glob("*/one.png"):
        Image.fromarray(np.full((40, 40), 1023, np.uint16)).save(path)
    dataset = open_dataset(str(folder), SourceSettings())
    events = score(dataset, toy_prior(NAMES), tmp_path / "run", SETTINGS, alike=True)
    told = [one.text for one in events if isinstance(one, Notice)]
    note = "10-bit data in files of 16 bits: it is scaled by 1023, not 65535"
    assert f"1 image holds {note} (such as class00/one.png)" in told


def test_score__a_second_call_changes_nothing(runs: tuple[Run, Run, int]) -> None:
    alike = runs[0]
    before = {path: path.read_bytes() for path in alike.path.glob("scores/*")}
    dataset = open_dataset(str(alike.path.parent / "picture"), SourceSettings())
    list(score(dataset, toy_prior(NAMES), alike.path, SETTINGS, alike=True))
    assert {path: path.read_bytes() for path in alike.path.glob("scores/*")} == before


def test_name_scores__of_a_run_of_several_pictures(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", classes=2, per_class=2)
    with pytest.raises(SettingError, match="only in a run of one picture, once per class"):
        name_scores(Explorer(run), SelectSettings())


def test_score__names_together_do_not_resume_as_images_of_their_own(runs) -> None:
    for run in runs[:2]:
        is_alike = run.identity.alike
        dataset = open_dataset(str(run.path.parent / "picture"), SourceSettings())
        again = score(dataset, toy_prior(NAMES), run.path, SETTINGS, alike=not is_alike)
        with pytest.raises(RunError, match=f"alike was {is_alike}, now {not is_alike}"):
            list(again)


def test_repair__names_keep_the_noise_of_the_first(runs) -> None:
    run, whole = runs[0], tree(runs[0].path)
    for name in ("scores/00001.safetensors", "proxies/00000.parquet", "images.parquet"):
        flip(run.path / name, 40)
        *_, done = repair(run.path, lambda _: toy_prior(NAMES))
        assert (done.figures["damaged"], done.figures["repaired"]) == (1, 1)
        shutil.rmtree(run.path / "damaged")
        assert tree(run.path) == whole


def test_name_scores__by_a_slow_definition(runs: tuple[Run, Run, int]) -> None:
    run = runs[0]
    found = {one.name: one for one in name_scores(Explorer(run), SelectSettings())}
    losses = run.geometry.losses.astype(np.float64)
    scores, noises = {}, {}
    for index, name in enumerate(NAMES):
        shares = maps(run, index)["gap"].astype(np.float64) / losses[:, None, None]
        scores[name] = shares.mean()
        noises[name] = maps(run, index)["noise"].mean(axis=(1, 2), dtype=np.float64) / losses / 2
    best = max(scores, key=scores.__getitem__)
    assert next(iter(found)) == best
    for name, one in found.items():
        assert one.score == pytest.approx(scores[name], abs=1e-6)
        assert one.error == pytest.approx(np.sqrt(np.square(noises[name]).sum()), rel=1e-3)
        assert one.behind == pytest.approx(scores[best] - scores[name], abs=1e-6)
        error = np.sqrt(np.square(noises[name] - noises[best]).sum())
        assert one.behind_error == pytest.approx(error, rel=1e-3, abs=1e-9)
        assert one.map.mean() == pytest.approx(one.score, abs=1e-6)
