"""Which pictures of a source are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typing_extensions import Doc

from dsel.config.base import Range, Settings


@dataclass(frozen=True, kw_only=True)
class SourceSettings(Settings):
    """Which pictures of a source are used."""

    split: Annotated[
        str, Doc("split folder below SOURCE, such as train; empty finds it when there is one")
    ] = ""
    classes: Annotated[tuple[str, ...], Doc("use only these classes; empty uses all of them")] = ()
    per_class: Annotated[
        int, Doc("use at most this many images of each class; 0 uses all (toybox: 100)"), Range(0)
    ] = 0
    scene_seed: Annotated[int, Doc("seed of the toybox scenes"), Range(0, 2**31 - 1)] = 0
