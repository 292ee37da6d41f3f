"""How the distilled set is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.config.base import Range, Settings


@dataclass(frozen=True, kw_only=True)
class ExportSettings(Settings):
    """How the distilled set is written."""

    image_px: Annotated[
        int, Doc("side of a distilled image; 0 is the prior's resolution"), Range(0, 8192)
    ] = 0
    file_format: Annotated[Literal["png", "jpeg"], Doc("file format of the images")] = "png"
    pixels: Annotated[
        Literal["auto", "source", "proxy"],
        Doc(
            "cut from the source's own pixels, or from the run's proxies; "
            "auto takes the source if it is there"
        ),
    ] = "auto"
