"""A report of a run as one HTML file that needs no other file, no network and no script."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dsel.analysis.evaluations import select_settings
from dsel.analysis.explorer import Explorer
from dsel.analysis.report_contents import report_of
from dsel.analysis.report_text import (
    count_text,
    number_text,
    percent_text,
    share_text,
    value_text,
)
from dsel.assets import asset
from dsel.config import SelectSettings
from dsel.errors import SettingError, unknown
from dsel.files import write_atomically
from dsel.pipeline.verdicts import p_text, points
from dsel.runs import Run
from dsel.runs.evaluations import Evaluation
from dsel.types import Done, Event

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER: Final = "report"
TEMPLATE: Final = "report.html"
SUFFIXES: Final = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a report is of: the settings of the selection, and the evaluations."""

    settings: SelectSettings
    evaluations: tuple[Evaluation, ...]


def plan_report(run: Run, out: Path, selection: str = "", evaluation: str = "") -> Plan:
    """Return what a report of a run, or of one of its evaluations, is of.

    selection: its fingerprint; the current one by default, or the default settings if the run has
    none. evaluation: the fingerprint of the only one to report, whose settings count. Raises
    `SettingError` for a file that is no HTML file, and for an unknown evaluation.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise SettingError(f"the report must be a file that ends in .html, got {str(out)!r}")
    if evaluation and selection:
        raise SettingError("an evaluation has a selection of its own: name one of the two")
    stored = run.evaluations()
    if evaluation:
        return _plan_of_one(evaluation, stored)
    has_selection = selection or (run.path / "selections" / "current.json").is_file()
    return Plan(run.read_selection(selection)[0] if has_selection else SelectSettings(), stored)


def write_report(
    explorer: Explorer,
    out: Path,
    plan: Plan,
    shown: int = 10,
    path: Path | None = None,
    is_public: bool = False,
) -> Iterator[Event]:
    """Write a report to a file; the parameters are those of `report_html`."""
    html = yield from report_html(explorer, plan.settings, plan.evaluations, shown, path, is_public)
    content = html.encode()
    write_atomically(out, content)
    yield Done("report", {"out": str(out), "bytes": len(content)})


def report_html(
    explorer: Explorer,
    settings: SelectSettings,
    evaluations: Sequence[Evaluation],
    shown: int = 10,
    path: Path | None = None,
    is_public: bool = False,
) -> Generator[Event, None, str]:
    """Return the report of a selection, and yield events on the way; see `report_of`."""
    path = explorer.run.path if path is None else path
    report = yield from report_of(explorer, settings, evaluations, shown, path, is_public)
    environment = _environment()
    style = (asset(FOLDER) / "report.css").read_text("utf-8")
    return environment.get_template(TEMPLATE).render(report=report, style=style)


def _plan_of_one(name: str, stored: Sequence[Evaluation]) -> Plan:
    known = {one.fingerprint: one for one in stored}
    if name not in known:
        raise unknown("evaluation", name, known)
    settings = select_settings(known[name])
    if settings is None:
        raise SettingError(
            f"the evaluation {name} was made with settings that this version does not know: "
            "evaluate again"
        )
    return Plan(settings, (known[name],))


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(asset(FOLDER)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "count": count_text, "number": number_text, "percent": percent_text, "value": value_text,
        "points": points, "p": p_text,
    }  # fmt: skip
    found.globals["share"] = share_text
    return found
