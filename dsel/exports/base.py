"""What every export format shares: the export record, the claim on its folder, the manifest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from dsel.checksums import BLANK, FIELD, seal
from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import fingerprint
from dsel.config.export import FormatName
from dsel.config.overrides import Overrides
from dsel.core.composing import Canvas
from dsel.errors import RunError, StorageError, storage_errors
from dsel.files import (
    json_bytes,
    read_fields,
    remove_partial_files,
    validated,
    write_atomically,
)
from dsel.locks import LOCK
from dsel.runs.evaluations import Evaluation
from dsel.runs.schema import box_columns
from dsel.types import ClassSelection, Distilled, Tile

MANIFEST = "manifest.json"
FORMAT = "dsel export 5"
CHECKSUMS = "checksums"
IMAGES_MARK = "images"
LONGEST_NAME_BYTES = 160
"""Longest name of a class folder: file systems allow 255, and images add a number and a suffix."""
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
CHOSEN = "chosen"
"""The fact that lists the ids of images that were chosen one by one, where they were."""

NAMING_FACTS = ("dsel", "run", "selection", CHOSEN)
"""Facts that enter the fingerprint; the source's location and library versions do not."""


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that determines an exported set.

    folders: the name of each class's folder in the export. canvas: the form of its images. pixels:
    "source" or "proxy". facts: the run, prior and versions, which the manifest records.
    picture_sizes: width and height in pixels of the upright sources of the exported patches, by
    image id; evaluation: what students scored on this selection. Some formats write these; neither
    names the export.
    """

    classes: tuple[str, ...]
    folders: tuple[str, ...]
    selections: Sequence[ClassSelection]
    select: SelectSettings
    settings: ExportSettings
    canvas: Canvas
    pixels: str
    facts: Mapping[str, Any]
    picture_sizes: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    evaluation: Evaluation | None = None

    @property
    def images(self) -> int:
        """The number of distilled images of all classes."""
        return sum(len(one.kept_images(self.select.ipc)) for one in self.selections)

    @property
    def budget(self) -> str:
        """How many images each class has, in words."""
        if CHOSEN in self.facts:
            return "chosen one by one"
        return f"at most {self.select.ipc} per class"

    @property
    def format(self) -> FormatName:
        """The format, of an export in one."""
        (name,) = self.settings.format
        return name

    def in_format(
        self, name: FormatName, file_format: Literal["png", "jpeg", "webp"] | None
    ) -> Export:
        """Return this export in one of its formats, whose images have a file format or their own.

        What is written in a format is the same, whatever other formats are written beside it.
        """
        settings = self.settings.replace(format=(name,))
        settings = settings.replace(file_format=file_format) if file_format else settings
        if settings.file_format == "png":
            settings = settings.replace(quality=ExportSettings().quality)
        return replace(self, settings=settings)

    @property
    def fingerprint(self) -> str:
        """A name of the exported bytes."""
        naming = {key: value for key, value in self.facts.items() if key in NAMING_FACTS}
        settings = self.settings
        if settings.teacher:  # named by its weights, wherever they are
            settings = settings.replace(teacher=self.facts["teacher"]["fingerprint"])
        return fingerprint(naming, self.select, settings, self.canvas.image_px, self.pixels)


def class_folders(names: Sequence[str]) -> tuple[str, ...]:
    """Return a folder name for each class from the name of its folder in the source, or its own.

    Characters that file systems refuse are replaced.
    """
    folders: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = _cut(UNSAFE.sub("_", name)).strip(" .") or "class"
        folder, number = base, 2
        # Compared without case, which some file systems ignore.
        while folder.lower() in taken:
            folder, number = f"{base}_{number}", number + 1
        folders.append(folder)
        taken.add(folder.lower())
    return tuple(folders)


def claim_folder(out: Path, export: Export, also_ours: Sequence[str] = ()) -> dict[str, str]:
    """Mark a folder as this export's before the first image is written.

    Returns the checksums of its files by name, if it was complete. Raises `StorageError` for a
    folder with another export, or with files that dsel did not write.
    """
    refuse_foreign(out, also_ours)
    known = _same_export(out, export) if (out / MANIFEST).exists() else {}
    remove_partial_files(out)
    write_atomically(out / MANIFEST, manifest_bytes(manifest(export, [], {}, complete=False)))
    return known


def refuse_foreign(out: Path, also_ours: Sequence[str] = ()) -> None:
    """Raise `StorageError` for a folder whose files are not an export of dsel."""
    if not out.is_dir() or (out / MANIFEST).exists():
        return
    with storage_errors(out):
        ours = (*also_ours, LOCK)
        foreign = [p for p in out.iterdir() if p.name not in ours and p.suffix != ".partial"]
    if foreign:
        name = min(path.name for path in foreign)
        raise StorageError(
            f"{out} holds other files, such as {name}: choose an empty or new folder", path=str(out)
        )


def manifest(
    export: Export,
    images: Sequence[Mapping[str, Any]],
    checksums: Mapping[str, str],
    complete: bool,
) -> dict[str, Any]:
    """Return the manifest: the export's settings and facts, and the origin of every pixel.

    checksums: the SHA-256 of every other file, by name.
    """
    return {
        "format": FORMAT,
        "fingerprint": export.fingerprint,
        "complete": complete,
        **export.facts,
        "select": export.select.plain(),
        "overrides": _overrides(export.select.overrides),
        "export": export.settings.plain()
        | {"image_px": export.canvas.image_px, "pixels": export.pixels},
        "classes": list(export.classes),
        "images": list(images),
        CHECKSUMS: dict(checksums),
    }


def manifest_bytes(record: Mapping[str, Any]) -> bytes:
    """Return the manifest's file: readable JSON with its checksum, and each image in one line.

    The images are most of it, and JSON in one line is written ten times as fast.
    """
    mark = f'\n  "images": {json.dumps(IMAGES_MARK)}'
    text = json_bytes({FIELD: BLANK, **record, "images": IMAGES_MARK}).decode()
    lines = ",\n    ".join(json.dumps(one, ensure_ascii=False) for one in record["images"])
    images = f"[\n    {lines}\n  ]" if lines else "[]"
    return seal(text.replace(mark, f'\n  "images": {images}', 1).encode())


def image_entry(file: str, distilled: Distilled, classes: Sequence[str]) -> dict[str, Any]:
    """Return the manifest's entry of one image, with the patches of its tiles row by row."""
    return {
        "file": file,
        "class": classes[distilled.class_index],
        "patches": [_tile_entry(tile) for tile in distilled.tiles],
    }


def _tile_entry(tile: Tile) -> dict[str, Any]:
    patch = tile.patch
    return {
        "image_id": patch.image_id,
        "source_box": box_columns("", patch.source_box),
        "proxy_box": box_columns("", patch.box),
        "cut_box": box_columns("", patch.cut_box),
        "tile_box": box_columns("", tile.box),
        "native_px": tile.native_px,
        "score": patch.score,
        "standard_error": _known(patch.standard_error),
        "picture_score": patch.picture_score,
        "picture_standard_error": _known(patch.picture_standard_error),
        "cluster": patch.cluster,
        "rank": patch.rank,
    }


def _known(value: float) -> float | None:
    """Return a number as JSON has it: null for one that is unknown."""
    return None if math.isnan(value) else value


def _overrides(overrides: Overrides) -> dict[str, Any]:
    """Return the manual overrides; the corners of moved patches are in proxy pixels."""
    corners = overrides.corners.items()
    return {
        "pins": list(overrides.pins),
        "bans": list(overrides.bans),
        "moves": [{"image_id": image_id, **asdict(corner)} for image_id, corner in corners],
    }


def _cut(name: str) -> str:
    return name.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore")


def _same_export(out: Path, export: Export) -> dict[str, str]:
    """Return the checksums of a folder that is this export; raises `StorageError` for others."""
    try:
        stored = read_fields(out / MANIFEST, "choose a new folder")
        checksums = validated(stored[CHECKSUMS], dict[str, str], out / MANIFEST, "")
        name = stored["fingerprint"]
    except (RunError, KeyError) as error:
        raise StorageError(
            f"{out} holds a {MANIFEST} that dsel did not write, or that is damaged: choose a new "
            "folder",
            path=str(out),
        ) from error
    if name != export.fingerprint:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new folder",
            path=str(out),
        )
    return checksums
