"""The settings of a selection as the command line takes them."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any, TypeAlias

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from tyro.conf import Fixed, Suppress, UseAppendAction, arg

from dsel.config import SelectSettings
from dsel.config.base import settings_of


class _Joined:
    """Marks a flag that may be repeated: the values of all its occurrences make one tuple."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda values: tuple(chain.from_iterable(values)),
            handler.generate_schema(tuple[str, ...]),
        )


Texts: TypeAlias = Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], _Joined()]
"""Values of each occurrence of a flag: --pins a b --pins=-c; only `=` takes a leading dash."""


def _help(name: str) -> Any:
    return Field(description=settings_of(SelectSettings)[name].help)


class SelectFlags(SelectSettings):
    """Which patches are cut, and which of them are kept."""

    pins: Annotated[Texts, _help("pins")] = ()  # type: ignore[assignment]
    bans: Annotated[Texts, _help("bans")] = ()  # type: ignore[assignment]
    moves: Annotated[Texts, _help("moves")] = ()  # type: ignore[assignment]

    def settings(self) -> SelectSettings:
        """The settings themselves, which equal others of the same values."""
        return SelectSettings(**self.plain())


class DistillFlags(SelectFlags):
    """Selection within `distill`, where every scored timestep counts."""

    timesteps: Annotated[Suppress[Fixed[tuple[int, ...]]], arg(name="selected-timesteps")] = ()
