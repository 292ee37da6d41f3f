"""How the distilled set is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import BeforeValidator, Field

from dsel.config.base import OVERRIDE, UNLINKED, Display, Settings
from dsel.errors import SettingError

FormatName: TypeAlias = Literal[
    "folder", "parquet", "webdataset", "coco", "croissant", "csv", "rded", "sre2l", "minimax",
    "ddranking",
]  # fmt: skip
"""The names in `dsel.exports.registry.FORMATS`, in its order."""

FORMAT_NAMES: Final[tuple[FormatName, ...]] = get_args(FormatName)
FOLDER: Final = "folder"
"""The format that dsel itself reads again."""


def _in_order(names: Any) -> Any:
    """Split names at commas, and put known ones into the order of `FORMAT_NAMES`, each once."""
    if not isinstance(names, Sequence):
        return names
    parts = (names,) if isinstance(names, str) else names
    given = [one.strip() for part in parts for one in str(part).split(",")]
    if not any(given):
        raise SettingError(
            f"format must name at least one of {', '.join(FORMAT_NAMES)}, got none",
            setting="format",
        )
    unknown = [one for one in given if one not in FORMAT_NAMES]
    return (*unknown, *(name for name in FORMAT_NAMES if name in given))


class ExportSettings(Settings):
    """How the distilled set is written."""

    format: Annotated[
        tuple[FormatName, ...],
        BeforeValidator(_in_order),
        OVERRIDE,
        Field(
            description="formats to write, separated by commas; one is written directly into OUT, "
            "several each into a folder of its name"
        ),
        Display(
            "Formats",
            choices=(
                ("folder", "Image folder"), ("parquet", "Hugging Face"),
                ("webdataset", "WebDataset"), ("coco", "COCO boxes"), ("croissant", "Croissant"),
                ("csv", "CSV"), ("rded", "RDED"), ("sre2l", "SRe2L"), ("minimax", "Minimax"),
                ("ddranking", "DD-Ranking"),
            ),
            help="what the zip file contains; with several, each has a folder of its own",
        ),
    ] = (FOLDER,)  # fmt: skip
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
        Literal["png", "jpeg", "webp"],
        Field(
            description="file format of the images, where the export's format leaves the choice; "
            "PNG keeps every pixel, JPEG and WebP are smaller"
        ),
        Display("File format", choices=(("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WebP"))),
    ] = "png"
    quality: Annotated[
        int,
        OVERRIDE,
        Field(ge=1, le=100, description="quality of JPEG and WebP images; PNG has none"),
        Display("Quality"),
    ] = 90
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

    def composed(self) -> Self:
        """Return the settings that change images, with the default of what only stores them."""
        return self.replace(format=(FOLDER,))
