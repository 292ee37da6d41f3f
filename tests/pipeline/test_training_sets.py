"""Training sets: the exported pixels, equal budgets, tiles, one way for all baselines."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.scored import evaluated_run
from support.teachers import BrightnessTeacher
from support.toyset import finish

from dsel.config import EvaluateSettings, ExportSettings, SelectSettings
from dsel.data.images import decode
from dsel.errors import SettingError
from dsel.pipeline.evaluated import open_sets
from dsel.pipeline.export import export
from dsel.pipeline.select import select
from dsel.pipeline.training_sets import OWN, RunSets
from dsel.runs import Run, open_run


class NamedTeacher(BrightnessTeacher):
    """It takes pictures of any size, and files record its name."""

    origin = {"name": "bright", "fingerprint": "bright"}  # noqa: RUF012

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        first = images.mean(axis=(1, 2, 3)) / 255
        return np.column_stack([first, 1 - first]).astype(np.float32)


HOW = EvaluateSettings(student_px=128)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return open_run(evaluated_run(tmp_path_factory.mktemp("made")) / "run")


@pytest.fixture
def out(run: Run, tmp_path: Path):
    """Select with some settings and export; the folder of the export."""

    def exported(settings: SelectSettings, **how: object) -> Path:
        finish(select(run, settings))
        finish(export(run, tmp_path / "out", ExportSettings(**how)))
        return tmp_path / "out"

    return exported


def sets_of(run: Run, **settings: object) -> RunSets:
    return RunSets(run, SelectSettings(clusters=2, **settings))


def files(out: Path, suffix: str) -> np.ndarray:
    return np.stack([decode(path) for path in sorted(out.glob(f"train/*/*{suffix}"))])


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_compose__the_pixels_of_the_export(run, out, file_format):
    settings = SelectSettings(ipc=2, clusters=2)
    folder = out(settings, file_format=file_format)
    made = RunSets(run, settings, (), ExportSettings(file_format=file_format))
    images = made.compose(OWN, 2, 0, HOW).images
    assert np.array_equal(images.images, files(folder, ".png" if file_format == "png" else ".jpg"))
    assert images.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("unpack", [True, False])
@pytest.mark.parametrize("factor", [1, 2])
def test_compose__a_run_and_its_export_are_the_same_set(run, out, factor, unpack):
    settings = SelectSettings(ipc=1, clusters=2, factor=factor)
    folder = out(settings)
    how = EvaluateSettings(student_px=32, unpack=unpack)
    exported = open_sets(folder, run.path)
    mine = RunSets(run, settings)
    for name in (OWN, "random-whole", "herding"):
        a, b = (one.compose(name, 1, 5, how) for one in (exported, mine))
        assert a.fingerprint == b.fingerprint
        assert a.per_class == b.per_class == (1, 1)
        assert len(a.images.labels) == (2 * factor**2 if unpack else 2)


@pytest.mark.parametrize("with_run", [True, False])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("randomwhole", "unknown baseline 'randomwhole'"),
        ("rded", "needs a teacher, and the set was exported without one"),
    ],
)
def test_check__baselines_of_an_export(run, out, with_run, name, line):
    exported = open_sets(out(SelectSettings(ipc=1, clusters=2)), run.path if with_run else None)
    with pytest.raises(SettingError, match=line):
        exported.check([name], [1])


def test_compose__a_smaller_ipc_of_an_export_is_its_first_images(run, out):
    folder = out(SelectSettings(ipc=3, clusters=2))
    images = open_sets(folder, run.path).compose(OWN, 1, 0, HOW).images
    assert np.array_equal(images.images, files(folder, "_id00000.png"))


@pytest.mark.parametrize(
    "name",
    ["random-whole", "random-crop", "centre-crop", "no-clusters", "kmeans-nearest", "herding",
     "facility-location"],
)  # fmt: skip
@pytest.mark.parametrize("factor", [1, 2])
def test_compose__every_baseline_has_the_same_budget(run, name, factor):
    sets = sets_of(run, factor=factor)
    own, other = (sets.compose(one, 1, 0, EvaluateSettings(student_px=16)) for one in (OWN, name))
    assert own.per_class == other.per_class == (1, 1)
    assert own.images.images.shape == other.images.images.shape
    assert own.images.labels.tolist() == other.images.labels.tolist()


def test_compose__a_set_is_never_in_memory_at_its_full_size(run):
    """One image of 1024 px takes 3 MB; all of the 12 would take 36 MB and their copies more."""
    sets = RunSets(
        run, SelectSettings(clusters=2), (), ExportSettings(image_px=1024, pixels="proxy")
    )
    sets.compose(OWN, 1, 0, EvaluateSettings(student_px=16))  # reads the run
    peaks = []
    for ipc in (1, 6):
        tracemalloc.start()
        made = sets.compose(OWN, ipc, 0, EvaluateSettings(student_px=16))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert made.per_class == (ipc, ipc)
    assert peaks[1] < peaks[0] + (3 << 20)


def test_choice__equal_where_the_seed_makes_no_difference(run):
    sets = sets_of(run)
    assert sets.choice(OWN, 2, 0) == sets.choice(OWN, 2, 1)
    assert sets.choice("herding", 2, 0) == sets.choice("herding", 2, 1)
    assert sets.choice("random-whole", 2, 0) != sets.choice("random-whole", 2, 1)
    assert sets.choice("random-whole", 2, 1) == sets.choice("random-whole", 2, 1)


def test_random_whole__is_the_whole_picture(run):
    """The run's proxies are square, so the set holds pictures of the run as they are."""
    images = sets_of(run).compose("random-whole", 2, 0, HOW).images
    proxies = [decode(data) for data in run.image_bytes(run.images, "proxy")]
    assert all(any(np.array_equal(one, proxy) for proxy in proxies) for one in images.images)


def test_with_select__other_settings_of_the_same_run(run):
    sets = sets_of(run)
    other = sets.with_select(SelectSettings(clusters=2, cut="patch"))
    assert other.compose(OWN, 2, 0, HOW).fingerprint == (
        sets_of(run, cut="patch").compose(OWN, 2, 0, HOW).fingerprint
    )
    assert sets.select.cut == "whole"


@pytest.mark.parametrize("crops", [0, 3])
@pytest.mark.parametrize("factor", [1, 2])
def test_compose__soft_labels_of_a_run_are_those_of_its_export(
    run, out, monkeypatch, factor, crops
):
    monkeypatch.setattr("dsel.students.teachers.load_teacher", lambda *_: NamedTeacher())
    settings = SelectSettings(ipc=1, clusters=2, factor=factor)
    folder = out(settings, teacher="bright", label_crops=crops)
    how = EvaluateSettings(student_px=16, recipe="soft")
    exported = open_sets(folder, run.path)
    mine = RunSets(run, settings, (), ExportSettings(teacher="bright", label_crops=crops))
    for name in (OWN, "random-whole"):
        a, b = (one.compose(name, 1, 0, how) for one in (exported, mine))
        assert a.images.soft.shape == (2 * factor**2, 2)
        assert (a.images.crops is None) == (crops == 0)
        assert a.fingerprint == b.fingerprint
    hard = exported.compose(OWN, 1, 0, HOW).images
    assert hard.soft is None
    assert hard.crops is None


def test_choice__a_selection_asks_its_own_teacher(run, monkeypatch):
    """The teacher of the labels is another one than that of the selection."""

    def load(name: str, _: object) -> NamedTeacher:
        teacher = NamedTeacher()
        teacher.fingerprint = name
        if name == "labels":
            teacher.probabilities = lambda images: 1 - NamedTeacher().probabilities(images)
        return teacher

    monkeypatch.setattr("dsel.students.teachers.load_teacher", load)
    settings = SelectSettings(clusters=2, baseline="easiest", teacher="selects", ipc=1)
    alone = RunSets(run, settings).choice(OWN, 1, 0)
    assert RunSets(run, settings, (), ExportSettings(teacher="labels")).choice(OWN, 1, 0) == alone


def test_fingerprint__changes_with_a_pixel_and_with_a_label(run):
    made = sets_of(run).compose(OWN, 1, 0, HOW)
    before = made.fingerprint
    made.images.images[0, 0, 0, 0] ^= 1
    changed = made.fingerprint
    made.images.images[0, 0, 0, 0] ^= 1
    made.images.labels[0] += 1
    assert len({before, changed, made.fingerprint}) == 3
