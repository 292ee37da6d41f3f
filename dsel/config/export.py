"""How the distilled set is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dsel.config.base import UNLINKED, Display, Settings


class ExportSettings(Settings):
    """How the distilled set is written."""

    image_px: Annotated[
        int,
        Field(ge=0, le=8192, description="side of a distilled image; 0 is the prior's resolution"),
        Display(
            "Image size",
            unit="px",
            help="side of a distilled image; the prior's resolution unless you set another one",
        ),
    ] = 0
    file_format: Annotated[
        Literal["png", "jpeg"],
        Field(description="file format of the images; PNG keeps every pixel, JPEG is smaller"),
        Display("File format", choices=(("png", "PNG"), ("jpeg", "JPEG"))),
    ] = "png"
    pixels: Annotated[
        Literal["auto", "source", "proxy"],
        Field(
            description="cut from the source's own pixels, or from the run's proxies, the images "
            "as the prior saw them; auto uses the source if it is available"
        ),
        Display(
            "Pixels",
            choices=(
                ("auto", "Source if available"), ("source", "Source"), ("proxy", "Proxies"),
            ),
            help="cut from the source's own pixels, or from the run's proxies, the images as the "
            "prior saw them",
        ),
    ] = "auto"  # fmt: skip
    teacher: Annotated[
        str,
        UNLINKED,
        Field(
            description="classifier that gives soft labels: an export writes them beside the "
            "images, an evaluation trains the soft recipe on them; folder that dsel teach saved, "
            "or folder or Hub id of an image classifier of transformers"
        ),
        Display("Teacher"),
    ] = ""
    label_crops: Annotated[
        int,
        UNLINKED,
        Field(
            ge=0,
            le=10_000,
            description="random crops of each image that the teacher labels, too, with their boxes",
        ),
        Display("Labelled crops", unit="per image"),
    ] = 0
