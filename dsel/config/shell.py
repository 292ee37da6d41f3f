"""Settings -> the shell command that gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

from dsel.config import (
    EvaluateSettings,
    ExportSettings,
    PriorSettings,
    ScoreSettings,
    SelectSettings,
    SourceSettings,
)
from dsel.config.base import Setting, Settings, settings_of


def select_and_export(run: Path, out: Path, select: SelectSettings, export: ExportSettings) -> str:
    """The shell command that selects from a run and writes the distilled set to `out`."""
    return f"{select_command(run, select)} && {export_command(run, out, export)}"


def score_command(
    source: str, run: Path, of: SourceSettings, prior: PriorSettings, settings: ScoreSettings
) -> str:
    """The `dsel score` of a source with these settings."""
    given = (*flags(prior), *flags(of), *flags(settings))
    return " ".join(("dsel score", quote(source), "--run", _path(run), *given))


def select_command(run: Path, settings: SelectSettings) -> str:
    """The `dsel select` of these settings."""
    return " ".join(("dsel select", _path(run), *flags(settings)))


def export_command(run: Path, out: Path, settings: ExportSettings) -> str:
    """The `dsel export` of the current selection with these settings."""
    return " ".join(("dsel export", _path(run), "--out", _path(out), *flags(settings)))


def evaluate_command(run: Path, test: str, settings: EvaluateSettings | None = None) -> str:
    """The `dsel evaluate` of the current selection on held-out images with these settings."""
    given = flags(settings or EvaluateSettings())
    return " ".join(("dsel evaluate", _path(run), f"--test={quote(test)}", *given))


def flags(settings: Settings) -> tuple[str, ...]:
    """The flags of what differs from the defaults, in declared order, quoted for a shell."""
    given: list[str] = []
    for setting in settings_of(type(settings)).values():
        value = getattr(settings, setting.name)
        if value != setting.default:
            given += _flag(setting, value)
    return tuple(given)


def _flag(setting: Setting, value: Any) -> Iterator[str]:
    """Write free text after `=`, since it may begin with a dash; overrides have a flag for each."""
    flag = "--" + setting.name.replace("_", "-")
    if isinstance(value, bool):
        yield flag if value else flag.replace("--", "--no-", 1)
    elif isinstance(value, tuple) and setting.choices:
        yield f"{flag} {','.join(value)}"
    elif isinstance(value, tuple) and value and isinstance(value[0], str):
        if setting.override or len(value) == 1 or any(part.startswith("-") for part in value):
            yield from (f"{flag}={quote(part)}" for part in value)
        else:
            yield " ".join((flag, *map(quote, value)))
    elif isinstance(value, tuple):
        yield " ".join((flag, *map(str, value)))
    elif isinstance(value, str) and not setting.choices:
        yield f"{flag}={quote(value)}"
    else:
        yield f"{flag} {value}"


def _path(path: Path) -> str:
    """A path that cannot be read as a flag."""
    text = str(path)
    return quote(f"./{text}" if text.startswith("-") else text)
