"""The settings that trainings share: each is declared once, with its help and its range."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from dsel.config.base import SPEED, Display

RecipeBatchSize: TypeAlias = Annotated[
    int,
    Field(ge=0, le=4096, description="images per step; 0 is the recipe's"),
    Display("Batch size"),
]
RecipeLearningRate: TypeAlias = Annotated[
    float,
    Field(ge=0.0, le=10.0, description="peak learning rate; 0 is the recipe's"),
    Display("Learning rate"),
]
Threads: TypeAlias = Annotated[
    int,
    SPEED,
    Field(ge=0, le=1024, description="processor threads; 0 uses all"),
    Display("Threads"),
]
Precision: TypeAlias = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(
        description="number format of activations; auto is bfloat16 on accelerators, float32 on "
        "processors"
    ),
    Display(
        "Precision",
        choices=(("auto", "Automatic"), ("float32", "float32"), ("bfloat16", "bfloat16")),
    ),
]
CheckpointSeconds: TypeAlias = Annotated[
    int,
    SPEED,
    Field(ge=1, description="seconds between checkpoints"),
    Display("Checkpoint interval", unit="s"),
]
NullShare: TypeAlias = Annotated[
    float,
    Field(ge=0.0, le=0.9, description="share of the images trained with a null prompt"),
    Display("Null share"),
]
Prompt: TypeAlias = Annotated[
    str,
    Field(description="prompt that names the class; {class} is replaced by its name"),
    Display("Prompt"),
]
SquareFit: TypeAlias = Annotated[
    Literal["crop", "squash"],
    Field(description="make an image square by its centre crop, or by squashing the whole of it"),
    Display("Fit", choices=(("crop", "Centre crop"), ("squash", "Squashed"))),
]
Mirrored: TypeAlias = Annotated[
    bool, Field(description="train on mirrored images too"), Display("Mirrored images")
]
