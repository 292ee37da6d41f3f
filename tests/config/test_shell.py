"""The command that is shown does what the settings say: parsed by a shell and by the real flags."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.synthetic import draw, write_run
from support.toyset import finish, tree

from dsel.analysis.explorer import Explorer
from dsel.cli import commands as cli
from dsel.cli.commands import main
from dsel.config import (
    ExportSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    TrainSettings,
)
from dsel.config.shell import export_command, flags, select_and_export, select_command
from dsel.exports import zip_folder
from dsel.pipeline.export import export_selections
from dsel.runs import Run, open_run

ODD_CLASSES = {'it\'s "a" cat': 9, "--pins=a b": 7, "-7": 5, "$(кот) && é; *\n#": 6}
"""Class folders, and with them image ids, that a shell or the flags could misread."""

SPY = 'dsel() { printf "%s\\0" "$#" "$@"; }; '
"""Stands for dsel in a shell, and says what it was called with."""


def calls(command: str) -> list[list[str]]:
    """What a shell makes of a line: the arguments of each dsel in it."""
    done = subprocess.run(["sh", "-c", SPY + command], capture_output=True, check=True)
    assert done.stderr == b""
    parts = done.stdout.decode().split("\0")[:-1]
    found = []
    while parts:
        count = int(parts.pop(0))
        found.append(parts[:count])
        del parts[:count]
    return found


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose images have odd names, in a folder with one; leave it as it is."""
    path = tmp_path_factory.mktemp("work") / "a 'run'"
    return write_run(
        path, ODD_CLASSES, {"source": str(path / "gone")}, lambda c, n: draw(c, n), shard_size=9
    )


# In words


def test_select_and_export__by_hand() -> None:
    chosen = SelectSettings(
        patch_px=32, timesteps=(200, 300), locate="signed", pins=("cat/1.png", "-a b/2.png"),
        bans=("it's.png",), moves=("cat/1.png@16,24",),
    )  # fmt: skip
    how = ExportSettings(file_format="jpeg", image_px=64)
    assert select_and_export(Path("my run"), Path("-out"), chosen, how) == (
        "dsel select 'my run' --patch-px 32 --timesteps 200 300 --locate signed --pins=cat/1.png "
        "--pins='-a b/2.png' --bans='it'\"'\"'s.png' --moves=cat/1.png@16,24 && "
        "dsel export 'my run' --out ./-out --image-px 64 --file-format jpeg"
    )


def test_select_and_export__of_the_defaults_is_short() -> None:
    line = select_and_export(Path("/r"), Path("OUT"), SelectSettings(), ExportSettings())
    assert line == "dsel select /r && dsel export /r --out OUT"


def test_flags__of_other_settings_by_hand() -> None:
    assert flags(ScoreSettings(antithetic=False, null_prompt="", tolerance=0.25)) == (
        "--no-antithetic", "--tolerance 0.25", "--null-prompt=''",
    )  # fmt: skip
    assert flags(PriorSettings(low_memory=True)) == ("--low-memory",)
    assert flags(SourceSettings(classes=("a b", "-c"))) == ("--classes='a b'", "--classes=-c")
    assert flags(TrainSettings()) == ()


# Read back

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
IDS = st.lists(
    st.one_of(TEXTS, st.sampled_from(["--", "-h", "--help", "--ipc=3", "None", "a/-1", "@", "'"])),
    unique=True, max_size=3,
)  # fmt: skip


@st.composite
def select_settings(draw: st.DrawFn) -> SelectSettings:
    """Any settings of a selection."""
    pins, bans = draw(IDS), draw(IDS)
    model = draw(st.one_of(st.just(""), TEXTS))
    moved = [one for one in draw(IDS) if one]
    corners = st.tuples(st.integers(-9, 999), st.integers(0, 999))
    return SelectSettings(
        patch_px=draw(st.integers(0, 99)),
        stride_px=draw(st.sampled_from([0, 3])),
        per_image=draw(st.sampled_from([1, 4])),
        timesteps=tuple(draw(st.lists(st.integers(0, 999), max_size=3, unique=True))),
        locate=draw(st.sampled_from(["difference", "positive", "signed"])),
        smooth=draw(st.sampled_from([0.0, 1.5])),
        features="clip" if model else draw(st.sampled_from(["free", "reencode"])),
        feature_model=model,
        clusters=draw(st.sampled_from([0, 5])),
        ipc=draw(st.sampled_from([10, 3])),
        within=draw(st.sampled_from(["score", "centroid"])),
        across=draw(st.sampled_from(["round-robin", "pooled"])),
        factor=draw(st.integers(1, 8)),
        baseline=draw(st.sampled_from(["none", "herding"])),
        baseline_seed=draw(st.sampled_from([0, 7])),
        teacher=draw(st.one_of(st.just(""), TEXTS)),
        pins=tuple(pins),
        bans=tuple(one for one in bans if one not in pins),
        moves=tuple(f"{one}@{x},{y}" for one in moved for x, y in [draw(corners)]),
    )


@st.composite
def export_settings(draw: st.DrawFn) -> ExportSettings:
    """Any settings of an export."""
    return ExportSettings(
        image_px=draw(st.integers(0, 99)),
        file_format=draw(st.sampled_from(["png", "jpeg"])),
        pixels=draw(st.sampled_from(["auto", "source", "proxy"])),
    )


PATHS = st.one_of(
    st.sampled_from(["-", "--", "--json", "select", "~", "a b", "./x", "é'", "-1", "a=b", "None"]),
    TEXTS.filter(lambda text: text.strip("/.")),
)


@settings(max_examples=60, deadline=None)
@given(run=PATHS, out=PATHS, select=select_settings(), export=export_settings())
def test_select_and_export__the_flags_give_the_settings_back(
    run: str, out: str, select: SelectSettings, export: ExportSettings
) -> None:
    seen: list[Any] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cli, "_open", lambda path: path)
        patched.setattr(cli, "_select", lambda path, chosen, _: seen.append((path, chosen)) or {})
        patched.setattr(cli, "_export", lambda *arguments: seen.append(arguments) or {})
        for arguments in calls(select_and_export(Path(run), Path(out), select, export)):
            assert main(arguments) == 0
    (from_run, chosen), (again, to, how, named, of_slice) = seen
    assert Path(from_run) == Path(again) == Path(run)
    assert (chosen, how) == (select, export)
    assert (to, named, of_slice) == (Path(out), "", "")


def test_commands__each_alone() -> None:
    one, two = select_and_export(
        Path("r"), Path("o"), SelectSettings(ipc=3), ExportSettings(image_px=9)
    ).split(" && ")
    assert select_command(Path("r"), SelectSettings(ipc=3)) == one
    assert export_command(Path("r"), Path("o"), ExportSettings(image_px=9)) == two


# The same bytes


def by_hand(explorer: Explorer, chosen: SelectSettings) -> SelectSettings:
    """Pin, ban and move a few images of every class: its last ones, and its best one."""
    pins, bans, moves = [], [], []
    for index in range(len(explorer.classes)):
        ids = [patch.image_id for patch in explorer.select(index, chosen).patches]
        *_, third, second, last = dict.fromkeys(ids)
        pins += [last, third]
        bans.append(ids[0])
        moves += [f"{last}@{3 + index},40", f"{second}@0,7"]
    return chosen.replace(pins=tuple(pins), bans=tuple(bans), moves=tuple(moves))


@pytest.mark.parametrize(
    ("chosen", "how"),
    [
        (SelectSettings(ipc=3), ExportSettings()),
        (SelectSettings(ipc=2, factor=2, patch_px=40, per_image=2, clusters=2, stride_px=5),
         ExportSettings(image_px=50, file_format="jpeg")),
        (SelectSettings(timesteps=(300, 600), locate="signed", smooth=1.5, within="centroid",
                        across="pooled"),
         ExportSettings(image_px=16, pixels="proxy")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("corrected", [False, True])
def test_select_and_export__gives_the_bytes_that_the_app_exports(
    odd_run: Run, tmp_path: Path, chosen: SelectSettings, how: ExportSettings, corrected: bool
) -> None:
    explorer = Explorer(odd_run)
    chosen = by_hand(explorer, chosen) if corrected else chosen
    live = [explorer.select(index, chosen) for index in range(len(ODD_CLASSES))]
    finish(export_selections(odd_run, live, chosen, tmp_path / "app", how))
    copy = Path(shutil.copytree(odd_run.path, tmp_path / "-copied 'run'"))
    out = tmp_path / "a $OUT"
    for arguments in calls(select_and_export(copy, out, chosen, how)):
        assert main(arguments) == 0
    assert tree(out) == tree(tmp_path / "app")
    one = zip_folder(out, tmp_path / "one.zip").read_bytes()
    assert one == zip_folder(tmp_path / "app", tmp_path / "other.zip").read_bytes()
    kept, _ = open_run(copy).read_selection()
    assert kept == chosen
