"""The settings of a selection as the command line takes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import chain
from typing import Annotated, Any, TypeAlias

from typing_extensions import Doc
from tyro.conf import Fixed, Suppress, UseAppendAction, arg

from dsel.config import SelectSettings
from dsel.config.base import settings_of

Texts: TypeAlias = UseAppendAction[tuple[tuple[str, ...], ...]]
"""Values of each occurrence of a flag: --pins a b --pins=-c; only `=` takes a leading dash."""


def _help(name: str) -> Doc:
    return Doc(settings_of(SelectSettings)[name].help)


@dataclass(frozen=True, kw_only=True)
class SelectFlags(SelectSettings):
    """Which patches are cut, and which of them stay."""

    pins: Annotated[Texts, _help("pins")] = ()  # type: ignore[assignment]
    bans: Annotated[Texts, _help("bans")] = ()  # type: ignore[assignment]
    moves: Annotated[Texts, _help("moves")] = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Leave the checks to the settings that these are made into."""

    def plain(self) -> SelectSettings:
        """The settings that the flags say; raises `SettingError` like them."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(SelectSettings)}
        for name in ("pins", "bans", "moves"):
            values[name] = tuple(chain.from_iterable(values[name]))
        return SelectSettings(**values)


@dataclass(frozen=True, kw_only=True)
class DistillFlags(SelectFlags):
    """Selection within `distill`, where every scored timestep counts."""

    timesteps: Annotated[Suppress[Fixed[tuple[int, ...]]], arg(name="selected-timesteps")] = ()
