"""The Python API: the same bytes as the command line, one clear line for wrong keywords."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.synthetic import synthetic_run
from support.toyset import TINY_CLASSES, write_pictures

import dsel
from dsel.cli.commands import main
from dsel.types import Done, Notice, Progress, Skipped, Started

README = Path(__file__).parents[2] / "README.md"
SCORING = {"timesteps": (300, 600), "draws": 2}


@pytest.fixture
def run(tmp_path: Path) -> dsel.Run:
    path = tmp_path / "run"
    synthetic_run(path, classes=2, per_class=8)
    return dsel.open_run(path)


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
    assert isinstance(events[0], Notice | Started)
    assert {type(event) for event in events} >= {Started, Progress, Skipped, Done}
    reasons = dsel.open_run(tmp_path / "run").skipped
    assert list(reasons) == [f"{next(iter(TINY_CLASSES))}/broken.png"]


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
