"""A view of a run <-> the query string of the link that opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import Setting, Settings, quoted, settings_of, type_in_words
from dsel.errors import SettingError, unknown

S = TypeVar("S", bound=Settings)

PLACES: Mapping[str, str] = MappingProxyType(
    {
        "class": "class_name",
        "image": "image_id",
        "tab": "tab",
        "a": "a",
        "slice": "slice",
        "find": "find",
    }
)
"""What the page shows: the key in the link, and the field of a view."""

IDS = "ids"
"""The key of the selected images, which the link has once for each."""

FOREIGN = "__"
"""Prefix of the keys of Gradio and the Space, such as __theme; they are ignored."""

WRITTEN: Mapping[type, str] = MappingProxyType(
    {
        int: r"-?[0-9]{1,18}",
        float: r"-?[0-9]{1,18}(\.[0-9]{1,20})?(e[-+]?[0-9]{1,3})?",
        bool: "True|False",
    }
)
"""Pattern of a value in a link by its type; the settings read it. Text may be anything."""

HUB_ID = re.compile(r"[a-z0-9][\w.-]*(/[a-z0-9][\w.-]*)?", re.ASCII | re.IGNORECASE)
SHOWN = 60
"""Characters of an unknown key that a message quotes, at most."""

LONGEST = 1 << 19
"""Characters of a link, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the app shows; empty text is the app's own choice.

    a: the query of the settings that these are compared with. slice: the name of the slice of
    images that is selected; ids: the selected images if they are few and no slice. find: the query
    of the page's filter.
    """

    class_name: str = ""
    image_id: str = ""
    tab: str = ""
    a: str = ""
    slice: str = ""
    find: str = ""
    ids: tuple[str, ...] = ()
    select: SelectSettings = field(default_factory=SelectSettings)
    export: ExportSettings = field(default_factory=ExportSettings)


def query_of(view: View) -> str:
    """What differs from the defaults, in declared order; empty for a view of nothing else.

    Raises `SettingError` for a model in a folder: links contain no paths of this machine.
    """
    _check_models(view.select)
    places = ((key, getattr(view, name)) for key, name in PLACES.items())
    pairs = [(key, text) for key, text in places if text]
    pairs += [(IDS, image_id) for image_id in view.ids]
    pairs += [*_pairs(view.select), *_pairs(view.export)]
    return urlencode(pairs, quote_via=quote, safe="/@,")


def view_of(query: str) -> View:
    """The view of a query string; raises `SettingError` for a query that is not a view."""
    return _view(_read(query))


def readable_view(
    query: str, check: Callable[[View], object] = lambda _: None
) -> tuple[View, tuple[str, ...]]:
    """The view of what can be read of a query, and one line about each key that is left out.

    check: raises `SettingError` for a view that may not be shown.
    """
    try:
        given = dict(_read(query))
    except SettingError as error:
        return View(), (str(error),)
    notes: list[str] = []
    while True:
        try:
            view = _view(given)
            check(view)
        except SettingError as error:
            notes.append(str(error))
            _drop(given, error.fields)
        else:
            return view, tuple(notes)


def _drop(given: dict[str, list[str]], fields: Mapping[str, object]) -> None:
    """Drop the key that an error names; all settings for an error that names none of them."""
    named = [str(fields[name]) for name in ("setting", "name") if name in fields]
    wrong = [key for key in given if key in named or key[:SHOWN] in named]
    for key in wrong or [key for key in given if key not in (*PLACES, IDS)] or list(given):
        del given[key]


def _view(given: Mapping[str, list[str]]) -> View:
    known = (*PLACES, IDS, *_linked(SelectSettings), *_linked(ExportSettings))
    for key in given:
        if key not in known:
            raise unknown("key in the link", key[:SHOWN], known)
    places = {name: _only(key, given[key]) for key, name in PLACES.items() if key in given}
    select = _settings(SelectSettings, given)
    _check_models(select)
    ids = tuple(dict.fromkeys(given.get(IDS, ())))
    return View(**places, ids=ids, select=select, export=_settings(ExportSettings, given))


def _linked(kind: type[Settings]) -> Mapping[str, Setting]:
    return {name: setting for name, setting in settings_of(kind).items() if setting.linked}


def _pairs(settings: Settings) -> Iterator[tuple[str, str]]:
    for setting in _linked(type(settings)).values():
        value = getattr(settings, setting.name)
        if value != setting.default:
            for part in value if isinstance(value, tuple) else (value,):
                yield setting.name, str(part)


def _read(query: str) -> Mapping[str, list[str]]:
    """All values of each key, in order."""
    if len(query) > LONGEST:
        raise SettingError(f"a link must have at most {LONGEST} characters, got {len(query)}")
    try:
        pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise SettingError(f"the link cannot be read: {quoted(query)} is no query") from error
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        if not key.startswith(FOREIGN):
            given.setdefault(key, []).append(value)
    return given


def _settings(kind: type[S], given: Mapping[str, list[str]]) -> S:
    named = {name: s for name, s in _linked(kind).items() if name in given}
    return kind.from_text({name: _written(s, given[name]) for name, s in named.items()})


def _written(setting: Setting, texts: list[str]) -> str | tuple[str, ...]:
    """The text of a value, or the texts of several, in the spelling that links allow."""
    pattern = WRITTEN.get(setting.part)
    for text in texts:
        if pattern and not re.fullmatch(pattern, text):
            raise SettingError(
                f"{setting.name} in the link must be {type_in_words(setting)}, got {quoted(text)}",
                setting=setting.name,
            )
    return tuple(texts) if setting.several else _only(setting.name, texts)


def _only(key: str, texts: list[str]) -> str:
    if len(texts) > 1:
        raise SettingError(
            f"{key} must appear in the link once, got {len(texts)} of it", setting=key
        )
    return texts[0]


def _check_models(select: SelectSettings) -> None:
    for kind, name in (("an image model", "feature_model"), ("a teacher", "teacher")):
        model = getattr(select, name)
        if model and not HUB_ID.fullmatch(model):
            raise SettingError(
                f"a link can name {kind} by its Hub id only, such as owner/name, got "
                f"{quoted(model)}",
                setting=name,
            )
