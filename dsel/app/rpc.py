"""Requests of the page as JSON: each method's parameters and handler, and the response."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from dsel.analysis.explorer import Explorer
from dsel.app import requests
from dsel.app.context import Context, view_for
from dsel.app.handlers import (
    clusters,
    compare,
    contents,
    distilled_set,
    evaluate,
    find,
    image_map,
    inspect,
    jobs,
    names,
    push,
    report,
    selected,
)
from dsel.app.requests import Params, Request, parsed
from dsel.app.state import AppState
from dsel.app.wire import one_line, plain
from dsel.errors import DselError, SettingError, unknown

Method: TypeAlias = tuple[type[Params], Callable[[Context, Any], Any]]

METHODS: Final[Mapping[str, Method]] = MappingProxyType({
    "start": (requests.LinkParams, inspect.start),
    "ping": (Params, inspect.ping),
    "gallery": (requests.GalleryParams, inspect.gallery),
    "skipped": (requests.PageParams, inspect.skipped),
    "images": (requests.ImagesParams, inspect.images),
    "image": (requests.NthParams, inspect.image),
    "explanation": (requests.NthParams, inspect.explanation),
    "prepare": (Params, inspect.prepare),
    "values": (requests.PixelParams, inspect.values),
    "settled": (Params, inspect.settled),
    "ranges": (Params, inspect.ranges),
    "misplaced": (Params, inspect.misplaced),
    "projection": (requests.LayoutParams, clusters.projection),
    "layout_status": (Params, clusters.layout_status),
    "marks": (Params, clusters.marks),
    "lasso": (requests.LassoParams, clusters.lasso),
    "cluster_cards": (Params, clusters.cluster_cards),
    "map_points": (Params, image_map.map_points),
    "map_ids": (Params, image_map.map_ids),
    "map_marks": (requests.SomeClassesParams, image_map.map_marks_of),
    "classes_of": (requests.SelectedParams, selected.classes_of),
    "selected_csv": (requests.SelectedParams, selected.selected_csv),
    "slices": (Params, selected.slices),
    "slice": (requests.SliceParams, selected.slice_of),
    "slice_save": (requests.SavedSliceParams, selected.slice_save),
    "slice_delete": (requests.SliceParams, selected.slice_delete),
    "distilled": (requests.ClassesParams, distilled_set.distilled),
    "replacements": (Params, distilled_set.replacements),
    "swap_effects": (requests.IdsParams, distilled_set.swap_effects),
    "repeat_free_clusters": (Params, distilled_set.repeat_free_clusters),
    "quality": (requests.ClassesParams, distilled_set.quality),
    "quality_overall": (Params, distilled_set.quality_overall),
    "find": (requests.FindParams, find.find_images),
    "find_all": (requests.FindParams, find.find_all),
    "similar": (Params, find.similar),
    "class_figures": (requests.TokensParams, find.class_figures),
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
    "source_contents": (requests.ContentsParams, contents.source_contents),
    "score_start": (requests.ScoreParams, jobs.score_start),
    "names": (Params, names.names),
    "job": (requests.TokenParams, jobs.job),
    "jobs": (requests.TokensParams, jobs.jobs),
    "job_cancel": (requests.TokenParams, jobs.job_cancel),
    "job_resume": (requests.TokenParams, jobs.job_resume),
    "job_rename": (requests.RenameParams, jobs.job_rename),
    "job_remove": (requests.TokenParams, jobs.job_remove),
    "export_summary": (Params, jobs.export_summary),
    "export_start": (requests.SelectedParams, jobs.export_start),
    "export_commands": (Params, jobs.export_commands),
    "push_options": (Params, push.push_options),
    "push_start": (push.PushParams, push.push_start),
    "report_start": (requests.TokensParams, report.report_start),
})  # fmt: skip
"""Each method's parameters and its handler."""

BUG: Final = "the request failed because of a bug in dsel; the app's log has the details"
LONGEST: Final = 1 << 20
"""Letters of a request, at most."""

_HALF: Final = re.compile("[\ud800-\udfff]")
"""Halves of characters: no file and no table can hold them."""

TOGETHER: Final = 8
"""Requests that may be sent together, one per line."""

KNOWN_SHOWN: Final = 1000
"""Entries of a list among the fields of an error, at most."""

log = logging.getLogger(__name__)


def respond_all(state: AppState, text: Any, local: bool = False, visitor: str = "") -> str:
    """Respond to requests that were sent together, one per line, or to a single one.

    Each response is one line, in the order of the requests; see `respond`.
    """
    lines = text.split("\n") if isinstance(text, str) else []
    if not (1 < len(lines) <= TOGETHER and all(line.startswith("{") for line in lines)):
        return respond(state, text, local, visitor)
    return "\n".join(respond(state, line, local, visitor) for line in lines)


def respond(state: AppState, text: Any, local: bool = False, visitor: str = "") -> str:
    """Respond to a request in JSON, with a `result` or an `error`.

    visitor: as in `Context`. Remote visitors see no path of this machine, only the names of
    folders and files.
    """
    explorers = [state.first]
    try:
        request = _read(text)
        model, handler = METHODS[request.method]
        context = _context(state, request, local, visitor)
        explorers.append(context.explorer)
        response = _json({"result": handler(context, parsed(model, request.params))})
    except DselError as error:
        message = str(error) if local else without_paths(str(error), explorers)
        response = _error(error.code, message, error.fields)
    except Exception:  # the page shows a bug too; the log keeps its traceback
        log.exception("a request failed")
        response = _error("bug", BUG, {})
    return response if local else _without_paths(response, explorers)


def without_paths(message: str, explorers: Sequence[Explorer]) -> str:
    """Return a message with names instead of the paths of this machine."""
    for path, name in _paths(explorers):
        message = message.replace(path, name)
    home = Path.home()
    return message if home == home.parent else message.replace(str(home), "~")


def _read(text: Any) -> Request:
    if not isinstance(text, str):
        raise SettingError(f"a request must be a text, got {type(text).__name__}")
    if len(text) > LONGEST:
        raise SettingError(f"a request must be at most {LONGEST} letters, got {len(text)}")
    try:
        values = json.loads(text, object_pairs_hook=_object)
        whole = json.dumps(values, ensure_ascii=False) if "\\u" in text else text
    except (ValueError, RecursionError) as error:
        raise SettingError(f"a request must be JSON, got {text!r:.60}") from error
    if not isinstance(values, dict):
        raise SettingError(f"a request must be an object with a method, got {text!r:.60}")
    if _HALF.search(whole):
        raise SettingError(f"a request must be of whole Unicode characters, got {text!r:.60}")
    request = parsed(Request, values)
    if request.method not in METHODS:
        raise unknown("method", request.method[:60], METHODS)
    return request


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raises `SettingError` for a name that it has twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingError(f"{twice[:60]!r} must appear in an object of the request once")
    return values


def _context(state: AppState, request: Request, local: bool, visitor: str) -> Context:
    explorer = state.explorer(request.run)
    return Context(state, explorer, view_for(request.view, local, explorer), local, visitor)


def _error(code: str, message: str, fields: Mapping[str, Any]) -> str:
    """Return an error, whose texts are short, whatever the request contained."""
    shown = {name: _short(value) for name, value in plain(fields).items()}
    return _json({"error": {"code": code, "message": one_line(message), "fields": shown}})


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(part) for part in value[:KNOWN_SHOWN]]
    return one_line(value) if isinstance(value, str) else value


def _without_paths(response: str, explorers: Sequence[Explorer]) -> str:
    for path, name in _paths(explorers):
        response = response.replace(json.dumps(path)[1:-1], json.dumps(name)[1:-1])
    return response


def _paths(explorers: Sequence[Explorer]) -> Iterator[tuple[str, str]]:
    """Yield the absolute paths of runs, datasets and priors, with their last parts."""
    for explorer in explorers:
        identity = explorer.run.identity
        paths = explorer.run.path, identity.dataset_origin.get("source", ""), identity.prior
        for path in map(PurePath, map(str, paths)):
            if path.is_absolute():
                yield str(path), path.name


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
