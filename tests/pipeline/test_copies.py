"""Sources in which the same image lies several times."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.toyset import QUICK, dataset_of, finish, toy_prior, write_pictures

from dsel.analysis.explorer import Explorer
from dsel.config import ExportSettings, SelectSettings
from dsel.core.baselines.registry import BASELINES
from dsel.errors import SettingError
from dsel.pipeline.export import export
from dsel.pipeline.score import score
from dsel.pipeline.select import select
from dsel.runs import Run, open_run
from dsel.types import Event, Notice, Progress

ALL = SelectSettings(ipc=4, clusters=2)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cats, of which one lies there three times, and is a dog too; three dogs."""
    root = write_pictures(tmp_path_factory.mktemp("copies"), {"cat": 3, "dog": 3})
    shutil.copy(root / "cat/01.png", root / "cat/copy.png")
    shutil.copy(root / "cat/01.png", root / "dog/cat.png")
    with Image.open(root / "cat/01.png") as image:
        image.save(root / "cat/other.bmp")  # the same pixels in other bytes
    return root


@pytest.fixture(scope="module")
def scored(source: Path) -> tuple[Path, list[Event]]:
    return source.parent / "run", finish(
        score(dataset_of(source), toy_prior(), source.parent / "run", QUICK)
    )


@pytest.fixture
def run(scored: tuple[Path, list[Event]]) -> Run:
    return open_run(scored[0])


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_score__names_labels_that_contradict(scored: tuple[Path, list[Event]]) -> None:
    assert [text for text in notices(scored[1]) if "pixels" in text] == [
        "1 image is in two classes with the same pixels, such as cat/01.png and dog/cat.png: one "
        "label must be wrong; remove the wrong ones, or leave them out with --bans"
    ]


def test_select__one_of_each_content(run: Run, tmp_path: Path) -> None:
    events = finish(select(run, ALL))
    assert notices(events)[0] == (
        "2 images have the same pixels as an earlier one of the class, which is used in its place, "
        "such as cat/copy.png (the same as cat/01.png)"
    )
    cats, dogs = run.read_selection()[1]
    assert sorted(p.image_id for p in cats.patches) == ["cat/00.png", "cat/01.png", "cat/02.png"]
    assert len(dogs.patches) == 4  # which of two labels is right is not known
    finish(export(run, tmp_path / "out", ExportSettings()))
    files = sorted((tmp_path / "out").rglob("cat/*.png"))
    assert len(files) == 3
    assert len({np.asarray(Image.open(file)).tobytes() for file in files}) == 3


def test_select__baselines_take_one_of_each_content_too(run: Run) -> None:
    for name, baseline in BASELINES.items():
        if not baseline.needs:
            finish(select(run, ALL.replace(baseline=name)))
            cats = run.read_selection()[1][0]
            assert {p.image_id for p in cats.patches} == {f"cat/0{n}.png" for n in range(3)}, name


def test_select__a_ban_is_of_the_content(run: Run) -> None:
    finish(select(run, ALL.replace(bans=("cat/01.png",))))
    cats = run.read_selection()[1][0]
    assert sorted(p.image_id for p in cats.patches) == ["cat/00.png", "cat/02.png"]
    finish(select(run, ALL.replace(bans=("cat/copy.png",))))
    assert len(run.read_selection()[1][0].patches) == 3


@pytest.mark.parametrize(
    "override", [{"pins": ("cat/copy.png",)}, {"moves": ("cat/copy.png@0,0",)}]
)
def test_select__an_override_of_a_copy_is_refused(run: Run, override: dict) -> None:
    (name,) = override
    with pytest.raises(SettingError) as caught:
        finish(select(run, ALL.replace(**override)))
    assert str(caught.value) == (
        f"image 'cat/copy.png' in {name} is left out, since 'cat/01.png' has the same pixels: take "
        "that one"
    )
    (status,) = Explorer(run).override_statuses(ALL.replace(**override))
    assert status.problem == str(caught.value)


def test_explanation__of_a_copy(run: Run) -> None:
    found = Explorer(run).explanation(0, "cat/copy.png", ALL)
    assert found.sentence == (
        "This image has the same pixels as cat/01.png, which is used instead."
    )
    assert found.same_as == "cat/01.png"
    assert Explorer(run).explanation(0, "cat/01.png", ALL).same_as == ""


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Eight pictures, of which three hold fewer bits than their files."""
    root = write_pictures(tmp_path / "pictures", {"cat": 2, "dog": 2})
    rng = np.random.default_rng(0)
    for name, white in (("cat/a", 1023), ("cat/b", 4095), ("dog/a", 4095), ("dog/b", 65535)):
        deep = rng.integers(0, white + 1, (40, 40)).astype(np.uint16)
        deep[0, 0] = white
        Image.fromarray(deep).save(root / f"{name}.png")
    return root


FEWER_BITS = [
    "1 image holds 10-bit data in files of 16 bits: it is scaled by 1023, not 65535 (such as "
    "cat/a.png)",
    "2 images hold 12-bit data in files of 16 bits: it is scaled by 4095, not 65535 (such as "
    "cat/b.png)",
]


def test_score__says_how_many_images_use_fewer_bits(deep: Path, tmp_path: Path) -> None:
    events = finish(score(dataset_of(deep), toy_prior(), tmp_path / "run", QUICK))
    assert notices(events) == FEWER_BITS


def test_score__says_it_of_images_that_an_interrupted_try_has_kept(
    deep: Path, tmp_path: Path
) -> None:
    one_by_one = QUICK.replace(shard_size=8, rows_per_call=8, keep_s=0)
    events = score(dataset_of(deep), toy_prior(), tmp_path / "run", one_by_one)
    done = 0
    for event in events:
        done += isinstance(event, Progress)
        if done == 6:
            break
    events.close()
    kept = list((tmp_path / "run/kept/00000").glob("*.safetensors"))
    assert kept
    rest = finish(score(dataset_of(deep), toy_prior(), tmp_path / "run", one_by_one))
    assert notices(rest) == FEWER_BITS
