"""Baselines of a run: what a teacher and true boxes give, what is stored, and what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from support.stored import flip
from support.synthetic import MIXED, synthetic_run
from support.teachers import BrightnessTeacher
from support.truths import write_boxes

from dsel.cache import Cache
from dsel.config import ExportSettings, SelectSettings
from dsel.config.select import BaselineName
from dsel.core.baselines.registry import BASELINES
from dsel.data.images import crop, decode
from dsel.errors import DamageError, SettingError
from dsel.files import record_bytes
from dsel.pipeline.confidences import asks_teacher, last_teacher, teacher_for
from dsel.pipeline.export import export
from dsel.pipeline.select import select
from dsel.pipeline.selector import Selector
from dsel.runs import Run, open_run
from dsel.types import Box, Done, Notice

TEACHER = "bright"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with true boxes; tests write to copies of it."""
    run = synthetic_run(tmp_path_factory.mktemp("made") / "run", 2, 9, sizes=MIXED)
    write_boxes(run)
    return run.path


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    return open_run(Path(shutil.copytree(made, tmp_path / "run")))


def settings_of(name: str, **others: object) -> SelectSettings:
    return SelectSettings(baseline=name, teacher=TEACHER, ipc=3, **others)


def brightness(run: Run, class_index: int) -> dict[str, float]:
    """The brightness of the largest square in the middle of each image, at 8 x 8 px."""
    found = {}
    for row in run.class_rows(class_index):
        pixels = decode(run.image_bytes([row], "proxy")[0])
        height, width = pixels.shape[:2]
        side = min(height, width)
        box = Box((width - side) / 2, (height - side) / 2, side, side)
        found[row.id] = float(crop(pixels, box, 8, 8).mean())
    return found


def test_baselines__settings_and_registry_name_the_same() -> None:
    assert get_args(BaselineName) == ("none", *BASELINES)


@pytest.mark.parametrize(("class_index", "sign"), [(0, -1), (1, 1)])
def test_easiest__is_what_the_teacher_is_surest_of(run: Run, class_index: int, sign: int) -> None:
    """It is sure of the first class where an image is bright, of the second where it is dark."""
    selector = Selector(run, teacher=BrightnessTeacher())
    light = brightness(run, class_index)
    expected = sorted(light, key=lambda image_id: sign * light[image_id])
    easiest = selector.select(class_index, settings_of("easiest"))
    assert [patch.image_id for patch in easiest.patches] == expected
    hardest = selector.select(class_index, settings_of("hardest"))
    assert [patch.image_id for patch in hardest.patches] == expected[::-1]


def test_rded__mosaics_of_crops_of_any_size(run: Run) -> None:
    found = Selector(run, teacher=BrightnessTeacher()).select(0, settings_of("rded", factor=2))
    assert all(len(image) == 4 for image in found.images)
    assert len({patch.box.width for patch in found.patches}) > 5
    assert all(patch.cut_box == patch.source_box for patch in found.patches)


def test_largest_object__by_the_boxes_of_the_run(run: Run) -> None:
    found = Selector(run).select(0, settings_of("largest-object"))
    truth = Selector(run).ground_truth()
    assert truth is not None
    frames = {row.id: row.frame for row in run.class_rows(0)}
    shares = []
    for patch in found.patches:
        mask, frame = truth.mask(patch.image_id), frames[patch.image_id]
        assert mask is not None
        assert frame is not None
        shares.append(mask.sum() / (frame.view.width * frame.view.height))
    assert (np.diff(shares) <= 0.05).all()
    assert shares[0] > shares[-1]


def test_teacher__answers_are_stored_and_asked_once(run: Run) -> None:
    teacher = BrightnessTeacher()
    first = Selector(run, teacher=teacher).select(0, settings_of("rded", baseline_seed=3))
    assert teacher.seen == 9 * 5
    again = Selector(run, teacher=teacher).select(0, settings_of("rded", baseline_seed=3))
    without = Selector(run).select(0, settings_of("rded", baseline_seed=3))
    assert repr(first) == repr(again) == repr(without)
    assert teacher.seen == 9 * 5
    assert last_teacher(run) == TEACHER
    other = BrightnessTeacher()
    other.fingerprint = "another"
    Selector(run, teacher=other).select(0, settings_of("rded", baseline_seed=3))
    assert other.seen == 9 * 5


def test_teacher__missing_ones_are_one_line(run: Run) -> None:
    with pytest.raises(SettingError, match=r"baseline rded needs a teacher: pass --teacher with"):
        Selector(run).select(0, SelectSettings(baseline="rded"))
    with pytest.raises(SettingError) as caught:
        Selector(run).select(0, settings_of("easiest").replace(teacher="/home/me/bright"))
    assert str(caught.value) == (
        "the answers of teacher bright to these images are not in the run: compute them with "
        "dsel select RUN --ipc 3 --baseline easiest --teacher=TEACHER"
    )
    assert last_teacher(run) == ""
    run.objects_path.unlink()
    with pytest.raises(SettingError, match=r"largest-object needs the true objects .*boxes\.json"):
        Selector(run).select(0, settings_of("largest-object"))


def test_teacher_for__loads_nothing_where_none_is_asked(run: Run) -> None:
    assert teacher_for(run, settings_of("herding")) is None
    assert teacher_for(run, SelectSettings(baseline="rded")) is None
    assert [name for name in BASELINES if asks_teacher(settings_of(name))] == [
        "rded", "easiest", "hardest",
    ]  # fmt: skip
    assert not asks_teacher(SelectSettings(teacher=TEACHER))


@pytest.mark.parametrize("name", BASELINES)
def test_select_and_export__as_any_selection(run: Run, tmp_path: Path, name: str) -> None:
    settings = settings_of(name, factor=2)
    *_, done = select(run, settings, teacher=BrightnessTeacher())
    assert isinstance(done, Done)
    assert done.figures["images"] == 6
    stored, selections = run.read_selection()
    assert stored == settings
    expected = [Selector(run).select(index, settings) for index in range(2)]
    assert repr(list(selections)) == repr(expected)
    *_, done = export(run, tmp_path / "out", ExportSettings(image_px=32))
    assert isinstance(done, Done)
    assert len(list((tmp_path / "out").rglob("*/*.png"))) == 6


def test_select__is_cached_under_what_a_baseline_reads(run: Run) -> None:
    selector = Selector(run, Cache())
    herding = settings_of("herding")
    found = selector.select(0, herding)
    same = herding.replace(within="centroid", across="pooled", drop_lowest=0.5, pins=())
    assert selector.select(0, same) is found
    for others in ({"factor": 2}, {"cut": "patch"}, {"baseline": "no-clusters"}):
        assert selector.select(0, herding.replace(**others)) is not found
    drawn = [selector.select(0, settings_of("random-whole", baseline_seed=n)) for n in (0, 1, 0)]
    assert drawn[0] is drawn[2]
    assert repr(drawn[0]) != repr(drawn[1])


def test_select__damaged_answers_of_a_teacher_are_asked_again(run: Run) -> None:
    settings = settings_of("easiest")
    list(select(run, settings, teacher=BrightnessTeacher()))
    path = sorted(run.path.glob("teachers/*/00000-*.safetensors"))[0]
    whole = path.read_bytes()
    flip(path, -1)
    with pytest.raises(DamageError, match=r"is damaged: its checksum does not match; run the same"):
        list(select(run, settings))
    events = list(select(run, settings, teacher=BrightnessTeacher()))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert f"{path} is made again: its checksum does not match" in notices
    assert path.read_bytes() == whole
    (named,) = run.path.glob("teachers/*/teacher.json")
    for content in ("null", "{}", record_bytes({"names": "a"}).decode()):
        named.write_text(content)
        with pytest.raises(DamageError, match=r"teacher\.json is damaged: "):
            last_teacher(run)
