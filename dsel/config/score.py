"""How the prior scores each image."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dsel.config.base import Display, Settings
from dsel.config.gather import (
    DecodeLimit,
    DecodingWorkers,
    KeptSeconds,
    MeasuredKnowledge,
    RowsPerCall,
)
from dsel.config.prompts import check_prompt
from dsel.errors import SettingError


class ScoreSettings(Settings):
    """How the prior scores each image."""

    timesteps: Annotated[
        tuple[Annotated[int, Field(ge=0, le=999)], ...],
        Field(description="timesteps at which noise is predicted"),
        Display("Timesteps"),
    ] = (300, 500, 700)
    draws: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="noise samples per timestep; standard errors need 4, or 2 that are not "
            "antithetic",
        ),
        Display("Draws per timestep"),
    ] = 2
    antithetic: Annotated[
        bool,
        Field(description="draw noise in pairs of a sample and its negative"),
        Display("Antithetic noise"),
    ] = True
    most_draws: Annotated[
        int,
        Field(
            ge=0,
            le=1024,
            description="noise samples per timestep that an image may get at most: rounds of "
            "further draws go to the images on which the kept set depends; 0 gives none",
        ),
        Display("Most draws per timestep"),
    ] = 0
    keep: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="images per class whose choice further draws make steady",
        ),
        Display("Images to be steady", unit="per class"),
    ] = 10
    tolerance: Annotated[
        float,
        Field(
            ge=0.0001,
            le=0.5,
            description="accepted chance that an image that is left out is better than one that is "
            "kept in its place, by the standard errors of their scores",
        ),
        Display("Tolerance"),
    ] = 0.1
    prompt: Annotated[
        str,
        Field(description="prompt that names the class; {class} is replaced by its name"),
        Display("Prompt"),
    ] = "An image of {class}."
    null_prompt: Annotated[
        str | None,
        Field(description="prompt that names no class; by default the prompt with an empty name"),
        Display(
            "Null prompt",
            choices=((None, "Empty name"), ("", "Own text")),
            placeholder="empty",
        ),
    ] = None
    names: Annotated[
        Literal["first", "all"],
        Field(
            description="for a class with several names, use the first one, or average the "
            "prompts of all of them"
        ),
        Display("Class names", choices=(("first", "First only"), ("all", "Average of all"))),
    ] = "first"
    fit: Annotated[
        Literal["whole", "crop", "squash"],
        Field(
            description="show the prior the whole image at its own aspect ratio, its square "
            "centre crop, or the whole image squashed to a square; a prior that takes only "
            "squares gets crops"
        ),
        Display(
            "Fit",
            choices=(
                ("whole", "Whole image"), ("crop", "Centre crop"), ("squash", "Squashed"),
            ),
        ),
    ] = "whole"  # fmt: skip
    min_side_px: Annotated[
        int,
        Field(ge=1, le=4096, description="skip images whose shorter side is smaller than this"),
        Display("Smallest side", unit="px"),
    ] = 16
    noise_seed: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="seed of all noise"), Display("Noise seed")
    ] = 0
    feature_timestep: Annotated[
        int,
        Field(
            ge=0,
            le=999,
            description="diffusion features are read at the scored timestep nearest to this",
        ),
        Display("Feature timestep"),
    ] = 161
    feature_grid: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="features are stored on a square grid of this many positions per side",
        ),
        Display("Feature grid", unit="positions per side"),
    ] = 8
    feature_dim: Annotated[
        int,
        Field(
            ge=2,
            le=4096,
            description="dimensions of a stored feature, after a random projection",
        ),
        Display("Feature dimensions"),
    ] = 64
    shard_size: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="images per shard, the unit of work and of resuming",
        ),
        Display("Images per shard"),
    ] = 256
    knowledge: MeasuredKnowledge = "auto"
    rows_per_call: RowsPerCall = 0
    decoders: DecodingWorkers = 2
    decode_limit_s: DecodeLimit = 120
    keep_s: KeptSeconds = 30

    @model_validator(mode="after")
    def _check_between_fields(self) -> Self:
        if not self.timesteps:
            raise SettingError(
                "timesteps must be one number or more, got none", setting="timesteps"
            )
        if len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError(
                f"timesteps must be different numbers, got {list(self.timesteps)}",
                setting="timesteps",
            )
        self._check_draws()
        check_prompt(self.prompt)
        return self

    def _check_draws(self) -> None:
        for name in ("draws", "most_draws"):
            if self.antithetic and getattr(self, name) % 2:
                raise SettingError(
                    f"{name.replace('_', ' ')} must be even with antithetic pairs, got "
                    f"{getattr(self, name)}; use an even number or turn antithetic off",
                    setting=name,
                )
        if 0 < self.most_draws < self.draws:
            raise SettingError(
                f"most draws must be 0, or at least the {self.draws} draws that every image gets, "
                f"got {self.most_draws}",
                setting="most_draws",
            )

    @property
    def first(self) -> range:
        """The draws that every image gets."""
        return range(self.draws)

    @property
    def least_evaluations(self) -> int:
        """The evaluations of the prior that every image takes."""
        return 2 * len(self.timesteps) * self.draws

    @property
    def most_evaluations(self) -> int:
        """The evaluations of the prior that an image takes at most."""
        return 2 * len(self.timesteps) * max(self.draws, self.most_draws)

    def conditional_prompt(self, name: str) -> str:
        """The prompt that names a class."""
        return self.prompt.replace("{class}", name)

    def unconditional_prompt(self) -> str:
        """The null prompt."""
        slot_empty = self.prompt.replace("{class}", "")
        return slot_empty if self.null_prompt is None else self.null_prompt
