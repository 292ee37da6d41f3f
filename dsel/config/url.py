"""A view of a run <-> the query string of the link that opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl, quote, urlencode

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import Setting, Settings, settings_of
from dsel.errors import SettingError, unknown

S = TypeVar("S", bound=Settings)

PLACES: Mapping[str, str] = MappingProxyType(
    {"class": "class_name", "image": "image_id", "tab": "tab", "a": "a"}
)
"""What is looked at: the key in the link, and the field of a view."""

FOREIGN = "__"
"""Keys that begin so are Gradio's and the Space's own, such as __theme: they say nothing here."""

HUB_ID = re.compile(r"[a-z0-9][\w.-]*(/[a-z0-9][\w.-]*)?", re.ASCII | re.IGNORECASE)
LONGEST = 1 << 19
"""Letters of a link, at most."""

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the app shows; empty text stands for what it shows by itself.

    a: the query of the settings that these are compared with.
    """

    class_name: str = ""
    image_id: str = ""
    tab: str = ""
    a: str = ""
    select: SelectSettings = field(default_factory=SelectSettings)
    export: ExportSettings = field(default_factory=ExportSettings)


def query_of(view: View) -> str:
    """What differs from the defaults, in declared order; empty for a view of nothing else.

    Raises `SettingError` for an image model in a folder: a link holds no paths of this machine.
    """
    _check_model(view.select.feature_model)
    places = ((key, getattr(view, name)) for key, name in PLACES.items())
    pairs = [(key, text) for key, text in places if text]
    pairs += [*_pairs(view.select), *_pairs(view.export)]
    return urlencode(pairs, quote_via=quote, safe="/@,")


def view_of(query: str) -> View:
    """The view that a query string means; raises `SettingError` for what it cannot mean."""
    given = _read(query)
    known = (*PLACES, *settings_of(SelectSettings), *settings_of(ExportSettings))
    for key in given:
        if key not in known:
            raise unknown("key in the link", key[:LONGEST_SHOWN], known)
    places = {name: _only(key, given[key]) for key, name in PLACES.items() if key in given}
    select = _settings(SelectSettings, given)
    _check_model(select.feature_model)
    return View(**places, select=select, export=_settings(ExportSettings, given))


def _pairs(settings: Settings) -> Iterator[tuple[str, str]]:
    for setting in settings_of(type(settings)).values():
        value = getattr(settings, setting.name)
        if value != setting.default:
            for part in value if isinstance(value, tuple) else (value,):
                yield setting.name, str(part)


def _read(query: str) -> Mapping[str, list[str]]:
    """All values of each key, in order."""
    if len(query) > LONGEST:
        raise SettingError(f"a link must be at most {LONGEST} letters, got {len(query)}")
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise SettingError(f"the link cannot be read: {_shown(query)} is no query") from error
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        if not key.startswith(FOREIGN):
            given.setdefault(key, []).append(value)
    return given


def _settings(kind: type[S], given: Mapping[str, list[str]]) -> S:
    declared = settings_of(kind)
    return kind(**{name: _value(declared[name], given[name]) for name in declared if name in given})


def _value(setting: Setting, texts: list[str]) -> Any:
    if get_origin(setting.kind) is tuple:
        return tuple(_part(setting.name, get_args(setting.kind)[0], text) for text in texts)
    return _part(setting.name, setting.kind, _only(setting.name, texts))


def _part(key: str, kind: Any, text: str) -> Any:
    if kind not in READERS:
        return text  # text, or a choice, which the settings check
    pattern, words, read = READERS[kind]
    if not re.fullmatch(pattern, text):
        raise SettingError(f"{key} in the link must be {words}, got {_shown(text)}")
    return read(text)


READERS: Mapping[Any, tuple[str, str, Callable[[str], Any]]] = MappingProxyType(
    {
        int: (r"-?[0-9]{1,18}", "a whole number", int),
        float: (r"-?[0-9]{1,18}(\.[0-9]{1,20})?(e[-+]?[0-9]{1,3})?", "a number", float),
        bool: ("True|False", "True or False", lambda text: text == "True"),
    }
)
"""How values that are no text are written: the pattern, in words, and what reads it."""


def _only(key: str, texts: list[str]) -> str:
    if len(texts) > 1:
        raise SettingError(f"{key} must stand in the link once, got {len(texts)} of it")
    return texts[0]


def _check_model(model: str) -> None:
    if model and not HUB_ID.fullmatch(model):
        raise SettingError(
            f"a link can name an image model by its Hub id only, such as owner/name, got "
            f"{_shown(model)}"
        )


def _shown(text: str) -> str:
    """A value as a message quotes it: in one line, and not at any length."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")
