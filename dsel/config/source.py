"""Which images of a source are used."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dsel.config.base import Display, Settings


class SourceSettings(Settings):
    """Which images of a source are used."""

    split: Annotated[
        str,
        Field(
            description="split folder of the source, such as train; empty detects one if it "
            "exists, and none reads the folders as classes, whatever their names"
        ),
        Display("Split folder", placeholder="detected"),
    ] = ""
    classes: Annotated[
        tuple[str, ...],
        Field(description="use only these classes; empty uses all of them"),
        Display("Only these classes", placeholder="one per line; empty uses all"),
    ] = ()
    per_class: Annotated[
        int,
        Field(
            ge=0,
            description="use at most this many images of each class; 0 uses all (toybox: 100)",
        ),
        Display("Most per class", unit="images"),
    ] = 0
    scene_seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="seed of the toybox scenes"),
        Display("Scene seed"),
    ] = 0
    sample_seed: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**31 - 1,
            description="with per class: seed of a random sample of each class; empty takes the "
            "first images by name",
        ),
        Display("Sample seed", placeholder="the first by name"),
    ] = None
    subset: Annotated[
        str,
        Field(
            description="configuration of a Hugging Face dataset that has several; empty uses the "
            "only one"
        ),
        Display("Subset", placeholder="the only one"),
    ] = ""
    image_column: Annotated[
        str,
        Field(
            description="column of the images in Parquet files and Hugging Face datasets, or "
            "their extension in tar files; empty detects it"
        ),
        Display("Image column", placeholder="detected"),
    ] = ""
    label_column: Annotated[
        str,
        Field(
            description="column of the classes in metadata files, Parquet files and Hugging Face "
            "datasets, or extension or JSON field in tar files; empty detects it, and none reads "
            "the class folders beside a metadata file or in the names of tar files"
        ),
        Display("Label column", placeholder="detected"),
    ] = ""
    max_megapixels: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="refuse image files of more megapixels than this before they are decoded",
        ),
        Display("Largest image", unit="megapixels"),
    ] = 100

    @property
    def max_px(self) -> int:
        """The largest image in pixels."""
        return self.max_megapixels * 1_000_000
