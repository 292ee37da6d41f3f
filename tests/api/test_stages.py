"""The Python API: the same bytes as the command line, one clear line for wrong keywords."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from support.synthetic import synthetic_run
from support.toyset import QUICK, TINY_CLASSES, dataset_of, toy_prior, write_pictures

import dsel
from dsel.cli.commands import main
from dsel.config.presets import PRESETS
from dsel.contents import Contents
from dsel.types import Done, Progress, Skipped, Started

README = Path(__file__).parents[2] / "README.md"
SCORING = {"timesteps": (300, 600), "draws": 2}


@pytest.fixture
def run(tmp_path: Path) -> dsel.Run:
    path = tmp_path / "run"
    synthetic_run(path, classes=2, per_class=8)
    return dsel.open_run(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos", TINY_CLASSES)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_stages__the_bytes_of_the_command_line(tmp_path: Path, tiny_prior: Path) -> None:
    source = write_pictures(tmp_path / "photos", TINY_CLASSES)
    run = dsel.score(source, tmp_path / "run", prior=tiny_prior, progress=False, **SCORING)
    selection = dsel.select(run, patch_px=16, ipc=2, progress=False)
    dsel.export(selection, tmp_path / "out", pixels="proxy", progress=False)

    other = str(tmp_path / "other")
    scoring = ["--timesteps", "300", "600", "--draws", "2", "--prior", str(tiny_prior)]
    assert main(["score", str(source), "--run", other, *scoring]) == 0
    assert main(["select", other, "--patch-px", "16", "--ipc", "2"]) == 0
    out = str(tmp_path / "other_out")
    assert main(["export", other, "--out", out, "--pixels", "proxy"]) == 0
    assert files_in(tmp_path / "out") == files_in(tmp_path / "other_out")


def test_distill__the_steps_in_one_call(tmp_path: Path, tiny_prior: Path) -> None:
    source = write_pictures(tmp_path / "photos", TINY_CLASSES)
    how = {"prior": tiny_prior, "patch_px": 16, "ipc": 2, "pixels": "proxy", "progress": False}
    selection = dsel.distill(source, tmp_path / "out", **how, **SCORING)
    assert len(selection) == 2 * len(TINY_CLASSES)
    dsel.export(selection, tmp_path / "again", pixels="proxy", progress=False)
    distilled = {k: v for k, v in files_in(tmp_path / "out").items() if not k.startswith("run/")}
    assert distilled == files_in(tmp_path / "again")


def test_export__into_the_folder_of_distill(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    stages = {"score_settings": QUICK, "ipc": 2, "pixels": "proxy", "progress": False}
    selection = dsel.distill(source, out, prior=toy_prior(), **stages)
    distilled = files_in(out)
    assert dsel.export(selection, out, pixels="proxy", progress=False) == out
    assert files_in(out) == distilled


def test_distill__models_and_keywords_mix(source: Path, tmp_path: Path) -> None:
    selection = dsel.distill(
        source,
        tmp_path / "out",
        prior=toy_prior(("dog",)),
        score_settings=QUICK,
        select_settings=dsel.SelectSettings(patch_px=16, ipc=3),
        export_settings=dsel.ExportSettings(pixels="proxy", image_px=8),
        source_settings=dsel.SourceSettings(classes=("dog",), per_class=1),
        device="cpu",
        progress=False,
        draws=4,
        ipc=2,
        image_px=12,
        per_class=2,
    )
    identity = selection.run.folder.identity
    assert identity.settings == QUICK.replace(draws=4)
    assert (identity.classes, identity.images) == (("dog",), 2)
    assert selection.settings == dsel.SelectSettings(patch_px=16, ipc=2)
    (picture, _) = sorted((tmp_path / "out/train").rglob("*.png"))
    with Image.open(picture) as image:
        assert image.size == (12, 12)


def test_score__models_and_keywords_mix(source: Path, tmp_path: Path) -> None:
    settings = dsel.SourceSettings(classes=("dog",), per_class=1)
    how = {"source_settings": settings, "settings": QUICK, "progress": False}
    run = dsel.score(source, tmp_path / "run", prior=toy_prior(("dog",)), per_class=3, **how)
    assert (run.folder.identity.classes, run.folder.identity.images) == (("dog",), 3)


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("iter_score", "per_class"), ("iter_score", "precision"), ("iter_score", "device"),
        ("iter_distill", "per_class"), ("iter_distill", "precision"),
    ],
)  # fmt: skip
def test_stages__settings_of_what_is_open_already(
    source: Path, tmp_path: Path, stage: str, name: str
) -> None:
    events = getattr(dsel, stage)(
        dataset_of(source), tmp_path / "x", prior=toy_prior(), **{name: 1}
    )
    with pytest.raises(dsel.SettingError, match=f"unknown setting '{name}'; known are:"):
        next(events)


def test_stages__source_settings_for_an_open_dataset(source: Path, tmp_path: Path) -> None:
    settings = dsel.SourceSettings(per_class=1)
    with pytest.raises(dsel.SettingError, match="source_settings must be left out"):
        dsel.score(dataset_of(source), tmp_path / "x", source_settings=settings, progress=False)


def test_distill__wrong_output_is_refused_before_scoring(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(dsel.DselError, match=r"notes\.txt"):
        dsel.distill("toybox", tmp_path, per_class=1)
    with pytest.raises(dsel.SettingError, match="out must be a folder"):
        dsel.distill("toybox", tmp_path / "x.zip")


def test_iter_score__events(tmp_path: Path, tiny_prior: Path) -> None:
    source = write_pictures(tmp_path / "photos", TINY_CLASSES)
    (source / next(iter(TINY_CLASSES)) / "broken.png").write_bytes(b"no image")
    events = list(dsel.iter_score(source, tmp_path / "run", prior=tiny_prior, **SCORING))
    assert isinstance(events[0], Contents)
    assert {type(event) for event in events} >= {Started, Progress, Skipped, Done}
    reasons = dsel.open_run(tmp_path / "run").skipped
    assert list(reasons) == [f"{next(iter(TINY_CLASSES))}/broken.png"]


def test_select__keywords_win_over_a_preset_and_a_preset_over_settings(run: dsel.Run) -> None:
    settings = dsel.SelectSettings(patch_px=32, ipc=2, cut="context", within="centroid")
    chosen = dsel.select(run, settings=settings, preset="paper", factor=1, progress=False)
    assert chosen.settings == dsel.SelectSettings(**PRESETS["paper"]).replace(ipc=2, factor=1)
    with pytest.raises(dsel.SettingError, match="unknown preset 'letter'; known are: paper"):
        dsel.select(run, preset="letter", progress=False)


def test_select__models_and_keywords_mix(run: dsel.Run) -> None:
    settings = dsel.SelectSettings(patch_px=32, ipc=3)
    selection = dsel.select(run, settings=settings, ipc=2, progress=False)
    assert (selection.settings.patch_px, selection.settings.ipc) == (32, 2)
    assert len(selection) == len(selection.labels) == 4


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        ({"patch": 32}, "unknown setting 'patch'; known are: .*patch_px"),
        ({"patch_px": -1}, r"patch.* must be between 0 and 8192, got -1"),
        ({"ipc": 0}, r"must be between 1 and 100000, got 0"),
    ],
)
def test_select__wrong_keywords(run: dsel.Run, keywords: dict[str, int], line: str) -> None:
    with pytest.raises(dsel.SettingError, match=line):
        dsel.select(run, progress=False, **keywords)


def test_open_run__no_run(tmp_path: Path) -> None:
    with pytest.raises(dsel.RunError, match="is not a run"):
        dsel.open_run(tmp_path)


def test_progress__a_bar_and_notices(run: dsel.Run, capsys: pytest.CaptureFixture[str]) -> None:
    dsel.select(run, patch_px=32, ipc=30)
    written = capsys.readouterr()
    assert "select" in written.err
    assert "fewer than IPC 30" in written.out + written.err


def test_readme__its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's example, with fewer scenes so that it takes seconds."""
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for text, few in (("per_class=20", "per_class=1"), ("draws=4", "draws=2"), ("ipc=5", "ipc=1")):
        assert text in block
        block = block.replace(text, few)
    exec(block, names)
    assert (tmp_path / "OUT" / "manifest.json").is_file()
    assert len(list((tmp_path / "OUT" / "train").rglob("*.png"))) == 10
