"""Answers about jobs: scoring new pictures, exporting the set, and how both are getting on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from dsel.analysis.export_estimate import estimate_export
from dsel.app.forms import filled, form_of
from dsel.app.jobs.work import SET, ExportTask, ScoreTask
from dsel.app.requests import Request, plain
from dsel.app.uploads import PICTURES, ZIPS, checked_upload
from dsel.config import PriorSettings, ScoreSettings, SourceSettings
from dsel.config.shell import select_and_export
from dsel.data.images import decode
from dsel.data.toybox import CLASSES as TOYS
from dsel.data.toybox_dataset import PER_CLASS
from dsel.errors import SettingError, UnreadableImage, unknown
from dsel.files import json_bytes

RUN_WORD: Final = "RUN"
"""Stands for a run's folder in commands, where a visitor is not to know it."""

LONGEST_NAME: Final = 200
_NO_FILE_NAME: Final = re.compile(r"[^\w.-]+")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def score_options(request: Request) -> Mapping[str, Any]:
    """What may be scored, with what, and how: the forms and their limits."""
    place, trusted = request.state.place, _trusted(request)
    return {
        "trusted": trusted,
        "kinds": [kind for kind in SOURCES if trusted or kind != "folder"],
        "priors": list(place.priors),
        "any_prior": trusted,
        "upload_bytes": place.upload_bytes,
        "images": place.images,
        "evaluations": place.evaluations,
        "zips": list(ZIPS),
        "pictures": list(PICTURES),
        "toybox": {"classes": list(TOYS), "per_class": PER_CLASS},
        "prior": plain(form_of(PriorSettings, trusted)),
        "score": plain(form_of(ScoreSettings, trusted)),
        "source": plain(form_of(SourceSettings, trusted)),
    }


def score_start(request: Request) -> Mapping[str, Any]:
    """Begin to score; more: source {kind, path, class_name}, prior, score, source_settings."""
    trusted = _trusted(request)
    prior = filled(PriorSettings, request.mapping("prior"), "prior", trusted)
    priors = request.state.place.priors
    if not trusted and prior.prior not in priors:
        raise unknown("prior", prior.prior[:LONGEST_NAME], priors)
    source = replace(request, more=request.mapping("source"))
    kind = source.text("kind")
    if kind not in SOURCES:
        raise unknown("kind of source", kind[:LONGEST_NAME], SOURCES)
    work = ScoreTask(
        title="",
        source="",
        source_settings=filled(
            SourceSettings, request.mapping("source_settings"), "source settings", trusted
        ),
        prior=prior,
        settings=filled(ScoreSettings, request.mapping("score"), "score", trusted),
    )
    return {"token": request.state.jobs.start(SOURCES[kind](source, work))}


def job(request: Request) -> Mapping[str, Any]:
    """How a job stands; more: token."""
    return _report(request, request.text("token"))


def jobs(request: Request) -> Mapping[str, Any]:
    """How those of some jobs stand that are still there; more: tokens."""
    known = [token for token in request.texts("tokens") if request.state.jobs.knows(token)]
    return {"jobs": [_report(request, token) for token in known]}


def job_cancel(request: Request) -> Mapping[str, Any]:
    """Stop a job; more: token."""
    request.state.jobs.cancel(request.text("token"))
    return job(request)


def job_resume(request: Request) -> Mapping[str, Any]:
    """Go on with a job that ended before its end; more: token."""
    request.state.jobs.resume(request.text("token"))
    return job(request)


def export_summary(request: Request) -> Mapping[str, Any]:
    """What an export of the view would give."""
    view = request.view
    answer: Mapping[str, Any] = plain(estimate_export(request.explorer, view.select, view.export))
    return answer


def export_start(request: Request) -> Mapping[str, Any]:
    """Begin to export what the view shows."""
    run, view = request.explorer.run, request.view
    title = f"{len(run.identity.classes)} classes at IPC {view.select.ipc}"
    work = ExportTask(title=title, run=str(run.path), select=view.select, settings=view.export)
    return {"token": request.state.jobs.start(work)}


def export_commands(request: Request) -> Mapping[str, Any]:
    """The command that writes the same zip file, byte for byte."""
    view = request.view
    path = request.explorer.run.path.resolve() if _trusted(request) else Path(RUN_WORD)
    return {
        "command": select_and_export(path, Path(SET), view.select, view.export),
        "run": shlex.quote(str(path)),
        "placeholder": not _trusted(request),
        "zip": SET,
    }


HANDLERS: Final[Mapping[str, Callable[[Request], Any]]] = MappingProxyType({
    "score_options": score_options,
    "score_start": score_start,
    "job": job,
    "jobs": jobs,
    "job_cancel": job_cancel,
    "job_resume": job_resume,
    "export_summary": export_summary,
    "export_start": export_start,
    "export_commands": export_commands,
})  # fmt: skip


def _trusted(request: Request) -> bool:
    """Whether who asks may name any file that the app can read."""
    return request.here and request.state.place.here


def _report(request: Request, token: str) -> Mapping[str, Any]:
    """A report, and for a finished export what `file=` of Gradio is to be asked for."""
    state = request.state
    report = state.jobs.report(token)
    download = None
    if report.state == "done" and report.kind == "export":
        file = state.jobs.result(token)
        download = {"path": quote(str(file)), "name": SET, "bytes": report.figures.get("bytes")}
    return {**plain(report), "download": download}


def _zip(source: Request, work: ScoreTask) -> ScoreTask:
    file = _uploaded(source, ZIPS)
    place = f"source/{_file_name(file)}"
    return replace(work, title=file.name, source=place, moved=((str(file), place),))


def _folder(source: Request, work: ScoreTask) -> ScoreTask:
    if not _trusted(source):
        raise SettingError(
            "a folder can be named only in an app that listens to its own machine alone, from a "
            "page on that machine: upload a zip file"
        )
    path = Path(source.text("path")).expanduser()
    if not path.is_absolute():
        raise SettingError(f"the folder must be given by its whole path, got {str(path)!r}")
    return replace(work, title=path.name or str(path), source=str(path))


def _picture(source: Request, work: ScoreTask) -> ScoreTask:
    """A picture and the class to look for in it: a folder of one class, called by classes.json."""
    name = source.text("class_name").strip()
    if not name or len(name) > LONGEST_NAME or _UNSEEN.search(name):
        raise SettingError(
            f"class name must be one line of 1 to {LONGEST_NAME} characters, got "
            f"{name[:LONGEST_NAME]!r}"
        )
    file = _uploaded(source, PICTURES)
    try:
        decode(file)
    except UnreadableImage as reason:
        raise SettingError(f"{file.name}: {reason}") from reason
    place = f"picture/{CLASS}/{_file_name(file)}"
    return replace(
        work,
        title=f"{file.name} as {name}",
        source="picture",
        source_settings=SourceSettings(),
        moved=((str(file), place),),
        written=(("picture/classes.json", json_bytes({CLASS: [name]}).decode()),),
    )


def _toybox(source: Request, work: ScoreTask) -> ScoreTask:  # noqa: ARG001
    return replace(work, title="toybox", source="toybox")


CLASS: Final = "class"
"""The folder of a single picture: a name that is neither a split's nor a picture's."""

SOURCES: Final[Mapping[str, Callable[[Request, ScoreTask], ScoreTask]]] = MappingProxyType(
    {"zip": _zip, "folder": _folder, "picture": _picture, "toybox": _toybox}
)
"""Kinds of sources that the page may give."""


def _uploaded(source: Request, suffixes: tuple[str, ...]) -> Path:
    state = source.state
    if not state.uploads:
        raise SettingError("this app takes no uploads")
    path = source.text("path")
    return checked_upload(path, Path(state.uploads), suffixes, state.place.upload_bytes)


def _file_name(file: Path) -> str:
    """A name that no reader passes over, with the suffix that says what the file is."""
    stem = _NO_FILE_NAME.sub("_", file.stem)[:80].lstrip(".") or "file"
    return f"{stem}{file.suffix.lower()}"
