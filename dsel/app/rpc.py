"""Requests of the page as JSON: each method's parameters and handler, and the response."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from dsel.analysis.explorer import Explorer
from dsel.app import requests
from dsel.app.context import Context, view_for
from dsel.app.handlers import clusters, compare, distilled_set, evaluate, inspect, jobs
from dsel.app.requests import Params, Request, parsed
from dsel.app.state import AppState
from dsel.app.wire import plain
from dsel.errors import DselError, SettingError, unknown

Method: TypeAlias = tuple[type[Params], Callable[[Context, Any], Any]]

METHODS: Final[Mapping[str, Method]] = MappingProxyType({
    "start": (requests.LinkParams, inspect.start),
    "gallery": (requests.GalleryParams, inspect.gallery),
    "skipped": (requests.PageParams, inspect.skipped),
    "images": (requests.ImagesParams, inspect.images),
    "image": (requests.NthParams, inspect.image),
    "explanation": (requests.NthParams, inspect.explanation),
    "values": (requests.PixelParams, inspect.values),
    "ranges": (Params, inspect.ranges),
    "misplaced": (Params, inspect.misplaced),
    "projection": (requests.LayoutParams, clusters.projection),
    "layout_status": (Params, clusters.layout_status),
    "marks": (Params, clusters.marks),
    "lasso": (requests.LassoParams, clusters.lasso),
    "cluster_cards": (Params, clusters.cluster_cards),
    "distilled": (requests.ClassesParams, distilled_set.distilled),
    "replacements": (Params, distilled_set.replacements),
    "swap_effects": (requests.IdsParams, distilled_set.swap_effects),
    "repeat_free_clusters": (Params, distilled_set.repeat_free_clusters),
    "quality": (requests.ClassesParams, distilled_set.quality),
    "quality_overall": (Params, distilled_set.quality_overall),
    "overrides": (Params, distilled_set.overrides),
    "compare": (requests.CompareParams, compare.compare),
    "compare_overall": (Params, compare.compare_overall),
    "baselines": (requests.Seeded, compare.baselines),
    "baseline_selection": (requests.BaselineParams, compare.baseline_selection),
    "localization": (Params, compare.localization),
    "localization_overall": (Params, compare.localization_overall),
    "evaluations": (requests.TokensParams, evaluate.evaluations),
    "evaluation_verdict": (requests.TokensParams, evaluate.evaluation_verdict),
    "evaluate_options": (Params, evaluate.evaluate_options),
    "evaluate_start": (requests.EvaluateParams, evaluate.evaluate_start),
    "advise_start": (requests.AdviseParams, evaluate.advise_start),
    "sweeps": (Params, evaluate.sweeps),
    "score_options": (Params, jobs.score_options),
    "score_start": (requests.ScoreParams, jobs.score_start),
    "job": (requests.TokenParams, jobs.job),
    "jobs": (requests.TokensParams, jobs.jobs),
    "job_cancel": (requests.TokenParams, jobs.job_cancel),
    "job_resume": (requests.TokenParams, jobs.job_resume),
    "export_summary": (Params, jobs.export_summary),
    "export_start": (Params, jobs.export_start),
    "export_commands": (Params, jobs.export_commands),
})  # fmt: skip
"""Each method's parameters and its handler."""

BUG: Final = "the request failed because of a bug in dsel; the app's log has the details"
LONGEST: Final = 1 << 20
"""Letters of a request, at most."""

log = logging.getLogger(__name__)


def respond(state: AppState, text: str, local: bool = False) -> str:
    """Respond to a request in JSON, with a `result` or an `error`.

    Remote visitors see no path of this machine, only the names of folders and files.
    """
    explorers = [state.first]
    try:
        request = _read(text)
        model, handler = METHODS[request.method]
        context = _context(state, request, local)
        explorers.append(context.explorer)
        response = _json({"result": handler(context, parsed(model, request.params))})
    except DselError as error:
        response = _error(error.code, str(error), error.fields)
    except Exception:  # the page shows a bug too; the log keeps its traceback
        log.exception("a request failed")
        response = _error("bug", BUG, {})
    return response if local else _without_paths(response, explorers)


def _read(text: str) -> Request:
    if len(text) > LONGEST:
        raise SettingError(f"a request must be at most {LONGEST} letters, got {len(text)}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"a request must be JSON, got {text!r:.60}") from error
    if not isinstance(values, dict):
        raise SettingError(f"a request must be an object with a method, got {text!r:.60}")
    request = parsed(Request, values)
    if request.method not in METHODS:
        raise unknown("method", request.method[:60], METHODS)
    return request


def _context(state: AppState, request: Request, local: bool) -> Context:
    view = view_for(request.view, local)
    return Context(state, state.explorer(request.run), view, local)


def _error(code: str, message: str, fields: Mapping[str, Any]) -> str:
    return _json({"error": {"code": code, "message": message, "fields": plain(fields)}})


def _without_paths(response: str, explorers: Sequence[Explorer]) -> str:
    """Replace the paths of runs, datasets and priors by their last parts."""
    for explorer in explorers:
        identity = explorer.run.identity
        paths = explorer.run.path, identity.dataset_origin.get("source", ""), identity.prior
        for path in map(PurePath, map(str, paths)):
            if path.is_absolute():
                response = response.replace(
                    json.dumps(str(path))[1:-1], json.dumps(path.name)[1:-1]
                )
    return response


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
