"""Command lines: every setting has its flag, default and help, and every mistake is one line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dsel.cli.care import Watch
from dsel.cli.commands import COMMANDS, main
from dsel.cli.flags import Address, Pace, Scenes, Where, with_preset
from dsel.cli.parsing import FLAG, in_one_line
from dsel.cli.sharing import SpaceFlags
from dsel.config import (
    AdaptSettings,
    AdviseSettings,
    EvaluateSettings,
    ExportSettings,
    GatherSettings,
    LaunchSettings,
    PlaceSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
    StudentSettings,
    SweepSettings,
    TeachSettings,
    TrainSettings,
)
from dsel.config.base import Setting, Settings, settings_of
from dsel.config.presets import PRESETS

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, tuple[type[Settings], ...]] = {
    "app": (Address,),
    "score": (PriorSettings, SourceSettings, ScoreSettings, LaunchSettings, Pace),
    "select": (SelectSettings, Where),
    "export": (ExportSettings,),
    "distill": (
        PriorSettings, SourceSettings, ScoreSettings, SelectSettings, ExportSettings,
        LaunchSettings, Pace,
    ),
    "gather": (Where, GatherSettings, LaunchSettings),
    "toybox": (Scenes,),
    "evaluate": (EvaluateSettings, ExportSettings, PlaceSettings),
    "sweep": (SweepSettings, StudentSettings, ExportSettings, PlaceSettings),
    "advise": (AdviseSettings, StudentSettings, ExportSettings, PlaceSettings),
    "teach": (SourceSettings, TeachSettings),
    "adapt": (PriorSettings, SourceSettings, AdaptSettings),
    "train": (SourceSettings, TrainSettings),
    "check": (),
    "explain": (PriorSettings, ScoreSettings),
    "verify": (),
    "info": (),
    "report": (),
    "status": (Watch,),
    "repair": (Where,),
    "bundle": (),
    "space": (SpaceFlags,),
}  # fmt: skip
OWN = {
    "score": {"--run"}, "select": {"--preset"},
    "export": {"--out", "--selection", "--slice", "--push", "--public"},
    "explain": {"--classes", "--out", "--run"},
    "distill": {"--out", "--run", "--preset"}, "train": {"--out"},
    "teach": {"--out", "--validation"}, "adapt": {"--out"},
    "evaluate": {"--test", "--run", "--selection"},
    "sweep": {"--validation", "--selection"}, "advise": {"--validation", "--selection"},
    "check": {"--boxes", "--selection"}, "bundle": {"--out"}, "space": {"--out"},
    "report": {"--out", "--selection", "--evaluation", "--pictures"},
}  # fmt: skip
"""Flags that are no settings; --json, --dry-run and --help are those of every command."""


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


def flag_of(setting: Setting) -> str:
    return "--" + setting.name.replace("_", "-")


def settings_of_command(command: str) -> Iterator[Setting]:
    """The settings that a command has flags for; `distill` selects among all that it scores."""
    all_shards = {(LaunchSettings, "shards")}
    left_out = {
        "distill": {(SelectSettings, "timesteps"), (SelectSettings, "teacher")} | all_shards,
        "gather": all_shards,
    }
    for kind in SETTINGS[command]:
        for setting in settings_of(kind).values():
            if (kind, setting.name) not in left_out.get(command, set()):
                yield setting


def as_written(default: Any) -> str:
    """A default as a shell takes it."""
    if isinstance(default, tuple):
        return " ".join(shlex.quote(str(part)) for part in default)
    return shlex.quote(str(default))


def words(text: str) -> str:
    """A text without frames and line breaks."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


# The help


def test_help__lists_every_command() -> None:
    text = words(COMMANDS.help_of())
    assert all(f" {command} " in text for command in SETTINGS)


@pytest.mark.parametrize("command", SETTINGS)
def test_help__every_setting_with_its_default_and_help(command: str) -> None:
    text = words(COMMANDS.help_of(command))
    for setting in settings_of_command(command):
        is_list = setting.override and setting.default == ()
        usual = "repeatable" if is_list else f"default: {as_written(setting.default)}"
        told = re.escape(f"{setting.help} ({usual})")
        assert re.search(rf"(?<!\S){flag_of(setting)}(, --no-\S+)? [^()]*?{told}", text), setting


@pytest.mark.parametrize("command", SETTINGS)
def test_help__no_other_flags(command: str) -> None:
    every = {flag_of(setting) for setting in settings_of_command(command)} | OWN.get(command, set())
    common = {"--help"} if command == "app" else {"--help", "--json", "--dry-run"}
    found = FLAG.findall(COMMANDS.help_of(command))
    assert {flag for flag in found if not flag.startswith("--no-")} == every | common


@pytest.mark.parametrize("command", SETTINGS)
def test_help__ends_with_0(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert not ended.value.code
    assert "usage: dsel" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_documentation__names_flags_that_exist(path: Path) -> None:
    known = {flag for command in SETTINGS for flag in FLAG.findall(COMMANDS.help_of(command))}
    commands = r"`(?:--|dsel )[^`]*`|^ *dsel .*$"
    for place in re.findall(commands, path.read_text("utf-8"), re.MULTILINE):
        assert set(FLAG.findall(place)) <= known, place


def test_help__names_version() -> None:
    assert "dsel --version prints the version" in words(COMMANDS.help_of())


# Mistakes


def test_main__without_a_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: dsel [-h] [--version] COMMAND ...\n")
    assert all(re.search(rf"\b{command}\b", captured.err) for command in SETTINGS)
    last = captured.err.splitlines()[-1]
    assert last.startswith("dsel: a command is missing; dsel --help says what each does")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("selct", "unknown command 'selct', did you mean select?; see dsel --help"),
        ("frob", "unknown command 'frob'; known are: app, score, select, export, distill, "
                  "toybox, train, gather, check, explain, info, status, report, verify, repair, "
                  "bundle, space, evaluate, sweep, advise, teach, adapt"),
        ("score", "missing from dsel score: SOURCE --run PATH; see dsel score --help"),
        ("export run", "missing from dsel export: --out PATH; see dsel export --help"),
        ("select --drawz 3 run", "unknown flag --drawz; see dsel select --help"),
        ("score toybox --run run --drawz=3",
         "unknown flag --drawz, did you mean --draws?; see dsel score --help"),
        ("select run more", "unrecognized options: more; see dsel select --help"),
        ("select run --ipc", "missing value for argument '--ipc'. Expected 1 values; see dsel "
                             "select --help"),
        ("select run --ipc ten", "ipc must be a whole number, got 'ten'"),
        ("select run --ipc 1e3", "ipc must be a whole number, got '1e3'"),
        ("select run --ipc 0", "ipc must be between 1 and 100000, got 0"),
        ("select run --timesteps 200 x", "timesteps must be a whole number, got 'x'"),
        ("select run --preset letter", "unknown preset 'letter'; known are: paper"),
        ("select run --preset",
         "missing value for argument '--preset'. Expected 1 values; see dsel select --help"),
        ("export run --out out --preset paper", "unknown flag --preset; see dsel export --help"),
        ("select run --locate both",
         "locate must be one of positive, difference, signed, got 'both'"),
        ("score toybox --run run --tolerance x", "tolerance must be a number, got 'x'"),
        ("score toybox --run run --tolerance nan",
         "tolerance must be between 0.0001 and 0.5, got nan"),
        ("app --port http", "port must be a whole number, got 'http'"),
        ("app --port 65536", "port must be between 0 and 65535, got 65536"),
        ("toybox out --per-class x", "per class must be a whole number, got 'x'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_mistakes__one_line_and_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: str, line: str,
    encoding: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", encoding == "utf-8", raising=False)
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"dsel: {line}\n"


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ("", {}),
        ("--preset paper", PRESETS["paper"]),
        ("--preset=paper --ipc 3", {**PRESETS["paper"], "ipc": 3}),
        ("--factor 1 --preset paper", {**PRESETS["paper"], "factor": 1}),
        ("--preset paper --cut whole --patch-px 32",
         {**PRESETS["paper"], "cut": "whole", "patch_px": 32}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [True, False])
def test_with_preset__other_flags_win_even_with_default_values(
    arguments: str, changes: dict[str, Any], before: bool
) -> None:
    flags = arguments.split()
    line = ["select", *flags, "run"] if before else ["select", "run", *flags]
    call = cast(Any, COMMANDS.parse(with_preset(line)))
    assert call.keywords["run"] == "run"
    assert call.keywords["settings"].settings() == SelectSettings(**changes)


def test_presets__hold_settings_of_the_selection() -> None:
    for values in PRESETS.values():
        assert SelectSettings(**values).plain().items() >= dict(values).items()


def test_in_one_line__of_a_box() -> None:
    box = """
╭─ Required options ─────────────────────╮
│ Missing from dsel score:               │
│     SOURCE                             │
│         image folder with a folder per │
│         class (required)               │
│     --run PATH                         │
│ ────────────────────────────────────── │
│ For full helptext, run:                │
│     dsel score --help                  │
╰────────────────────────────────────────╯
"""
    assert in_one_line(box) == "missing from dsel score: SOURCE --run PATH"


def test_in_one_line__of_a_box_in_ascii() -> None:
    box = """
 Missing argument
 ----------------------------------------
  Missing value for argument '--ipc'.
  Expected 1 values.
  ---------------------------------------
  For full helptext, run dsel select --help

"""
    assert in_one_line(box) == "missing value for argument '--ipc'. Expected 1 values"


def test_in_one_line__of_any_text() -> None:
    assert in_one_line("Wrong:\n  x.\n") == "wrong: x"
    assert in_one_line("") == "the command line cannot be read"


def test_parse__the_call_is_made_later(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    call = COMMANDS.parse(["toybox", str(tmp_path / "toys"), "--dry-run", "--per-class", "3"])
    assert capsys.readouterr().out == ""
    call()
    assert "per class: 3" in capsys.readouterr().out
