"""Questions of the page, as JSON, and what answers each of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from dsel.errors import DselError, SettingError, unknown
from dsel.links import view_of
from dsel.ui import comparing, inspecting, jobbing, planes, sets
from dsel.ui.base import Question
from dsel.ui.desk import Desk

ANSWERS: Final[Mapping[str, Callable[[Question], Any]]] = MappingProxyType(
    {**inspecting.ANSWERS, **planes.ANSWERS, **sets.ANSWERS, **comparing.ANSWERS, **jobbing.ANSWERS}
)
BUG = "dsel could not answer this: its log says why"
LONGEST: Final = 1 << 20
"""Letters of a question, at most."""

log = logging.getLogger(__name__)


def answer(desk: Desk, text: str, here: bool = False) -> str:
    """Answer a question in JSON: `answer` is what was asked for, or `error` one line to mend it."""
    try:
        name, question = _read(desk, text, here)
        return _text({"answer": ANSWERS[name](question)})
    except DselError as error:
        return _text({"error": str(error)})
    except Exception:  # a page is to hear of a bug too; the log keeps its traceback
        log.exception("a question failed: %.300s", text)
        return _text({"error": BUG})


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
    run, view = (str(asked.pop(key, "")) for key in ("run", "view"))
    return name, Question(desk, desk.explorer(run), view_of(view), asked, here)


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
