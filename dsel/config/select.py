"""Which patches are located, clustered, ranked and kept, and what is cut around them."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from dsel.config.base import OVERRIDE, Display, Settings
from dsel.config.overrides import Overrides
from dsel.errors import SettingError

BaselineName: TypeAlias = Literal[
    "none", "random-whole", "random-crop", "centre-crop", "no-clusters", "kmeans-nearest",
    "herding", "facility-location", "rded", "easiest", "hardest", "largest-object",
]  # fmt: skip
"""The names in `dsel.core.baselines.registry.BASELINES`; `none` is dsel's own ranking."""


class SelectSettings(Settings):
    """Which patches are located, which of them are kept, and what is cut around them."""

    patch_px: Annotated[
        int,
        Field(
            ge=0,
            le=8192,
            description="side of the patch, in pixels of the image as the prior saw it; 0 is half "
            "of the shorter side",
        ),
        Display(
            "Patch size",
            unit="px",
            help="side of the patch, in pixels of the image as the prior saw it; the mark is half "
            "of the shorter side",
        ),
    ] = 0
    stride_px: Annotated[
        int,
        Field(
            ge=0, le=8192, description="step between candidate boxes; 0 is one cell of the prior"
        ),
        Display(
            "Stride",
            unit="px",
            help="step between candidate boxes; the mark is one cell of the prior",
        ),
    ] = 0
    per_image: Annotated[
        int,
        Field(ge=1, le=64, description="patches per image, not overlapping"),
        Display("Patches per image"),
    ] = 1
    timesteps: Annotated[
        tuple[Annotated[int, Field(ge=0, le=999)], ...],
        Field(description="scored timesteps to average over; empty uses all"),
        Display(
            "Timesteps",
            help="scored timesteps to average over: one of them, or all between two",
        ),
    ] = ()
    locate: Annotated[
        Literal["positive", "difference", "signed"],
        Field(
            description="map whose mean inside the patch is largest: how much naming the class "
            "changes the prediction (difference), or the gap, of cells where naming the class "
            "helps (positive), or of all, so that cells where it misleads cancel them (signed); "
            "it never ranks"
        ),
        Display(
            "Locate by",
            choices=(
                ("positive", "Positive"),
                ("difference", "Difference"),
                ("signed", "Signed"),
            ),
        ),
    ] = "positive"
    smooth: Annotated[
        float,
        Field(
            ge=0.0,
            le=16.0,
            description="standard deviation, in cells of the prior, of the Gaussian that smooths "
            "the map before the patch is located; 0 does not smooth. Scores are not smoothed",
        ),
        Display("Smooth", unit="cells"),
    ] = 0.0
    score: Annotated[
        Literal["signed", "positive"],
        Field(
            description="cells that count in scores: all (signed), or only those where naming the "
            "class helps (positive)"
        ),
        Display("Score by", choices=(("signed", "Signed gap"), ("positive", "Positive gap"))),
    ] = "signed"
    rank_by: Annotated[
        Literal["patch", "picture"],
        Field(
            description="score that ranks: the mean gap inside the patch, or over the whole picture"
        ),
        Display("Rank by", choices=(("patch", "Patch"), ("picture", "Whole picture"))),
    ] = "picture"
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
        Display(
            "Clusters (k)",
            unit="per class",
            help="k-means clusters per class (k); as many as images per class unless you set "
            "another number",
        ),
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
        Display(
            "Patches used for clustering",
            help="fit the clusters to the top patches of a class, the most discriminative ones; "
            "the others join the nearest cluster. With fewer than all, the kept patches are more "
            "discriminative and less sensitive to noise, but less varied",
        ),
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
            choices=(
                ("score", "Score"),
                ("centroid", "Central"),
            ),
            help="order within a cluster: highest score first (Score), or nearest to the centroid "
            "first (Central)",
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
    drop_lowest: Annotated[
        float,
        Field(
            ge=0.0,
            le=0.95,
            description="share of a class's patches, those with the lowest scores, that is left "
            "out before ranking; pinned ones stay",
        ),
        Display("Drop lowest"),
    ] = 0.0
    cut: Annotated[
        Literal["patch", "context", "whole"],
        Field(
            description="what is exported: the patch, a larger square around it (context), or the "
            "largest square of the picture that holds it (whole)"
        ),
        Display(
            "Cut",
            choices=(("patch", "Patch"), ("context", "Context"), ("whole", "Whole picture")),
        ),
    ] = "whole"
    context: Annotated[
        float,
        Field(ge=1.0, le=8.0, description="side of a context cut, in sides of the patch"),
        Display("Context", unit="× patch"),
    ] = 1.5
    factor: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="cuts per side of a distilled image: 1 is one cut, 2 a 2 x 2 mosaic",
        ),
        Display(
            "Mosaic",
            choices=((1, "Single"), *((n, f"{n} × {n}") for n in range(2, 9))),
            help="cuts of a distilled image: one (Single), or a mosaic of several from one cluster",
        ),
    ] = 1
    tile_scale: Annotated[
        Literal["fit", "native"],
        Field(
            description="size of a cut in its tile: enlarged to fill it (fit), or never enlarged "
            "beyond the scale of its picture, with its edges extended (native)"
        ),
        Display(
            "Tile scale",
            choices=(("fit", "Fill the tile"), ("native", "As in the picture")),
            help="size of a cut in its tile: enlarged to fill the tile, or never enlarged beyond "
            "the scale of its picture, with its edges extended",
        ),
    ] = "fit"
    baseline: Annotated[
        BaselineName,
        Field(
            description="select by a baseline instead, from the same images and at the same "
            "budget; pinned images are then not kept first"
        ),
        Display("Baseline", choices=(("none", "None"),)),
    ] = "none"
    baseline_seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="seed of a baseline that draws at random"),
        Display("Baseline's seed"),
    ] = 0
    teacher: Annotated[
        str,
        Field(
            description="classifier for the baselines that ask one: folder that dsel teach saved, "
            "or folder or Hub id of an image classifier of transformers"
        ),
        Display("Teacher"),
    ] = ""
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
