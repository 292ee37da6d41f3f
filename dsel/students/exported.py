"""An exported set, read back: its images, the tiles of mosaics, a teacher's labels."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from dsel.checksums import check_listed, damaged, reading
from dsel.config.export import FOLDER
from dsel.core.cut_boxes import TileScale
from dsel.data.images import crop, decode
from dsel.errors import DamageError, SourceError, UnreadableImage
from dsel.exports.base import CHECKSUMS, FORMAT, MANIFEST
from dsel.files import fields_in
from dsel.students.label_file import LABELS, SoftLabels, read_labels
from dsel.students.records import LabelledImages
from dsel.students.unpack import unpack_tile
from dsel.types import Box, Pixels

AGAIN: Final = "export the set again"


@dataclass(frozen=True, slots=True)
class ExportedTile:
    """A tile of a distilled image; see `dsel.students.unpack.PlacedTile`."""

    box: Box
    native_px: float


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image of the set: its file below the export's folder, its class, its tiles row by row.

    checksum: the SHA-256 of the file.
    """

    file: str
    class_index: int
    tiles: tuple[ExportedTile, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class ExportedSet:
    """A complete export; image_px is the side of its images."""

    path: Path
    manifest: Mapping[str, Any]
    classes: tuple[str, ...]
    image_px: int
    tile_scale: TileScale
    images: tuple[ExportedImage, ...]

    @property
    def tiles_per_image(self) -> int:
        """The number of tiles of each image, 1 for single images."""
        return len(self.images[0].tiles) if self.images else 1

    def read(self, number: int) -> Pixels:
        """Decode one image; raises `SourceError` for one that is missing, damaged or another."""
        image, side = self.images[number], self.image_px
        path = self.path / image.file
        try:
            pixels = decode(check_listed(path, image.checksum, AGAIN))
        except DamageError as error:
            raise SourceError(str(error)) from error
        except UnreadableImage as reason:
            raise SourceError(f"{path} {reason}: {AGAIN}") from reason
        if pixels.shape[:2] != (side, side):
            raise SourceError(f"{path} is not {side} x {side} px: export the set again")
        return pixels

    @property
    def is_labelled(self) -> bool:
        """Whether a teacher's labels are stored with the images."""
        return (self.path / LABELS).is_file()

    @property
    def has_crop_labels(self) -> bool:
        """Whether they were made for random crops, too."""
        return self.is_labelled and bool(self.manifest["export"].get("label_crops"))

    def soft_labels(self, unpack: bool, crops: bool = False) -> SoftLabels:
        """Read a teacher's labels of the tiles, or of the images as they are.

        Raises `SourceError` for an export without them, or without those of crops if asked for.
        """
        if not self.is_labelled:
            raise SourceError(f"{self.path} has no soft labels: export the set with --teacher")
        soft = read_labels(self.path / LABELS, "tiles" if unpack else "images", crops)
        pictures = len(self.images) * (self.tiles_per_image if unpack else 1)
        if not _fits(soft, pictures, len(self.classes)):
            raise SourceError(f"{self.path / LABELS} does not fit the images: export the set again")
        return soft


def _fits(soft: SoftLabels, pictures: int, classes: int) -> bool:
    """Whether labels are those of so many pictures and classes, with at least one crop of each."""
    if soft.probabilities.shape != (pictures, classes):
        return False
    crops = soft.crops
    if crops is None:
        return True
    number = crops.flips.size // max(1, pictures)
    shapes = (crops.probabilities.shape, crops.boxes.shape, crops.flips.shape)
    wanted = ((pictures, number, classes), (pictures, number, 4), (pictures, number))
    return number > 0 and shapes == wanted


def read_export(out: Path) -> ExportedSet:
    """Open the image folder of an export, which may be one format of several.

    Raises `SourceError` for a folder that is not a complete export of this version's format.
    """
    out = image_folder_of(out)
    try:
        record = read_manifest(out)
    except DamageError as error:
        raise SourceError(str(error)) from error
    try:
        (name,) = record["export"]["format"]
        if name != FOLDER:
            raise SourceError(
                f"{out} is an export in the format {name}, and dsel reads image folders: export "
                f"the set with --format {FOLDER}"
            )
        return _exported(out, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"{out / MANIFEST} is damaged: it lacks what describes the images; {AGAIN}"
        ) from error


def image_folder_of(out: Path) -> Path:
    """Return the image folder of an export in several formats; else the export itself."""
    inside = out / FOLDER
    is_one_of_several = (inside / MANIFEST).is_file() and not (out / MANIFEST).exists()
    return inside if is_one_of_several else out


def labelled_images(exported: ExportedSet, image_px: int, unpack: bool) -> LabelledImages:
    """Return the images of an export at a side of `image_px`, or 0 for their own.

    unpack: the tiles of mosaics as images of their own, in the order of the images, row by row.
    """
    side = image_px or exported.image_px
    rows = list(_pictures(exported, side, unpack))
    tiles = exported.tiles_per_image if unpack else 1
    labels = np.array([image.class_index for image in exported.images], np.int64).repeat(tiles)
    images = np.stack(rows) if rows else np.zeros((0, side, side, 3), np.uint8)
    if not exported.is_labelled:
        return LabelledImages(images, labels)
    soft = exported.soft_labels(unpack, crops=exported.has_crop_labels)
    return LabelledImages(images, labels, soft.probabilities, soft.crops)


def _pictures(exported: ExportedSet, side_px: int, unpack: bool) -> Iterator[Pixels]:
    for number, image in enumerate(exported.images):
        pixels = exported.read(number)
        if unpack:
            for tile in image.tiles:
                yield unpack_tile(pixels, tile, side_px, exported.tile_scale)
        else:
            yield resized(pixels, side_px)


def resized(pixels: Pixels, side_px: int) -> Pixels:
    """Resample a square image to another side."""
    return crop(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]), side_px, side_px)


def read_image(path: Path) -> Pixels:
    """Decode an image of an export; raises `SourceError` for one that cannot be read."""
    try:
        return decode(path)
    except UnreadableImage as reason:
        raise SourceError(f"{path} {reason}: {AGAIN}") from reason


def image_tiles(entry: Mapping[str, Any]) -> tuple[ExportedTile, ...]:
    """Return the tiles of an image from its entry in the manifest."""
    return tuple(
        ExportedTile(Box(**patch["tile_box"]), float(patch["native_px"]))
        for patch in entry["patches"]
    )


def read_manifest(out: Path) -> Mapping[str, Any]:
    """Read the manifest of a complete export.

    Raises `DamageError` for a damaged one, and `SourceError` for one of another format, and for a
    folder that is not an export or not finished.
    """
    if out.is_file():
        raise SourceError(f"{out} is a file: give the folder of an export; unpack a zip file first")
    path = out / MANIFEST
    if not path.exists():
        raise SourceError(f"{out} is not an export of dsel: it has no {MANIFEST}")
    with reading(path, AGAIN):
        content = path.read_bytes()
    return manifest_in(content, path)


def manifest_in(content: bytes, path: Path) -> Mapping[str, Any]:
    """Return the manifest with this content, read from `path`; raises like `read_manifest`."""
    try:
        found = json.loads(content)["format"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise damaged(path, "it is not the manifest of an export", AGAIN) from error
    if found != FORMAT:  # before the checksum, which earlier formats do not have
        raise SourceError(
            f"{path.parent} has the format {found!r:.60}, and this version of dsel reads "
            f"{FORMAT!r}: {AGAIN}"
        )
    record = fields_in(content, path, AGAIN)
    if record.get("complete") is not True:
        raise SourceError(f"{path.parent} is not finished: run the same export again")
    if not isinstance(record.get(CHECKSUMS), dict):
        raise damaged(path, "it has no checksums of files", AGAIN)
    return record


def _exported(out: Path, record: Mapping[str, Any]) -> ExportedSet:
    classes = tuple(map(str, record["classes"]))
    index = {name: number for number, name in enumerate(classes)}
    images = tuple(
        ExportedImage(
            inside(entry["file"]),
            index[entry["class"]],
            image_tiles(entry),
            str(record[CHECKSUMS][entry["file"]]),
        )
        for entry in record["images"]
    )
    image_px = int(record["export"]["image_px"])
    _check_tiles(images, image_px)
    scale = record["select"]["tile_scale"]
    return ExportedSet(
        path=out,
        manifest=record,
        classes=classes,
        image_px=image_px,
        tile_scale="native" if scale == "native" else "fit",
        images=images,
    )


def _check_tiles(images: Sequence[ExportedImage], image_px: int) -> None:
    """Raise `ValueError` unless all images have as many tiles, each of at least a pixel of them."""
    counts = {len(image.tiles) for image in images}
    if len(counts) > 1 or 0 in counts:
        raise ValueError("images differ in their number of tiles, or have none")
    for tile in (tile for image in images for tile in image.tiles):
        spans = (tile.box.x, tile.box.width), (tile.box.y, tile.box.height)
        inside = all(x >= 0 and length >= 1 and x + length <= image_px for x, length in spans)
        if not (inside and 0 < tile.native_px < math.inf):
            raise ValueError("a tile is not inside of its image")


def inside(file: str) -> str:
    """Return the path of a file, which must be in the export: other people may have made it."""
    path = PurePosixPath(file)
    if ".." in path.parts or path.is_absolute() or "\\" in file:
        raise ValueError(f"{file} is outside of the export")
    return file
