"""Which patches are located, clustered, ranked and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from typing_extensions import Doc

from dsel.config.base import OVERRIDE, Range, Settings
from dsel.config.overrides import Overrides
from dsel.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class SelectSettings(Settings):
    """Which patches are cut, and which of them stay."""

    patch_px: Annotated[
        int,
        Doc("side of the patch, in pixels of the picture as the prior saw it; 0 is half"),
        Range(0, 8192),
    ] = 0
    stride_px: Annotated[
        int, Doc("step between candidate boxes; 0 is one cell of the prior"), Range(0, 8192)
    ] = 0
    per_image: Annotated[int, Doc("patches per image, not overlapping"), Range(1, 64)] = 1
    timesteps: Annotated[
        tuple[int, ...], Doc("scored timesteps that count; empty counts all of them"), Range(0, 999)
    ] = ()
    gap: Annotated[
        Literal["positive", "signed"],
        Doc(
            "count only cells where naming the class helps (positive), or let those where it "
            "misleads cancel them (signed)"
        ),
    ] = "positive"
    features: Annotated[
        Literal["free", "reencode", "clip"],
        Doc(
            "what patches are clustered by: activations kept from scoring, the cut patch shown to "
            "the prior once more, or an image model's features (--feature-model)"
        ),
    ] = "free"
    feature_model: Annotated[
        str, Doc("image model of transformers for --features clip (CLIP, SigLIP, DINOv2): "
                 "folder or Hub id")
    ] = ""  # fmt: skip
    clusters: Annotated[
        int, Doc("k-means clusters per class (k); 0 takes as many as IPC"), Range(0, 10_000)
    ] = 0
    discriminative_share: Annotated[
        float,
        Doc(
            "find clusters among this share of a class's patches, the most discriminative ones; "
            "the others join the nearest cluster. Below 1 the kept patches are more discriminative "
            "and less sensitive to noise, but less varied"
        ),
        Range(0.0, 1.0),
    ] = 1.0
    ipc: Annotated[int, Doc("images per class in the distilled set"), Range(1, 100_000)] = 10
    within: Annotated[
        Literal["score", "centroid"],
        Doc("order inside a cluster: highest score first, or nearest to the centroid first"),
    ] = "score"
    across: Annotated[
        Literal["round-robin", "pooled"],
        Doc(
            "order over clusters: one of each cluster in turn, or all pooled regardless of cluster"
        ),
    ] = "round-robin"
    factor: Annotated[
        int,
        Doc("patches per side of a distilled image: 1 is one patch, 2 a 2 x 2 mosaic"),
        Range(1, 8),
    ] = 1
    pins: Annotated[
        tuple[str, ...], OVERRIDE,
        Doc("ids of images whose patch is kept first in its class, in this order"),
    ] = ()  # fmt: skip
    bans: Annotated[tuple[str, ...], OVERRIDE, Doc("ids of images that are never kept")] = ()
    moves: Annotated[
        tuple[str, ...], OVERRIDE,
        Doc("boxes given by hand, as ID@X,Y: the corner in pixels of the picture as the prior saw "
            "it, such as cat/1.png@16,24"),
    ] = ()  # fmt: skip

    def __post_init__(self) -> None:
        """Check ranges, and what holds between fields."""
        super().__post_init__()
        if (self.features == "clip") != bool(self.feature_model):
            raise SettingError(
                f"--features clip and --feature-model go together, got {self.features!r} and "
                f"{self.feature_model!r}"
            )
        if len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError("timesteps must be different numbers, got one of them twice")
        _ = self.overrides  # which checks them

    @property
    def k(self) -> int:
        """The number of clusters asked for per class."""
        return self.clusters or self.ipc

    @property
    def overrides(self) -> Overrides:
        """What was decided by hand."""
        return Overrides(self.pins, self.bans, self.moves)

    def with_overrides(self, overrides: Overrides) -> SelectSettings:
        """The same settings with these decisions by hand."""
        return replace(self, pins=overrides.pins, bans=overrides.bans, moves=overrides.moves)
