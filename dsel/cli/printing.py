"""Print what a command found or would do, as lines or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsel.cli.flags import Output
from dsel.config.base import Settings


def print_plan(output: Output, work: Mapping[str, Any], *settings: Settings) -> None:
    """Print the resolved settings of each stage, and the work to do."""
    from dsel.cli.terminal import print_figures

    plain = {type(part).__name__: part.plain() for part in settings}
    if output.json:
        print_figures({**plain, "work": dict(work)}, as_json=True)
        return
    for figures in (*plain.values(), work):
        print_figures(figures, as_json=False)


def print_noted(figures: Mapping[str, Any], output: Output) -> None:
    """Print figures and, each on a line, their `notes`."""
    if output.json:
        return print_result(figures, output)
    from dsel.cli.terminal import print_line

    print_result({name: value for name, value in figures.items() if name != "notes"}, output)
    for note in figures["notes"]:
        print_line(f"note: {note}")
    return None


def print_result(figures: Mapping[str, Any], output: Output) -> None:
    """Print a stage's figures on standard output."""
    from dsel.cli.terminal import print_figures

    if figures:
        print_figures(figures, output.json)
