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


def knowledge_lines(knowledge: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what the prior knows of the run and of each class, in a line each."""
    from dsel.pipeline.knowledge import REASONS

    if knowledge["reason"]:
        return {"unknown": f"because {REASONS[knowledge['reason']]}"}
    figures = {"all classes": knowledge["run"], **knowledge["classes"]}
    return {name: _knowledge_line(found) for name, found in figures.items()}


def _knowledge_line(found: Mapping[str, Any]) -> str:
    if found["auc"] is None:
        return "unknown"
    error = "" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}"
    return f"AUC {found['auc']:.2f}{error} ({found['pairs']} pairs, {found['images']} images)"


def print_result(figures: Mapping[str, Any], output: Output) -> None:
    """Print a stage's figures on standard output."""
    from dsel.cli.terminal import print_figures

    if figures:
        print_figures(figures, output.json)
