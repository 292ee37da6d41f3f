"""Settings as a form on the page: what it may ask for, and what was filled in."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from dsel.config import PriorSettings, ScoreSettings
from dsel.config.base import Range, Setting, Settings, settings_of
from dsel.errors import SettingError, unknown

S = TypeVar("S", bound=Settings)

KINDS: Final[Mapping[Any, str]] = MappingProxyType(
    {bool: "bool", int: "whole", float: "number", str: "text"}
)

HELD: Final = frozenset({
    "revision", "lora", "labels", "device", "compile", "rows_per_call", "decoders", "low_memory",
    "precision", "family", "feature_layer", "null_class",
})  # fmt: skip
"""What a visitor from elsewhere may not set: it reads files, loads code's choice, or takes all."""

NARROWER: Final[Mapping[str, Range]] = MappingProxyType({
    "resolution_px": Range(0, 1024),
    "draws": Range(1, 16),
    "first_draws": Range(1, 16),
    "feature_grid": Range(1, 16),
    "feature_dim": Range(2, 256),
    "shard_size": Range(1, 256),
    "per_class": Range(0, 10_000),
})  # fmt: skip
"""Ranges for visitors from elsewhere, within which a job cannot take all of the memory."""


def form_of(kind: type[Settings], trusted: bool = True) -> list[dict[str, Any]]:
    """The settings of a class that may be filled in, with all that a form needs to know."""
    allowed = (s for s in settings_of(kind).values() if trusted or s.name not in HELD)
    return [_field(setting, _range(setting, trusted)) for setting in allowed]


def filled(kind: type[S], values: Any, what: str, trusted: bool = True) -> S:
    """The settings that a form says; raises `SettingError` for what they cannot be."""
    if not isinstance(values, Mapping):
        raise SettingError(f"{what} must be an object of settings")
    allowed = {field["name"] for field in form_of(kind, trusted)}
    declared = settings_of(kind)
    read = {}
    for name, value in values.items():
        if name not in declared:
            raise unknown("setting", str(name)[:60], declared)
        if name not in allowed:
            raise SettingError(f"{_words(name)} cannot be set from outside of the app's machine")
        read[name] = _read(declared[name], value)
        _check_range(name, read[name], _range(declared[name], trusted))
    return kind(**read)


def _range(setting: Setting, trusted: bool) -> Range | None:
    return setting.range if trusted else NARROWER.get(setting.name, setting.range)


def _check_range(name: str, value: Any, allowed: Range | None) -> None:
    for part in value if isinstance(value, tuple) else (value,):
        if allowed and isinstance(part, int | float) and not allowed.holds(part):
            raise SettingError(f"{_words(name)} must be {allowed} here, got {part}")


def _field(setting: Setting, allowed: Range | None) -> dict[str, Any]:
    kind, optional, several = _kind(setting)
    return {
        "name": setting.name,
        "kind": kind,
        "several": several,
        "optional": optional,
        "default": setting.default,
        "help": setting.help,
        "low": allowed.low if allowed else None,
        "high": allowed.high if allowed else None,
        "choices": setting.choices,
        "names_result": setting.names_result,
    }


def _kind(setting: Setting) -> tuple[str, bool, bool]:
    """What a value is, whether it may be null, and whether there are several of it."""
    kind = setting.kind
    if get_origin(kind) is Literal:
        return "choice", False, False
    if get_origin(kind) is tuple:
        return KINDS[get_args(kind)[0]], False, True
    if get_origin(kind) is UnionType:
        return KINDS[next(part for part in get_args(kind) if part is not NoneType)], True, False
    return KINDS[kind], False, False


def _read(setting: Setting, value: Any) -> Any:
    kind, optional, several = _kind(setting)
    if value is None and optional:
        return None
    if not several:
        return _part(setting.name, kind, value)
    if not isinstance(value, list | tuple) or len(value) > 1000:
        raise SettingError(f"{_words(setting.name)} must be a list of at most 1000 values")
    return tuple(_part(setting.name, kind, part) for part in value)


TYPES: Final[Mapping[str, tuple[Collection[type], str]]] = MappingProxyType({
    "bool": ((bool,), "true or false"),
    "whole": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "text": ((str,), "a text"),
    "choice": ((str, int), "one of its choices"),
})  # fmt: skip


def _part(name: str, kind: str, value: Any) -> Any:
    types, words = TYPES[kind]
    if type(value) not in types or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingError(f"{_words(name)} must be {words}, got {str(value)[:60]!r}")
    if isinstance(value, str) and len(value) > 4000:
        raise SettingError(f"{_words(name)} must have at most 4000 characters")
    return float(value) if kind == "number" else value


def _words(name: str) -> str:
    return name.replace("_", " ").replace(" px", " (px)")


SCORING: Final = MappingProxyType({"prior": PriorSettings, "score": ScoreSettings})
"""The forms of a score job, by their names in requests."""
