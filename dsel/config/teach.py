"""How a teacher is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dsel.config.base import Display, Settings
from dsel.config.evaluate import Student
from dsel.config.training import (
    CheckpointSeconds,
    Precision,
    RecipeBatchSize,
    RecipeLearningRate,
    Threads,
)


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
    batch_size: RecipeBatchSize = 0
    learning_rate: RecipeLearningRate = 0.0
    precision: Precision = "auto"
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
    checkpoint_s: CheckpointSeconds = 120
    threads: Threads = 0
