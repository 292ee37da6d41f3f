"""How a settings class declares its fields, checks them, and names a result by them.

A field's annotation carries its help (`Doc`) and, for numbers, its range (`Range`); `Literal` types
carry the choices. Faces read the declarations through `settings_of`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from typing_extensions import Doc

from dsel.errors import SettingError


@dataclass(frozen=True, slots=True)
class Range:
    """The inclusive range of a number, or of each number of a tuple; None is unbounded."""

    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.high is None:
            return f"at least {self.low}"
        if self.low is None:
            return f"at most {self.high}"
        return f"between {self.low} and {self.high}"

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class _Speed:
    """Marks a field that changes how fast a result comes, not what it means.

    The last bits of a sum may differ between devices, batch sizes and numbers of threads.
    """


class _Override:
    """Marks a decision by hand: where none was made, results keep the names that they had."""


SPEED = _Speed()
OVERRIDE = _Override()
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings class as faces see it."""

    name: str
    kind: Any
    default: Any
    help: str
    range: Range | None
    choices: tuple[Any, ...]
    names_result: bool
    override: bool = False


class Settings:
    """Base of the settings classes: checks every field against its declaration."""

    def __post_init__(self) -> None:
        """Raise `SettingError` naming the first field that is out of its range."""
        for setting in settings_of(type(self)).values():
            _check(setting, getattr(self, setting.name))


def settings_of(kind: type) -> MappingProxyType[str, Setting]:
    """The declared settings of a class by field name, in order."""
    return _declared(kind)


def result_settings(settings: Settings) -> dict[str, Any]:
    """The fields that name the result, by name.

    Those that only change the speed are left out, and overrides where there are none.
    """
    values: dict[str, Any] = asdict(settings)  # type: ignore[call-overload]
    declared = settings_of(type(settings)).values()
    unused = {s.name for s in declared if s.override and values[s.name] == s.default}
    return {s.name: values[s.name] for s in declared if s.names_result and s.name not in unused}


def fingerprint(*parts: Any) -> str:
    """Name a result: 16 hex digits of the SHA-256 of everything that it follows from.

    Settings count with the fields that name the result, so speed settings leave it unchanged.
    """
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _declared(kind: Hashable) -> MappingProxyType[str, Setting]:
    hints = get_type_hints(kind, include_extras=True)
    declared = fields(kind)  # type: ignore[arg-type]
    return MappingProxyType({f.name: _setting(f, hints[f.name]) for f in declared})


def restore(kind: type[S], plain: Mapping[str, Any]) -> S:
    """Settings from plain values, as JSON gives them back."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()})


def _setting(field: Any, hint: Any) -> Setting:
    kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    texts = [note.documentation for note in notes if isinstance(note, Doc)]
    ranges = [note for note in notes if isinstance(note, Range)]
    return Setting(
        name=field.name,
        kind=kind,
        default=field.default,
        help=texts[0] if texts else "",
        range=ranges[0] if ranges else None,
        choices=get_args(kind) if get_origin(kind) is Literal else (),
        names_result=SPEED not in notes,
        override=OVERRIDE in notes,
    )


def _check(setting: Setting, value: Any) -> None:
    label = setting.name.replace("_", " ").replace(" px", " (px)")
    if setting.choices and value not in setting.choices:
        known = ", ".join(map(str, setting.choices))
        raise SettingError(f"{label} must be one of {known}, got {value!r}")
    if setting.range is not None:
        for number in _numbers(value):
            if not setting.range.holds(number):
                raise SettingError(f"{label} must be {setting.range}, got {number}")


def _numbers(value: Any) -> Iterator[float]:
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, int | float):
            yield part


def _plain(part: Any) -> Any:
    return result_settings(part) if isinstance(part, Settings) else part
