"""Which patches are located, clustered, ranked and kept."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dsel.config.base import OVERRIDE, Display, Settings
from dsel.config.overrides import Overrides
from dsel.errors import SettingError


class SelectSettings(Settings):
    """Which patches are cut, and which of them are kept."""

    patch_px: Annotated[
        int,
        Field(
            ge=0,
            le=8192,
            description="side of the patch, in pixels of the image as the prior saw it; 0 is half "
            "of the shorter side",
        ),
        Display("Patch size", unit="px"),
    ] = 0
    stride_px: Annotated[
        int,
        Field(
            ge=0, le=8192, description="step between candidate boxes; 0 is one cell of the prior"
        ),
        Display("Stride", unit="px"),
    ] = 0
    per_image: Annotated[
        int,
        Field(ge=1, le=64, description="patches per image, not overlapping"),
        Display("Patches per image"),
    ] = 1
    timesteps: Annotated[
        tuple[Annotated[int, Field(ge=0, le=999)], ...],
        Field(description="scored timesteps to average over; empty uses all"),
        Display("Timesteps"),
    ] = ()
    gap: Annotated[
        Literal["positive", "signed"],
        Field(
            description="count only cells where naming the class helps (positive), or let cells "
            "where it misleads cancel them (signed)"
        ),
        Display("Gap", choices=(("positive", "Positive only"), ("signed", "Signed"))),
    ] = "positive"
    features: Annotated[
        Literal["free", "reencode", "clip"],
        Field(
            description="what patches are clustered by: activations kept from scoring (free), "
            "the cut patch encoded by the prior again (reencode), or the features of an image "
            "model (clip)"
        ),
        Display(
            "Features",
            choices=(
                ("free", "From scoring"), ("reencode", "Encoded again"), ("clip", "Image model"),
            ),
        ),
    ] = "free"  # fmt: skip
    feature_model: Annotated[
        str,
        Field(
            description="image model of transformers for the clip features (CLIP, SigLIP, "
            "DINOv2): folder or Hub id"
        ),
        Display("Image model"),
    ] = ""
    clusters: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="k-means clusters per class (k); 0 is as many as images per class",
        ),
        Display("Clusters (k)", unit="per class"),
    ] = 0
    discriminative_share: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="fit the clusters to this share of a class's patches, the most "
            "discriminative ones; the others join the nearest cluster. Below 1 the kept patches "
            "are more discriminative and less sensitive to noise, but less varied",
        ),
        Display("Patches used for clustering"),
    ] = 1.0
    ipc: Annotated[
        int,
        Field(ge=1, le=100_000, description="images per class (IPC) in the distilled set"),
        Display("IPC", unit="images per class"),
    ] = 10
    within: Annotated[
        Literal["score", "centroid"],
        Field(
            description="order within a cluster: highest score first, or nearest to the centroid "
            "first"
        ),
        Display(
            "Ranking within clusters",
            choices=(("score", "Highest score"), ("centroid", "Most central")),
        ),
    ] = "score"
    across: Annotated[
        Literal["round-robin", "pooled"],
        Field(
            description="order across clusters: one patch of each cluster in turn, or all patches "
            "pooled regardless of cluster"
        ),
        Display(
            "Ranking across clusters",
            choices=(("round-robin", "Clusters in turn"), ("pooled", "Pooled")),
        ),
    ] = "round-robin"
    factor: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="patches per side of a distilled image: 1 is one patch, 2 a 2 x 2 mosaic",
        ),
        Display("Mosaic", choices=((1, "Single"), *((n, f"{n} × {n}") for n in range(2, 9)))),
    ] = 1
    pins: Annotated[
        tuple[str, ...],
        OVERRIDE,
        Field(description="ids of images whose patch is kept first in its class, in this order"),
        Display("Pinned"),
    ] = ()
    bans: Annotated[
        tuple[str, ...],
        OVERRIDE,
        Field(description="ids of images that are never kept"),
        Display("Banned"),
    ] = ()
    moves: Annotated[
        tuple[str, ...],
        OVERRIDE,
        Field(
            description="boxes moved by hand, as ID@X,Y: the top left corner in pixels of the "
            "image as the prior saw it, such as cat/1.png@16,24"
        ),
        Display("Moved by hand"),
    ] = ()

    @model_validator(mode="after")
    def _check_between_fields(self) -> Self:
        if (self.features == "clip") != bool(self.feature_model):
            raise SettingError(
                f"--features clip and --feature-model go together, got {self.features!r} and "
                f"{self.feature_model!r}",
                setting="feature_model",
            )
        if len(set(self.timesteps)) != len(self.timesteps):
            raise SettingError(
                "timesteps must be different numbers, got one of them twice", setting="timesteps"
            )
        _ = self.overrides  # which checks them
        return self

    @property
    def k(self) -> int:
        """The number of clusters per class."""
        return self.clusters or self.ipc

    @property
    def overrides(self) -> Overrides:
        """The decisions by hand."""
        return Overrides(self.pins, self.bans, self.moves)
