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
from dsel.app.requests import Request
from dsel.app.state import AppState
from dsel.config.url import View, view_of
from dsel.errors import DselError, SettingError, unknown

HANDLERS: Final[Mapping[str, Callable[[Request], Any]]] = MappingProxyType(
    {
        **inspect.HANDLERS,
        **clusters.HANDLERS,
        **distilled_set.HANDLERS,
        **compare.HANDLERS,
        **jobs.HANDLERS,
    }
)
BUG = "dsel could not answer this: its log says why"
MOST: Final = 1024
"""Images per class, clusters, and pixels of a side that visitors from elsewhere may ask for."""

LONGEST: Final = 1 << 20
"""Letters of a request, at most."""

log = logging.getLogger(__name__)


def answer(state: AppState, text: str, here: bool = False) -> str:
    """Answer a request in JSON: `answer` is what was asked for, or `error` one line to mend it.

    A visitor from elsewhere is told no place on this machine, only the names of what lies there.
    """
    explorers = [state.first]
    try:
        name, request = _read(state, text, here)
        explorers.append(request.explorer)
        said = _text({"answer": HANDLERS[name](request)})
    except DselError as error:
        said = _text({"error": str(error)})
    except Exception:  # a page is to hear of a bug too; the log keeps its traceback
        log.exception("a request failed")
        said = _text({"error": BUG})
    return said if here else _without_places(said, explorers)


def _read(state: AppState, text: str, here: bool) -> tuple[str, Request]:
    if len(text) > LONGEST:
        raise SettingError(f"a request must be at most {LONGEST} letters, got {len(text)}")
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"a request must be JSON, got {text!r:.60}") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("ask"), str):
        raise SettingError(f"a request must say what it asks, got {text!r:.60}")
    name = asked.pop("ask")
    if name not in HANDLERS:
        raise unknown("request", name[:60], HANDLERS)
    run, query = (str(asked.pop(key, "")) for key in ("run", "view"))
    view = view_of(query)
    if not here:
        _check_size(view)
    return name, Request(state, state.explorer(run), view, asked, here)


def _check_size(view: View) -> None:
    """Raise `SettingError` for a view whose answers would take the app from all other visitors."""
    asked = {
        "ipc": view.select.ipc,
        "clusters": view.select.clusters,
        "image px": view.export.image_px,
    }
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
