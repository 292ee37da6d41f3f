"""How a settings class declares its fields, checks them, and names a result by them.

A field's annotation carries its help and its range (`Field`), its label, its unit and the labels of
its choices (`Display`), and the markers `SPEED`, `OVERRIDE` and `UNLINKED`; `Literal` types carry
the choices. Flags, widgets, links and the shell read the declarations through `settings_of`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from types import GenericAlias, MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from dsel.errors import SettingError, unknown

LONGEST_SHOWN = 60
"""Characters of a wrong value that a message quotes, at most."""


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
        """Whether `value` is in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Display:
    """How forms and widgets show a setting.

    choices: pairs of a value and its label; a value without one is its own label.
    placeholder: what an empty text field shows; empty shows the default. help: replaces the
    setting's own help, where that speaks of values that a widget shows otherwise.
    """

    label: str
    unit: str = ""
    choices: tuple[tuple[Any, str], ...] = ()
    placeholder: str = ""
    help: str = ""


class _Speed:
    """Marks a field that changes how fast a result comes or what is measured beside it, no more.

    The last bits of a sum may differ between devices, batch sizes and numbers of threads.
    """


class _Override:
    """Marks a field that names a result only where it differs from its default.

    Such are decisions by hand: where none was made, results keep the names that they had.
    """


class _Unlinked:
    """Marks a field that links leave out: it names what only the machine of its user may read."""


SPEED = _Speed()
OVERRIDE = _Override()
UNLINKED = _Unlinked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One field of a settings class as faces see it.

    kind: the type without its range, such as tuple[int, ...].
    part: the type of the value, or of each value of a tuple; str for choices.
    widget_help: the help beside a widget, in the words and the values that the widget shows.
    """

    name: str
    kind: Any
    part: type
    default: Any
    help: str
    range: Range | None
    choices: tuple[Any, ...]
    names_result: bool
    override: bool
    linked: bool
    label: str
    unit: str
    choice_labels: Mapping[Any, str]
    placeholder: str
    widget_help: str

    @property
    def several(self) -> bool:
        """Whether the value is a tuple."""
        return get_origin(self.kind) is tuple

    @property
    def optional(self) -> bool:
        """Whether the value may be None."""
        return get_origin(self.kind) is UnionType


class Settings(BaseModel):
    """Base of the settings classes: frozen, and checked against the declaration of every field.

    Types are strict, except that a list counts as a tuple, as JSON restores it, and a whole number
    as a float. Raises `SettingError` naming the first field whose value is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(values, Mapping):
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        try:
            return handler(values)
        except ValidationError as error:
            raise _setting_error(cls, error) from None

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values, as `plain` gives them and JSON restores them."""
        return cls.model_validate(values)

    @classmethod
    def from_text(cls, values: Mapping[str, str | tuple[str, ...]]) -> Self:
        """Settings from values that are all written as text."""
        return cls.model_validate(values, strict=False)

    def plain(self) -> dict[str, Any]:
        """The value of each field by name, ready for JSON."""
        return dict(self.__dict__)

    def replace(self, **changes: Any) -> Self:
        """The same settings with other values of some fields, checked again."""
        return type(self)(**{**self.__dict__, **changes})

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(f"settings are frozen: use replace({name}=...)")


def settings_of(kind: type[Settings]) -> Mapping[str, Setting]:
    """The declared settings of a class by field name, in order."""
    return _declared(kind)


def result_settings(settings: Settings) -> dict[str, Any]:
    """The fields that name the result, by name.

    Those that only change the speed are left out, and overrides where there are none.
    """
    declared = settings_of(type(settings)).values()
    values = {s.name: getattr(settings, s.name) for s in declared if s.names_result}
    unused = {s.name for s in declared if s.override and values[s.name] == s.default}
    return {name: value for name, value in values.items() if name not in unused}


def fingerprint(*parts: Any) -> str:
    """Name a result: 16 hex digits of the SHA-256 of everything that it follows from.

    Settings count with the fields that name the result, so speed settings leave it unchanged.
    """
    text = json.dumps([_plain(part) for part in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def words_of(name: str) -> str:
    """A setting's name as messages write it: patch_px is patch (px)."""
    return name.replace("_", " ").replace(" px", " (px)")


def type_in_words(setting: Setting) -> str:
    """What a value of a setting must be, such as a whole number."""
    return _TYPES[setting.part]


def quoted(value: Any) -> str:
    """A wrong value as a message quotes it: in one line, and cut to a length that fits."""
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return repr(text) if isinstance(value, str) else text


_TYPES: Mapping[type, str] = MappingProxyType(
    {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
)


@cache
def _declared(kind: type[Settings]) -> Mapping[str, Setting]:
    return MappingProxyType({n: _setting(n, field) for n, field in kind.model_fields.items()})


def _setting(name: str, field: FieldInfo) -> Setting:
    kind, limits = _without_limits(field.annotation)
    item = get_args(kind)[0] if get_origin(kind) is tuple else kind
    choices = get_args(item) if get_origin(item) is Literal else ()
    display = next((note for note in field.metadata if isinstance(note, Display)), None)
    display = display or Display(words_of(name).capitalize())
    return Setting(
        name=name,
        kind=kind,
        part=type(choices[0]) if choices else _part(kind),
        default=field.default,
        help=field.description or "",
        range=_range((*limits, *field.metadata)),
        choices=choices,
        names_result=SPEED not in field.metadata,
        override=OVERRIDE in field.metadata,
        linked=UNLINKED not in field.metadata,
        label=display.label,
        unit=display.unit,
        choice_labels=MappingProxyType(dict(display.choices)),
        placeholder=display.placeholder,
        widget_help=display.help or field.description or "",
    )


def _without_limits(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without the range of its items, and the declarations of that range."""
    item = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    if get_origin(item) is not Annotated:
        return annotation, []
    part: type
    part, *notes = get_args(item)
    fields = (note.metadata if isinstance(note, FieldInfo) else [note] for note in notes)
    return GenericAlias(tuple, (part, ...)), list(chain.from_iterable(fields))


def _part(kind: Any) -> type:
    parts = (part for part in get_args(kind) if part not in (NoneType, ...))
    part: type = next(parts, kind)
    return part


def _range(notes: Sequence[Any]) -> Range | None:
    low: Any = next((note.ge for note in notes if isinstance(note, Ge)), None)
    high: Any = next((note.le for note in notes if isinstance(note, Le)), None)
    return None if low is None and high is None else Range(low, high)


def _setting_error(kind: type[Settings], error: ValidationError) -> SettingError:
    """The first error of a validation in the words of dsel."""
    first = error.errors(include_url=False, include_context=False)[0]
    value, problem = first["input"], first["type"]
    if not first["loc"]:
        return SettingError(f"settings must be values by name, got {quoted(value)}")
    name, declared = str(first["loc"][0]), settings_of(kind)
    if name not in declared:
        return unknown("setting", name[:LONGEST_SHOWN], declared)
    setting, shown = declared[name], quoted(value)
    if setting.choices:
        wanted = f"one of {', '.join(map(str, setting.choices))}"
    elif problem == "tuple_type":
        wanted = f"a list, each {type_in_words(setting)}"
    elif problem in _OUT_OF_RANGE and setting.range is not None:
        wanted, shown = str(setting.range), str(value)
    else:
        wanted = type_in_words(setting)
    return SettingError(f"{words_of(name)} must be {wanted}, got {shown}", setting=name)


_OUT_OF_RANGE = frozenset({"greater_than_equal", "less_than_equal", "finite_number"})


def _plain(part: Any) -> Any:
    return result_settings(part) if isinstance(part, Settings) else part
