"""How a small prior is trained from scratch."""

from __future__ import annotations

from typing import Annotated, Self

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


class TrainSettings(Settings):
    """How a small prior is trained from scratch."""

    resolution_px: Annotated[
        int,
        Field(ge=16, le=512, description="side of the images that the prior sees"),
        Display("Resolution", unit="px"),
    ] = 128
    cells: Annotated[
        int,
        Field(ge=4, le=64, description="latent cells per side"),
        Display("Cells", unit="per side"),
    ] = 16
    latent_channels: Annotated[
        int, Field(ge=1, le=64, description="channels of a latent"), Display("Latent channels")
    ] = 8
    widths: Annotated[
        tuple[Annotated[int, Field(ge=16, le=2048)], ...],
        Field(description="channels of the U-Net's levels"),
        Display("Widths"),
    ] = (64, 96, 160)
    autoencoder_images: Annotated[
        int,
        Field(ge=1, description="images seen while the autoencoder is trained"),
        Display("Autoencoder images"),
    ] = 20_000
    images: Annotated[
        int,
        Field(ge=1, description="images seen while the U-Net and text encoder are trained"),
        Display("Images"),
    ] = 200_000
    batch_size: Annotated[
        int, Field(ge=1, le=65_536, description="images per training step"), Display("Batch size")
    ] = 64
    learning_rate: Annotated[
        float,
        Field(ge=1e-7, le=1.0, description="peak learning rate of the U-Net"),
        Display("Learning rate"),
    ] = 5e-4
    null_share: NullShare = 0.2
    ema_decay: Annotated[
        float,
        Field(ge=0.0, le=0.99999, description="decay of the moving average of the weights"),
        Display("EMA decay"),
    ] = 0.999
    prompt: Prompt = "An image of {class}."
    fit: SquareFit = "crop"
    flip: Mirrored = True
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="seed of weights, batches and noise"),
        Display("Seed"),
    ] = 0
    checkpoint_s: CheckpointSeconds = 120
    threads: Threads = 0

    @model_validator(mode="after")
    def _check_between_fields(self) -> Self:
        check_prompt(self.prompt)
        cell_px, rest = divmod(self.resolution_px, self.cells)
        if rest or cell_px & (cell_px - 1):
            raise SettingError(
                f"resolution px must be cells times a power of two, got {self.resolution_px} px "
                f"with {self.cells} cells; {self.cells * 8} would be right",
                setting="resolution_px",
            )
        if len(self.widths) < 2 or any(width % 16 for width in self.widths):
            raise SettingError(
                f"widths must be two or more multiples of 16, got {list(self.widths)}; "
                "64 96 160 would be right",
                setting="widths",
            )
        return self

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""
        return self.resolution_px // self.cells
