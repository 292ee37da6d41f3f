"""How a teacher is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dsel.config.base import SPEED, Display, Settings
from dsel.config.evaluate import Student


class TeachSettings(Settings):
    """How a teacher is trained."""

    student: Annotated[
        Student,
        Field(description="architecture of the teacher, trained from scratch"),
        Display("Architecture"),
    ] = "resnet-18"
    image_px: Annotated[
        int,
        Field(ge=8, le=1024, description="side of the images that the teacher sees"),
        Display("Image size", unit="px"),
    ] = 64
    steps: Annotated[
        int, Field(ge=1, le=10_000_000, description="training steps"), Display("Steps")
    ] = 3000
    batch_size: Annotated[
        int,
        Field(ge=0, le=4096, description="images per step; 0 is the recipe's"),
        Display("Batch size"),
    ] = 0
    learning_rate: Annotated[
        float,
        Field(ge=0.0, le=10.0, description="peak learning rate; 0 is the recipe's"),
        Display("Learning rate"),
    ] = 0.0
    held_out: Annotated[
        float,
        Field(
            ge=0.0,
            le=0.9,
            description="share of each class that is not trained on but tested on; unused with "
            "--validation",
        ),
        Display("Held-out share"),
    ] = 0.1
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="seed of weights, batches and held-out images"),
        Display("Seed"),
    ] = 0
    checkpoint_s: Annotated[
        int,
        SPEED,
        Field(ge=1, description="seconds between checkpoints"),
        Display("Checkpoint interval", unit="s"),
    ] = 120
    threads: Annotated[
        int,
        SPEED,
        Field(ge=0, le=1024, description="processor threads; 0 uses all"),
        Display("Threads"),
    ] = 0
