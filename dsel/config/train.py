"""How a small prior is trained from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.config.base import SPEED, Range, Settings
from dsel.config.prompts import check_prompt
from dsel.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Settings):
    """How a small prior is trained from scratch."""

    resolution_px: Annotated[
        int, Doc("side of the pictures that the prior sees"), Range(16, 512)
    ] = 128
    cells: Annotated[int, Doc("latent cells per side"), Range(4, 64)] = 16
    latent_channels: Annotated[int, Doc("channels of a latent"), Range(1, 64)] = 8
    widths: Annotated[tuple[int, ...], Doc("channels of the U-Net's levels"), Range(16, 2048)] = (
        64,
        96,
        160,
    )
    autoencoder_images: Annotated[
        int, Doc("images seen while the autoencoder is trained"), Range(1)
    ] = 20_000
    images: Annotated[
        int, Doc("images seen while the U-Net and text encoder are trained"), Range(1)
    ] = 200_000
    batch_size: Annotated[int, Doc("images per training step"), Range(1, 65_536)] = 64
    learning_rate: Annotated[float, Doc("peak learning rate of the U-Net"), Range(1e-7, 1.0)] = 5e-4
    null_share: Annotated[
        float, Doc("share of the images trained with a null prompt"), Range(0.0, 0.9)
    ] = 0.2
    ema_decay: Annotated[
        float, Doc("decay of the moving average of the weights"), Range(0.0, 0.99999)
    ] = 0.999
    prompt: Annotated[str, Doc("prompt that names the class; {class} is replaced by its name")] = (
        "An image of {class}."
    )
    fit: Annotated[
        Literal["crop", "squash"],
        Doc("make a picture square by its centre crop, or by squashing the whole of it"),
    ] = "crop"
    flip: Annotated[bool, Doc("train on mirrored pictures too")] = True
    seed: Annotated[int, Doc("seed of weights, batches and noise"), Range(0, 2**31 - 1)] = 0
    checkpoint_s: Annotated[int, SPEED, Doc("seconds between checkpoints"), Range(1)] = 120
    threads: Annotated[int, SPEED, Doc("processor threads; 0 takes all"), Range(0, 1024)] = 0

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        check_prompt(self.prompt)
        cell_px, rest = divmod(self.resolution_px, self.cells)
        if rest or cell_px & (cell_px - 1):
            raise SettingError(
                f"resolution px must be cells times a power of two, got {self.resolution_px} px "
                f"with {self.cells} cells; {self.cells * 8} would be right"
            )
        if len(self.widths) < 2 or any(width % 16 for width in self.widths):
            raise SettingError(
                f"widths must be two or more multiples of 16, got {list(self.widths)}; "
                "64 96 160 would be right"
            )

    @property
    def cell_px(self) -> int:
        """Image pixels per latent cell."""
        return self.resolution_px // self.cells
