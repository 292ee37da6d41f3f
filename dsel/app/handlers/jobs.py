"""Handlers of jobs: score images, export the distilled set, watch and control both."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, Final, get_args
from urllib.parse import quote

from dsel.analysis.export_estimate import estimate_export
from dsel.analysis.one_picture import class_folders
from dsel.app.context import Context
from dsel.app.forms import filled, form_of
from dsel.app.jobs.tasks import DOWNLOADS, RUN_WORD, SET, ExportTask, ScoreTask
from dsel.app.requests import (
    Params,
    RenameParams,
    ScoreParams,
    SelectedParams,
    SourceKind,
    SourceParams,
    TokenParams,
    TokensParams,
)
from dsel.app.uploads import IMAGES, ZIPS
from dsel.app.wire import plain
from dsel.config import PlaceSettings, PriorSettings, ScoreSettings, SourceSettings
from dsel.config.shell import select_and_export
from dsel.data.images import decode
from dsel.data.toybox import CLASSES as TOYS
from dsel.data.toybox_dataset import PER_CLASS
from dsel.errors import SettingError, UnreadableImage, unknown
from dsel.files import json_bytes
from dsel.priors.known_classes import known_classes
from dsel.runs.workers import list_failed, list_workers

LONGEST_NAME: Final = 200
OPEN_HINT: Final = (
    "To score folders of this machine, open the address that the app printed when it started."
)
MOST_TITLED: Final = 3
"""Class names in the title of a job, at most."""

_ONE_PICTURE: Final = Lock()
"""Held while a request decodes a picture, so that memory is that of one (see `decode`)."""

_NOT_IN_FILE_NAMES: Final = re.compile(r"[^\w.-]+")
_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and halves of characters, which no file can hold."""


def score_options(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the sources, priors and forms for scoring, with their limits."""
    access, trusted = context.state.access, context.trusted
    return {
        **source_options(context),
        "priors": list(access.priors),
        "known_classes": {prior: list(known_classes(prior)) for prior in access.priors},
        "any_prior": trusted,
        "images": access.images,
        "evaluations": access.evaluations,
        "prior": plain(form_of(PriorSettings, trusted)),
        "score": plain(form_of(ScoreSettings, trusted)),
        "launch": plain([one for one in form_of(PlaceSettings) if one["name"] == "workers"])
        if trusted
        else [],
    }


def source_options(context: Context) -> Mapping[str, Any]:
    """Return the kinds of sources that the visitor may name, and their form."""
    trusted = context.trusted
    return {
        "trusted": trusted,
        "hint": OPEN_HINT if context.state.access.local and not trusted else "",
        "kinds": [kind for kind in get_args(SourceKind) if trusted or kind != "folder"],
        "upload_bytes": context.state.access.upload_bytes,
        "zips": list(ZIPS),
        "pictures": list(IMAGES),
        "toybox": {"classes": list(TOYS), "per_class": PER_CLASS},
        "source": plain(form_of(SourceSettings, trusted)),
    }


def score_start(context: Context, params: ScoreParams) -> Mapping[str, str]:
    """Start a score job; return its token."""
    trusted = context.trusted
    task = ScoreTask(
        title="",
        source="",
        source_settings=filled(SourceSettings, params.source_settings, "source settings", trusted),
        prior=filled(PriorSettings, params.prior, "prior", trusted),
        settings=filled(ScoreSettings, params.score, "score", trusted),
        workers=params.workers,
    )
    _check_prior(context, task.prior.prior)
    if params.workers and not trusted:
        raise SettingError("workers can only be set on the app's own machine", setting="workers")
    if not context.local:  # one image at a time in memory
        task = replace(task, settings=task.settings.replace(decoders=1))
    if params.source.kind == "picture" and params.source_settings:
        raise SettingError("one image has no source settings: leave them out")
    task = _source_of(context, params.source, task)
    return {"token": context.state.jobs.start(task, context.visitor)}


def sourced(context: Context, source: SourceParams) -> ScoreTask:
    """Return the title and the files of a source that a visitor named, in a task of defaults."""
    if source.kind == "picture":
        raise SettingError("held-out images must be a zip file, a folder, or toybox, got 'picture'")
    return _source_of(context, source, ScoreTask(title="", source=""))


def job(context: Context, params: TokenParams) -> Mapping[str, Any]:
    """Return the report of a job."""
    return _report(context, params.token)


def jobs(context: Context, params: TokensParams) -> Mapping[str, Any]:
    """Return the reports of those jobs that still exist."""
    known = [token for token in params.tokens if context.state.jobs.knows(token)]
    return {"jobs": [_report(context, token) for token in known]}


def job_cancel(context: Context, params: TokenParams) -> Mapping[str, Any]:
    """Cancel a job; return its report."""
    context.state.jobs.cancel(params.token)
    return _report(context, params.token)


def job_resume(context: Context, params: TokenParams) -> Mapping[str, Any]:
    """Resume a job that stopped before its end; return its report."""
    context.state.jobs.resume(params.token)
    return _report(context, params.token)


def job_rename(context: Context, params: RenameParams) -> Mapping[str, Any]:
    """Give a job another title; return its report."""
    _check_owner(context, params.token)
    context.state.jobs.rename(params.token, _line(params.title, "name of a job"))
    return _report(context, params.token)


def job_remove(context: Context, params: TokenParams) -> Mapping[str, Any]:
    """Delete a job that has ended, with its run or its file; return its token."""
    _check_owner(context, params.token)
    context.state.remove_job(params.token)
    return {"token": params.token}


def export_summary(context: Context, _: Params) -> Mapping[str, Any]:
    """Return what an export of the view contains, and estimates of its size."""
    view = context.view
    summary = dict(plain(estimate_export(context.explorer, view.select, view.export)))
    return summary | {"classes": summary.pop("classes_bytes")}


def export_start(context: Context, params: SelectedParams) -> Mapping[str, str]:
    """Start an export of the view, or of selected images alone; return the token of the job."""
    run, view, chosen = context.explorer.run, context.view, params.ids
    title = f"{len(run.identity.classes)} classes at IPC {view.select.ipc}"
    if chosen:
        title = "1 selected image" if len(chosen) == 1 else f"{len(chosen):,} selected images"
    task = ExportTask(
        title=title,
        run=str(run.path),
        select=view.select,
        settings=view.export,
        images=tuple(chosen),
    )
    return {"token": context.state.jobs.start(task, context.visitor)}


def export_commands(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the command that writes the same zip file, byte for byte."""
    view = context.view
    path = context.explorer.run.path.resolve() if context.trusted else Path(RUN_WORD)
    return {
        "command": select_and_export(path, Path(SET), view.select, view.export),
        "run": shlex.quote(str(path)),
        "placeholder": not context.trusted,
        "zip": SET,
    }


def _check_prior(context: Context, prior: str) -> None:
    """Raise `SettingError` for a prior that a remote visitor may not score with."""
    priors = context.state.access.priors
    if not context.trusted and prior not in priors:
        raise unknown("prior", prior[:LONGEST_NAME], priors)


def _owns(context: Context, token: str) -> bool:
    """Return whether a visitor may rename and delete a job: links show its run to others."""
    owner = context.state.jobs.owner(token)
    return context.local or (owner != "" and owner == context.visitor)


def _check_owner(context: Context, token: str) -> None:
    if not _owns(context, token):
        raise SettingError("only the visitor who started a job, or the app's owner, can change it")


def _report(context: Context, token: str) -> Mapping[str, Any]:
    """Return a report; one of a finished file has the path to request from the page's routes."""
    queue = context.state.jobs
    report = queue.report(token)
    download = None
    if report.state == "done" and report.kind in DOWNLOADS:
        path, name = f"exports/{quote(token)}", DOWNLOADS[report.kind]
        download = {"path": path, "name": name, "bytes": report.figures.get("bytes")}
    return {
        **plain(report), "download": download, "mine": _owns(context, token),
        **_workers_of(context, token, report.state),
    }  # fmt: skip


def _workers_of(context: Context, token: str, state: str) -> Mapping[str, Any]:
    """Return what the workers of a score job do now, and its shards that failed for good."""
    queue = context.state.jobs
    task, folder = queue.task(token), queue.folder(token)
    if not isinstance(task, ScoreTask) or state in ("waiting", "done"):
        return {"workers": [], "failed": []}
    run = task.result(folder)
    fields = ("device", "stage", "shard", "done", "total", "rate")
    alive = [one for one in list_workers(run) if one.lives()] if state == "running" else []
    return {
        "workers": [{name: getattr(one, name) for name in fields} for one in alive],
        "failed": [plain(one) for one in list_failed(run)],
    }


def _source_of(context: Context, source: SourceParams, task: ScoreTask) -> ScoreTask:
    """Complete a task by its source; raises `SettingError` for parameters of other kinds."""
    used = {"kind", *_USED[source.kind]}
    for name in source.model_fields_set - used:
        raise SettingError(
            f"{name} is no parameter of a source of the kind {source.kind!r}, which has "
            f"{', '.join(sorted(used))}",
            param=name,
        )
    return _SOURCES[source.kind](context, source, task)


def _zip(context: Context, source: SourceParams, task: ScoreTask) -> ScoreTask:
    file = context.state.uploads.find(source.path, ZIPS)
    path = f"source/{_file_name(file)}"
    return replace(task, title=file.name, source=path, moved=((str(file), path),))


def _folder(context: Context, source: SourceParams, task: ScoreTask) -> ScoreTask:
    if not context.trusted:
        raise SettingError(
            "a folder can be named only in an app that listens to its own machine alone, from a "
            "page on that machine that was opened with the address that the app printed when it "
            "started: upload a zip file"
        )
    if "://" in source.path:  # hf://user/name, or another place that fsspec reaches
        return replace(task, title=source.path.rpartition("/")[2], source=source.path)
    path = Path(source.path).expanduser()
    if not path.is_absolute():
        raise SettingError(f"the folder must be given by its whole path, got {str(path)!r}")
    return replace(task, title=path.name or str(path), source=str(path))


def _picture(context: Context, source: SourceParams, task: ScoreTask) -> ScoreTask:
    """Score an image under each name: a folder of that class, which classes.json names."""
    names = class_names_of(source)
    file = context.state.uploads.find(source.path, IMAGES)
    settings = filled(SourceSettings, {}, "source settings", context.trusted)
    try:
        with _ONE_PICTURE:
            decode(file, settings.max_px)
    except UnreadableImage as reason:
        raise SettingError(f"{file.name}: {reason}") from reason
    folders = class_folders(names)
    return replace(
        task,
        title=f"{file.name} as {_alternatives(names)}",
        source="picture",
        source_settings=settings,
        alike=len(names) > 1,
        moved=tuple((str(file), f"picture/{folder}/{_file_name(file)}") for folder in folders),
        written=(("picture/classes.json", json_bytes(folders).decode()),),
    )


def _alternatives(names: Sequence[str]) -> str:
    return " or ".join(names) if len(names) <= MOST_TITLED else f"{len(names)} classes"


def _toybox(_: Context, __: SourceParams, task: ScoreTask) -> ScoreTask:
    return replace(task, title="toybox", source="toybox")


_SOURCES: Final[Mapping[str, Callable[[Context, SourceParams, ScoreTask], ScoreTask]]] = (
    MappingProxyType({"zip": _zip, "folder": _folder, "picture": _picture, "toybox": _toybox})
)
"""Complete the task for each kind of source."""

_USED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "zip": ("path",), "folder": ("path",), "toybox": (),
    "picture": ("path", "class_name", "class_names"),
})  # fmt: skip
"""The parameters of each kind of source; another is refused, since it would be ignored."""


def class_names_of(source: SourceParams) -> Sequence[str]:
    """Return the class names of a single image; raises `SettingError` for one that is none."""
    names = [_line(name, "class name") for name in source.class_names or [source.class_name]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingError(f"the class names of an image must differ, got {twice!r} twice")
    return names


def _line(text: str, what: str) -> str:
    """Return a name without the space around it; raises `SettingError` unless it is one line."""
    name = text.strip()
    if not name or len(name) > LONGEST_NAME or _INVISIBLE.search(name):
        raise SettingError(
            f"{what} must be one line of 1 to {LONGEST_NAME} characters, got "
            f"{name[:LONGEST_NAME]!r}"
        )
    return name


def _file_name(file: Path) -> str:
    """Return a name that no reader of datasets ignores, with the suffix of the file's type."""
    stem = _NOT_IN_FILE_NAMES.sub("_", file.stem)[:80].lstrip(".") or "file"
    return f"{stem}{file.suffix.lower()}"
