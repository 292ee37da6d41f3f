"""Questions of the page, as JSON, and what answers each of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from dsel.analysis.explorer import Explorer
from dsel.app.handlers import clusters, compare, distilled_set, inspect, jobs
from dsel.app.requests import Question
from dsel.app.state import Desk
from dsel.config.url import View, view_of
from dsel.errors import DselError, SettingError, unknown

ANSWERS: Final[Mapping[str, Callable[[Question], Any]]] = MappingProxyType(
    {**inspect.ANSWERS, **clusters.ANSWERS, **distilled_set.ANSWERS, **compare.ANSWERS, **jobs.ANSWERS}
)
BUG = "dsel could not answer this: its log says why"
MOST: Final = 1024
"""Images per class, groups, and pixels of a side that visitors from elsewhere may ask for."""

LONGEST: Final = 1 << 20
"""Letters of a question, at most."""

log = logging.getLogger(__name__)


def answer(desk: Desk, text: str, here: bool = False) -> str:
    """Answer a question in JSON: `answer` is what was asked for, or `error` one line to mend it.

    A visitor from elsewhere is told no place on this machine, only the names of what lies there.
    """
    explorers = [desk.first]
    try:
        name, question = _read(desk, text, here)
        explorers.append(question.explorer)
        said = _text({"answer": ANSWERS[name](question)})
    except DselError as error:
        said = _text({"error": str(error)})
    except Exception:  # a page is to hear of a bug too; the log keeps its traceback
        log.exception("a question failed")
        said = _text({"error": BUG})
    return said if here else _without_places(said, explorers)


def _read(desk: Desk, text: str, here: bool) -> tuple[str, Question]:
    if len(text) > LONGEST:
        raise SettingError(f"a question must be at most {LONGEST} letters, got {len(text)}")
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"a question must be JSON, got {text!r:.60}") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("ask"), str):
        raise SettingError(f"a question must say what it asks, got {text!r:.60}")
    name = asked.pop("ask")
    if name not in ANSWERS:
        raise unknown("question", name[:60], ANSWERS)
    run, query = (str(asked.pop(key, "")) for key in ("run", "view"))
    view = view_of(query)
    if not here:
        _check_size(view)
    return name, Question(desk, desk.explorer(run), view, asked, here)


def _check_size(view: View) -> None:
    """Raise `SettingError` for a view whose answers would take the app from all other visitors."""
    asked = {"ipc": view.select.ipc, "groups": view.select.groups, "image px": view.export.image_px}
    for name, value in asked.items():
        if value > MOST:
            raise SettingError(f"{name} must be at most {MOST} from outside, got {value}")


def _without_places(said: str, explorers: Sequence[Explorer]) -> str:
    """The same, with the name of a run, a dataset or a prior in place of where it lies."""
    for explorer in explorers:
        identity = explorer.run.identity
        places = explorer.run.path, identity.dataset_origin.get("source", ""), identity.prior
        for place in map(PurePath, map(str, places)):
            if place.is_absolute():
                said = said.replace(json.dumps(str(place))[1:-1], json.dumps(place.name)[1:-1])
    return said


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
