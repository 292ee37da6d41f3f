"""A source and its settings in one word: SOURCE:key=value,key=value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from dsel.config import SourceSettings
from dsel.config.base import quoted
from dsel.data import open_dataset
from dsel.errors import SettingError, unknown
from dsel.types import Dataset

_OPTION: Final = r"[a-z][a-z-]*=[^,]*"
_SPEC: Final = re.compile(rf"(?P<source>.+?):(?P<options>{_OPTION}(?:,{_OPTION})*)", re.DOTALL)
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seed": "scene_seed", "per-class": "per_class", "sample-seed": "sample_seed",
        "split": "split", "classes": "classes", "subset": "subset",
        "image-column": "image_column", "label-column": "label_column",
    }
)  # fmt: skip
_DEFAULTS: Final = MappingProxyType(SourceSettings().plain())
CLASS_SEPARATOR: Final = "+"


def parse_source(text: str) -> tuple[str, SourceSettings]:
    """Split `toybox:seed=13,per-class=50` into the source and its settings.

    The keys are those of `_FIELDS`; the names of classes are joined by +. Only an end of the form
    `:key=value` counts, so that `C:/photos`, `s3://bucket/photos.zip` and `hf://user/name:config`
    are sources. Raises `SettingError` for another key, for a key that is given twice, and for a
    value out of its range.
    """
    source, values = _split(text)
    return source, SourceSettings.from_text(values)


def open_source(text: str, settings: SourceSettings | None = None) -> Dataset:
    """Open a source with these settings, over which its own options go."""
    source, values = _split(text)
    spelled = SourceSettings.from_text(values)
    given = {name: getattr(spelled, name) for name in values}
    return open_dataset(source, (settings or SourceSettings()).replace(**given))


def spell_source(source: str, settings: SourceSettings) -> str:
    """Undo `parse_source`: only what differs from the defaults is written."""
    options = []
    for key, name in _FIELDS.items():
        value = getattr(settings, name)
        if value != _DEFAULTS.get(name):
            shown = CLASS_SEPARATOR.join(value) if isinstance(value, tuple) else value
            options.append(f"{key}={shown}")
    return f"{source}:{','.join(options)}" if options else source


def _split(text: str) -> tuple[str, dict[str, Any]]:
    """Return the source, and the settings that are spelled out."""
    if not text.strip():
        raise SettingError("the source is empty: name a folder, a file, toybox or hf://user/name")
    found = _SPEC.fullmatch(text)
    if found is None:
        return text, {}
    values: dict[str, Any] = {}
    for option in found["options"].split(","):
        key, _, value = option.partition("=")
        if key not in _FIELDS:
            raise unknown("source option", key, _FIELDS)
        if _FIELDS[key] in values:
            raise SettingError(f"source option {key!r} is given twice in {quoted(text)}")
        values[_FIELDS[key]] = _READ.get(key, str)(value)
    return found["source"], values


_READ: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {"classes": lambda value: tuple(value.split(CLASS_SEPARATOR)) if value else ()}
)
