"""Where the shards of a run are scored, and students are trained."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dsel.config.base import SPEED, Display, Settings
from dsel.config.training import Threads
from dsel.errors import SettingError

_PART = re.compile(r"(\d{1,6})/(\d{1,6})")


class PlaceSettings(Settings):
    """Where workers run; none of it changes the result."""

    on: Annotated[
        Literal["local", "ray"],
        SPEED,
        Field(description="run on this machine, or on a Ray cluster (extra dsel[ray])"),
        Display("Runs on", choices=(("local", "This machine"), ("ray", "Ray"))),
    ] = "local"
    workers: Annotated[
        int,
        SPEED,
        Field(
            ge=0,
            le=4096,
            description="processes that share the work; 0 is one per CUDA device if there are "
            "several, else the command's own process, and on Ray one per GPU of the cluster",
        ),
        Display("Workers"),
    ] = 0
    address: Annotated[
        str,
        SPEED,
        Field(
            description="address of a Ray cluster, or auto for the one of this machine; empty "
            "starts Ray here, unless RAY_ADDRESS names a cluster"
        ),
        Display("Address of Ray", placeholder="Ray on this machine"),
    ] = ""

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.address and self.on != "ray":
            raise SettingError("address is of a Ray cluster: use it with --on ray", setting="on")
        return self


class LaunchSettings(PlaceSettings):
    """Where the shards of a run are scored; none of it changes the result."""

    threads: Threads = 0
    shards: Annotated[
        str,
        SPEED,
        Field(
            description="score part I of N of the shards, written I/N, such as 1/8 to 8/8 in the "
            "jobs of an array; dsel gather completes the run"
        ),
        Display("Part of the shards", placeholder="all of them"),
    ] = ""

    @model_validator(mode="after")
    def _check_part(self) -> Self:
        if self.shards and self.part is None:
            raise SettingError(
                f"shards must be I/N with I from 1 to N, such as 2/8, got {self.shards!r}",
                setting="shards",
            )
        return self

    @property
    def part(self) -> tuple[int, int] | None:
        """The number of the part, from 1, and how many there are; None for the whole run."""
        found = _PART.fullmatch(self.shards)
        if found is None:
            return None
        number, parts = int(found[1]), int(found[2])
        return (number, parts) if 1 <= number <= parts else None
