"""How the prior looks at each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.config.base import SPEED, Range, Settings
from dsel.config.prompts import check_prompt
from dsel.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(Settings):
    """How the prior looks at each image."""

    timesteps: Annotated[
        tuple[int, ...], Doc("timesteps at which noise is predicted"), Range(0, 999)
    ] = (200, 300, 400, 500, 600, 700)
    draws: Annotated[int, Doc("noise samples per timestep"), Range(1, 1024)] = 4
    antithetic: Annotated[bool, Doc("draw noise in pairs of a sample and its negative")] = True
    refine: Annotated[
        float,
        Doc(
            "score all images with the first draws, then spend the remaining ones on this share of "
            "each class, the most promising; 0 gives all draws to all images"
        ),
        Range(0.0, 1.0),
    ] = 0.0
    first_draws: Annotated[
        int, Doc("draws that every image gets where --refine is set"), Range(1, 1024)
    ] = 2
    prompt: Annotated[str, Doc("prompt that names the class; {class} is replaced by its name")] = (
        "An image of {class}."
    )
    null_prompt: Annotated[
        str | None, Doc("prompt that names no class; None is the prompt with an empty slot")
    ] = None
    names: Annotated[
        Literal["first", "all"],
        Doc("of a class with several names, use the first, or average the prompts of all of them"),
    ] = "first"
    fit: Annotated[
        Literal["whole", "crop", "squash"],
        Doc(
            "show the prior the whole picture at its own aspect ratio, its square centre crop, or "
            "all of it squashed to a square; a prior that sees squares only crops"
        ),
    ] = "whole"
    min_side_px: Annotated[
        int, Doc("skip images whose shorter side is smaller than this"), Range(1, 4096)
    ] = 16
    noise_seed: Annotated[int, Doc("seed of all noise"), Range(0, 2**31 - 1)] = 0
    feature_timestep: Annotated[
        int, Doc("diffusion features are read at the scored timestep nearest to this"),
        Range(0, 999),
    ] = 161  # fmt: skip
    feature_grid: Annotated[
        int, Doc("features are stored on a grid of this many positions a side"), Range(1, 64)
    ] = 8
    feature_dim: Annotated[
        int, Doc("dimensions of a stored feature, after a random projection"), Range(2, 4096)
    ] = 64
    shard_size: Annotated[
        int, Doc("images per shard, the unit of work and of resume"), Range(1, 100_000)
    ] = 256
    rows_per_call: Annotated[
        int, SPEED, Doc("most noised latents in one call of the prior; 0 finds the best by trying"),
        Range(0, 8192),
    ] = 0  # fmt: skip
    decoders: Annotated[
        int, SPEED, Doc("workers that decode pictures ahead of the prior"), Range(1, 256)
    ] = 2

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        if not self.timesteps or len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError(f"timesteps must be different numbers, got {list(self.timesteps)}")
        if self.antithetic and self.draws % 2:
            raise SettingError(
                f"draws must be even with antithetic pairs, got {self.draws}; "
                "use an even number or turn antithetic off"
            )
        if self.refine and self.first_draws >= self.draws:
            raise SettingError(
                f"first draws must be fewer than draws, got {self.first_draws} of {self.draws}; "
                "raise --draws"
            )
        check_prompt(self.prompt)

    @property
    def first(self) -> range:
        """The draws that every image gets."""
        return range(self.first_draws if self.refine else self.draws)

    @property
    def further(self) -> range:
        """The draws that the most promising images get besides."""
        return range(self.first_draws, self.draws)

    def conditional_prompt(self, name: str) -> str:
        """The prompt that names a class."""
        return self.prompt.replace("{class}", name)

    def unconditional_prompt(self) -> str:
        """The prompt that names none."""
        slot_empty = self.prompt.replace("{class}", "")
        return slot_empty if self.null_prompt is None else self.null_prompt
