"""Handlers of Evaluate: stored evaluations and sweeps, and the job that evaluates the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final, get_args

from dsel.analysis.evaluations import belongs_to, select_settings, verdict
from dsel.analysis.sweeps import list_sweeps
from dsel.app.context import Context
from dsel.app.forms import filled, form_of
from dsel.app.handlers.jobs import source_options, sourced
from dsel.app.jobs.tasks import RUN_WORD, AdviseTask, EvaluateTask
from dsel.app.requests import AdviseParams, EvaluateParams, Params, SourceKind, TokensParams
from dsel.app.wire import plain
from dsel.config import (
    AdviseSettings,
    EvaluateSettings,
    ExportSettings,
    SourceSettings,
    StudentSettings,
)
from dsel.config.shell import evaluate_command, select_command
from dsel.core.baselines.registry import BASELINES
from dsel.data.spec import spell_source
from dsel.errors import SettingError
from dsel.runs.advice import Advice, list_advice
from dsel.runs.evaluations import Evaluation, EvaluationRow, list_evaluations

MOST_STUDENTS: Final = 60
"""Students that one job of a remote visitor trains, at most."""

TEST_WORD: Final = "TEST"
"""Replaces the held-out images in commands where the app knows none."""


def evaluations(context: Context, params: TokensParams) -> Mapping[str, Any]:
    """Return the stored evaluations of the run, and the command that makes one of the view."""
    trusted = context.trusted
    path = context.explorer.run.path.resolve() if trusted else Path(RUN_WORD)
    test = _held_out(context)
    select = select_command(path, context.settings)
    stored = stored_evaluations(context, params.tokens)
    return {
        "evaluations": [_wire(context, one) for one in stored],
        "verdict": _verdict(context, stored),
        "advice": [_advice(context, one) for one in list_advice(context.explorer.run.path)[-1:]],
        "command": f"{select} && {evaluate_command(path, test or TEST_WORD)}",
        "placeholders": [*([] if trusted else [RUN_WORD]), *([] if test else [TEST_WORD])],
    }


def evaluation_verdict(context: Context, params: TokensParams) -> Any:
    """Return what the evaluations say about the view's selection."""
    return _verdict(context, stored_evaluations(context, params.tokens))


def evaluate_options(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the sources of held-out images, the baselines and the form of an evaluation."""
    trusted = context.trusted
    return {
        **source_options(context),
        "kinds": [
            kind
            for kind in get_args(SourceKind)
            if kind != "picture" and (trusted or kind != "folder")
        ],
        "evaluate": plain(form_of(EvaluateSettings, trusted)),
        "teacher": [
            field for field in form_of(ExportSettings) if trusted and field["name"] == "teacher"
        ],
        "baselines": [
            {"name": name, "text": one.description, "needs": one.needs or ""}
            for name, one in BASELINES.items()
        ],
        "advise": plain(form_of(AdviseSettings)) if trusted else [],
        "is_toybox": bool(_held_out(context)),
        "scene_seed": _unused_seed(context),
    }


def evaluate_start(context: Context, params: EvaluateParams) -> Mapping[str, str]:
    """Start an evaluation of the view's selection; return the token of the job."""
    trusted, run = context.trusted, context.explorer.run
    _check_teacher(context, params.teacher or context.settings.teacher)
    settings = filled(EvaluateSettings, params.evaluate, "evaluate settings", trusted)
    if not trusted:
        _check_work(settings)
    source_settings = filled(SourceSettings, params.source_settings, "source settings", trusted)
    source = sourced(context, params.source)
    task = EvaluateTask(
        title=f"{settings.student} on {spell_source(source.title, source_settings)}",
        run=str(run.path),
        select=context.settings,
        export=context.view.export.replace(teacher=params.teacher),
        settings=settings,
        source=source.source,
        source_settings=source_settings,
        moved=source.moved,
        shared=trusted,
    )
    return {"token": context.state.jobs.start(task, context.visitor)}


def advise_start(context: Context, params: AdviseParams) -> Mapping[str, str]:
    """Start a search for better settings than the view's; return the token of the job."""
    if not context.trusted:
        raise SettingError("advice is stored in the run, which only its own machine may change")
    source_settings = filled(SourceSettings, params.source_settings, "source settings")
    source = sourced(context, params.source)
    task = AdviseTask(
        title=f"advice by {spell_source(source.title, source_settings)}",
        run=str(context.explorer.run.path),
        select=context.settings,
        export=context.view.export.replace(teacher=params.teacher),
        source=source.source,
        source_settings=source_settings,
        moved=source.moved,
        student=filled(StudentSettings, params.student, "student settings"),
        settings=filled(AdviseSettings, params.advise, "advise settings"),
    )
    return {"token": context.state.jobs.start(task, context.visitor)}


def sweeps(context: Context, _: Params) -> Mapping[str, Any]:
    """Return the stored sweeps of the run."""
    return {"sweeps": plain(list_sweeps(context.explorer.run))}


def _check_work(settings: EvaluateSettings) -> None:
    """Raise `SettingError` for more students than a remote visitor may have trained."""
    sets = 1 + len(set(settings.baselines))
    students = sets * max(len(settings.ipcs), 1) * settings.seeds
    if students > MOST_STUDENTS:
        raise SettingError(
            f"at most {MOST_STUDENTS} students are trained for remote visitors, got {students}: "
            "take fewer IPCs, baselines or students per set",
            setting="seeds",
        )


def _check_teacher(context: Context, teacher: str) -> None:
    """Raise `SettingError` for a teacher of a remote visitor's form or link: it would be loaded."""
    if teacher and not context.trusted:
        raise SettingError(
            "a teacher can only be named on the app's own machine", setting="teacher"
        )


def stored_evaluations(context: Context, tokens: Sequence[str]) -> Sequence[Evaluation]:
    """Return the run's evaluations, and those that jobs of the visitor keep for themselves."""
    folders = evaluation_folders(context, tokens)
    found = [one for folder in folders for one in list_evaluations(folder)]
    return [*context.explorer.run.evaluations(), *found]


def evaluation_folders(context: Context, tokens: Sequence[str]) -> Sequence[Path]:
    """Return the folders of the visitor's jobs that keep their evaluations for themselves."""
    found: list[Path] = []
    run = str(context.explorer.run.path)
    for token in tokens:
        jobs = context.state.jobs  # an app without any gets no tokens
        if jobs.knows(token):
            task = jobs.task(token)
            if isinstance(task, EvaluateTask) and task.run == run and not task.shared:
                found.append(jobs.folder(token))
    return found


def _verdict(context: Context, stored: Sequence[Evaluation]) -> Mapping[str, Any]:
    found = verdict(stored, context.settings)
    record: Mapping[str, Any] = plain(found)
    return {**record, "test": _shown(found.test)}


def _wire(context: Context, evaluation: Evaluation) -> Mapping[str, Any]:
    """Return an evaluation as the page reads it; remote visitors see names instead of folders."""
    select = select_settings(evaluation)
    if select is not None and not context.trusted:
        select = select.replace(teacher=_shown(select.teacher))
    return {
        "fingerprint": evaluation.fingerprint,
        "complete": evaluation.complete,
        "current": belongs_to(evaluation, context.settings),
        "validation": evaluation.validation,
        "student": evaluation.settings.student,
        "recipe": evaluation.settings.recipe,
        "test": _shown(evaluation.test.source),
        "test_images": evaluation.test.images,
        "settings": plain(evaluation.settings),
        "select": plain(select) if select else None,
        "notices": [_without_source(context, text) for text in evaluation.notices],
        "rows": [_row(row) for row in evaluation.rows],
    }


def _advice(context: Context, advice: Advice) -> Mapping[str, Any]:
    """Return advice without its rounds and its command."""
    record: Mapping[str, Any] = plain(advice)
    names = (
        "fingerprint", "select", "changes", "students", "mean", "sd", "random_mean", "random_sd",
        "difference", "p_value", "better", "text",
    )  # fmt: skip
    shown = {
        "validation": _shown(advice.validation.source),
        "validation_images": advice.validation.images,
    }
    if not context.trusted:
        teacher = _shown(str(advice.select.get("teacher", "")))
        shown["select"] = {**advice.select, "teacher": teacher}
    return {name: record[name] for name in names} | shown


def _row(row: EvaluationRow) -> Mapping[str, Any]:
    """Return a row with the number of its students instead of their curves and their classes."""
    record = dict(plain(row))
    del record["per_class"]
    return record | {"students": len(row.students)}


def _shown(source: str) -> str:
    return PurePath(source).name


def _without_source(context: Context, text: str) -> str:
    """Return a text in which remote visitors see the name of the run's source alone."""
    source = str(context.explorer.run.identity.dataset_origin.get("source", ""))
    return text if context.trusted or not source else text.replace(source, _shown(source))


def _held_out(context: Context) -> str:
    """Return unused scenes for a run of toybox scenes; "" for a run of other images."""
    origin = context.explorer.run.identity.dataset_origin
    if origin.get("source") != "toybox":
        return ""
    chosen: Any = origin.get("classes", ())
    settings = SourceSettings(scene_seed=_unused_seed(context), classes=tuple(chosen))
    return spell_source("toybox", settings)


def _unused_seed(context: Context) -> int:
    origin: Mapping[str, Any] = context.explorer.run.identity.dataset_origin
    return int(origin.get("scene_seed", 0)) + 1
