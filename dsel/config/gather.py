"""How fast a prior scores, and what is measured beside it: settings that change no score."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from dsel.config.base import SPEED, Display, Settings

MeasuredKnowledge: TypeAlias = Annotated[
    Literal["auto", "full", "off"],
    SPEED,
    Field(
        description="measure whether the prior tells each class from others: with at most 5 % "
        "of the evaluations, on 16 images per class whatever it takes, or not at all"
    ),
    Display(
        "What the prior knows",
        choices=(("auto", "At most 5 % of the work"), ("full", "In full"), ("off", "Off")),
    ),
]
RowsPerCall: TypeAlias = Annotated[
    int,
    SPEED,
    Field(
        ge=0,
        le=8192,
        description="maximum number of noisy latents in one call of the prior; 0 measures "
        "which is fastest",
    ),
    Display("Latents per call"),
]
DecodingWorkers: TypeAlias = Annotated[
    int,
    SPEED,
    Field(ge=1, le=256, description="workers that decode images while the prior runs"),
    Display("Decoding workers"),
]
DecodeLimit: TypeAlias = Annotated[
    int,
    SPEED,
    Field(
        ge=1,
        le=86_400,
        description="seconds after which an image that is still being read and decoded is skipped",
    ),
    Display("Time limit of an image", unit="s"),
]
KeptSeconds: TypeAlias = Annotated[
    int,
    SPEED,
    Field(
        ge=0,
        le=86_400,
        description="seconds of work on a shard after which its finished images are stored, so "
        "that an interruption loses no more",
    ),
    Display("Stored every", unit="s"),
]


class GatherSettings(Settings):
    """How a run whose shards are all scored is completed."""

    knowledge: MeasuredKnowledge = "auto"
    rows_per_call: RowsPerCall = 0
    decoders: DecodingWorkers = 2
    decode_limit_s: DecodeLimit = 120
    keep_s: KeptSeconds = 30
