"""Groups of flags that are the command line's own, and settings as it takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from tyro.conf import Fixed, Positional, Suppress, UseAppendAction, arg

from dsel.config import LaunchSettings, SelectSettings
from dsel.config.base import Settings, settings_of
from dsel.config.presets import PRESETS, preset

RunPath = Annotated[Positional[Path], arg(metavar="RUN", help="run folder, made by dsel score")]
AnyRun = Annotated[
    Positional[str],
    arg(
        metavar="RUN",
        help="run folder, or a run to read from: a zip file of dsel bundle, a URL such as s3://, "
        "or hf://user/name of the Hugging Face Hub",
    ),
]
Selection = Annotated[
    str, arg(help="fingerprint of a stored selection; empty is the one made last")
]

SliceName = Annotated[
    str,
    arg(
        name="slice",
        help="name of a slice of the run: its images are written, each cut by the settings of the "
        "selection, whether they are kept or not",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Output:
    """What every command prints."""

    json: Annotated[bool, arg(help="print one JSON object of figures as the last line")] = False
    dry_run: Annotated[
        bool, arg(help="print the resolved settings and the work to do, then stop")
    ] = False


class Publish(Settings):
    """Where an export is published."""

    push: Annotated[
        str,
        Field(
            description="dataset on the Hugging Face Hub to push the format parquet to, as "
            "user/name; it is private"
        ),
    ] = ""
    public: Annotated[bool, Field(description="let everybody see the dataset")] = False


class Pace(Settings):
    """How fast the prior is, for the plan of a dry run."""

    rate: Annotated[
        float,
        Field(
            ge=0,
            description="with --dry-run: evaluations of the prior that one device does in a "
            "second; 0 is what dsel score has measured last with this prior",
        ),
    ] = 0.0


class Where(Settings):
    """The device of a model that describes patches, or of a teacher, if the settings need one."""

    device: Annotated[
        str,
        Field(description="cpu, cuda, cuda:1, mps or xpu; auto uses an accelerator if available"),
    ] = "auto"


class Address(Settings):
    """Where the app listens."""

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65_535, description="port to listen on; 0 is the first free one from 7860"),
    ] = 0


class Scenes(Settings):
    """Which toybox scenes are rendered."""

    per_class: Annotated[int, Field(ge=0, description="scenes of each class")] = 100
    seed: Annotated[int, Field(ge=0, le=2**31 - 1, description="seed of the scenes")] = 0


class DistillLaunchFlags(LaunchSettings):
    """Where `distill` and `gather` score: they need all shards."""

    shards: Annotated[Suppress[Fixed[str]], arg(name="scored-shards")] = ""

    def settings(self) -> LaunchSettings:
        """The settings themselves."""
        return LaunchSettings(**self.plain())


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
    """Which patches are located, which of them are kept, and what is cut around them."""

    preset: Annotated[
        str,
        Field(
            description=f"named settings to start from, which other flags change: "
            f"{', '.join(PRESETS)}"
        ),
    ] = ""
    pins: Annotated[Texts, _help("pins")] = ()  # type: ignore[assignment]
    bans: Annotated[Texts, _help("bans")] = ()  # type: ignore[assignment]
    moves: Annotated[Texts, _help("moves")] = ()  # type: ignore[assignment]

    def settings(self) -> SelectSettings:
        """The settings themselves, which equal others of the same values."""
        return SelectSettings(**{name: getattr(self, name) for name in settings_of(SelectSettings)})


def with_preset(arguments: Sequence[str]) -> list[str]:
    """Put the flags of a preset before the other flags of a command, which win over them.

    Raises `SettingError` for an unknown preset.
    """
    given = list(arguments)
    if given[:1] not in (["select"], ["distill"]):
        return given
    for at, argument in enumerate(given):
        flag, _, name = argument.partition("=")
        if flag == "--preset" and (name := name or next(iter(given[at + 1 :]), "")):
            return [*given[:1], *_flags_of(preset(name)), *given[1:]]
    return given


def _flags_of(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield from ("--" + name.replace("_", "-"), str(value))


class DistillFlags(SelectFlags):
    """Selection within `distill`: all scored timesteps count, and the export names the teacher."""

    timesteps: Annotated[Suppress[Fixed[tuple[int, ...]]], arg(name="selected-timesteps")] = ()
    teacher: Annotated[Suppress[Fixed[str]], arg(name="baseline-teacher")] = ""
