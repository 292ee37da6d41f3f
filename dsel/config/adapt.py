"""How a prior is adapted to a dataset."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dsel.config.base import Display, Settings
from dsel.config.prompts import check_prompt
from dsel.config.training import (
    CheckpointSeconds,
    Mirrored,
    NullShare,
    Prompt,
    SquareFit,
    Threads,
)
from dsel.errors import SettingError


class AdaptSettings(Settings):
    """How a prior is adapted to a dataset."""

    rank: Annotated[
        int, Field(ge=1, le=1024, description="rank of the added matrices"), Display("Rank")
    ] = 16
    layers: Annotated[
        Literal["attention", "all"],
        Field(
            description="adapt the attention layers, or all of a block: feed-forward layers and "
            "convolutions too, for images that look unlike those the prior was trained on"
        ),
        Display("Layers", choices=(("attention", "Attention"), ("all", "All"))),
    ] = "attention"
    images: Annotated[
        int, Field(ge=1, description="images seen in training"), Display("Images")
    ] = 20_000
    batch_size: Annotated[
        int, Field(ge=1, le=4096, description="images per training step"), Display("Batch size")
    ] = 8
    accumulate: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="parts that each batch is computed in, one after the other, to save memory",
        ),
        Display("Parts of a batch"),
    ] = 1
    learning_rate: Annotated[
        float,
        Field(ge=1e-7, le=1.0, description="peak learning rate"),
        Display("Learning rate"),
    ] = 3e-4
    null_share: NullShare = 0.2
    held_out: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="images per class, a fifth of them at most, that are not trained on, but "
            "show how well the prior tells the classes apart before and after",
        ),
        Display("Held-out images"),
    ] = 8
    prompt: Prompt = "An image of {class}."
    fit: SquareFit = "crop"
    flip: Mirrored = True
    seed: Annotated[
        int,
        Field(
            ge=0, le=2**31 - 1, description="seed of weights, batches, noise and held-out images"
        ),
        Display("Seed"),
    ] = 0
    checkpoint_s: CheckpointSeconds = 120
    threads: Threads = 0

    @model_validator(mode="after")
    def _check_between_fields(self) -> Self:
        check_prompt(self.prompt)
        if self.batch_size % self.accumulate:
            raise SettingError(
                f"batch size must be a multiple of the parts that it is computed in, got "
                f"{self.batch_size} images in {self.accumulate} parts",
                setting="accumulate",
            )
        return self
