"""Settings as forms of the page: the fields that a visitor may fill in, and the values entered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from dsel.app.widgets import choices_of
from dsel.config.base import Range, Setting, Settings, settings_of, words_of
from dsel.errors import SettingError, unknown

S = TypeVar("S", bound=Settings)

KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {bool: "bool", int: "whole", float: "number", str: "text"}
)
MOST_VALUES: Final = 1000
"""Values of one setting, at most."""

LONGEST: Final = 4000
"""Characters of a text, at most."""

HELD: Final = frozenset({
    "revision", "lora", "labels", "device", "backend", "rows_per_call", "decoders", "low_memory",
    "precision", "family", "feature_layer", "null_class", "threads", "max_megapixels",
    "knowledge", "decode_limit_s", "keep_s",
})  # fmt: skip
"""Settings that remote visitors may not change, because they read files or control the hardware.
"""

NARROWER: Final[Mapping[str, Range]] = MappingProxyType({
    "resolution_px": Range(0, 1024),
    "draws": Range(1, 16),
    "most_draws": Range(0, 64),
    "feature_grid": Range(1, 16),
    "feature_dim": Range(2, 256),
    "shard_size": Range(1, 256),
    "per_class": Range(0, 10_000),
    "student_px": Range(0, 64),
    "steps": Range(1, 1000),
    "batch_size": Range(0, 128),
    "seeds": Range(1, 10),
    "ipcs": Range(1, 1024),
    "max_megapixels": Range(1, 25),
})  # fmt: skip
"""Narrower ranges for remote visitors, which bound the memory of a job; defaults are brought in."""


def form_of(kind: type[Settings], trusted: bool = True) -> list[dict[str, Any]]:
    """The settings of a class that a visitor may set, with all that a form needs to know."""
    allowed = (s for s in settings_of(kind).values() if trusted or s.name not in HELD)
    return [_field(setting, _range(setting, trusted)) for setting in allowed]


def filled(kind: type[S], values: Any, what: str, trusted: bool = True) -> S:
    """The settings that were entered in a form; raises `SettingError` for invalid values."""
    if not isinstance(values, Mapping):
        raise SettingError(f"{what} must be an object of settings")
    declared = settings_of(kind)
    for name, value in values.items():
        if name not in declared:
            raise unknown("setting", str(name)[:60], declared)
        if not trusted and name in HELD:
            raise SettingError(
                f"{words_of(name)} can only be set on the app's own machine", setting=name
            )
        _check_size(name, value)
    settings = kind.from_plain(values)
    for name in values:
        _check_range(name, getattr(settings, name), _range(declared[name], trusted))
    return settings if trusted else _brought_in(settings, values)


def _brought_in(settings: S, values: Mapping[str, Any]) -> S:
    """Lower defaults that exceed what remote visitors may set."""
    lower: dict[str, Any] = {}
    for name in settings_of(type(settings)):
        high = NARROWER[name].high if name in NARROWER and name not in values else None
        value = getattr(settings, name)
        if high is not None and isinstance(value, int | float) and value > high:
            lower[name] = high
    return settings.replace(**lower)


def _range(setting: Setting, trusted: bool) -> Range | None:
    return setting.range if trusted else NARROWER.get(setting.name, setting.range)


def _check_size(name: str, value: Any) -> None:
    """Raise `SettingError` for a list or text that is too long."""
    if isinstance(value, list | tuple) and len(value) > MOST_VALUES:
        raise SettingError(
            f"{words_of(name)} must be a list of at most {MOST_VALUES} values", setting=name
        )
    for part in value if isinstance(value, list | tuple) else (value,):
        if isinstance(part, str) and len(part) > LONGEST:
            raise SettingError(
                f"{words_of(name)} must have at most {LONGEST} characters", setting=name
            )


def _check_range(name: str, value: Any, allowed: Range | None) -> None:
    for part in value if isinstance(value, tuple) else (value,):
        if allowed and isinstance(part, int | float) and not allowed.holds(part):
            raise SettingError(f"{words_of(name)} must be {allowed} here, got {part}", setting=name)


def _field(setting: Setting, allowed: Range | None) -> dict[str, Any]:
    return {
        "name": setting.name,
        "label": setting.label,
        "unit": setting.unit,
        "help": setting.help,
        "kind": "choice" if setting.choices else KINDS[setting.part],
        "several": setting.several,
        "optional": setting.optional,
        "default": setting.default,
        "shown": None,
        "placeholder": setting.placeholder,
        "choices": choices_of(setting),
        "low": allowed.low if allowed else None,
        "high": allowed.high if allowed else None,
        "step": 1 if setting.part is int and not setting.choices else None,
        "names_result": setting.names_result,
    }
