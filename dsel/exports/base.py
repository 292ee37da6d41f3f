"""What every export format shares: the export record, the claim on its folder, the manifest."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dsel.config import ExportSettings, SelectSettings
from dsel.config.base import fingerprint
from dsel.config.overrides import Overrides
from dsel.errors import RunError, StorageError, storage_errors
from dsel.files import PARTIAL, json_bytes, read_json, remove_partial_files, write_atomically
from dsel.runs.schema import box_columns
from dsel.types import ClassSelection, Distilled, Done, Event

MANIFEST = "manifest.json"
LONGEST_NAME_BYTES = 160
"""Longest name of a class folder: file systems allow 255, and images add a number and a suffix."""
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
NAMING_FACTS = ("dsel", "run", "selection")
"""Facts that enter the fingerprint; the source's location and library versions do not."""
ZIP = ".zip"
ZIP_ENTRY_BYTES = 76
"""Bytes of a file in a zip beside its content and its name, which is stored twice."""
ZIP_END_BYTES = 22
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal content gives equal bytes


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that determines an exported set.

    image_px: side of its images. pixels: "source" or "proxy". facts: the run, prior and versions,
    which the manifest records.
    """

    classes: tuple[str, ...]
    selections: Sequence[ClassSelection]
    select: SelectSettings
    settings: ExportSettings
    image_px: int
    pixels: str
    facts: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """A name of the exported bytes."""
        naming = {key: value for key, value in self.facts.items() if key in NAMING_FACTS}
        return fingerprint(naming, self.select, self.settings, self.image_px, self.pixels)


def class_folders(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a folder name per class; characters that file systems refuse are replaced."""
    folders: list[str] = []
    for name in classes:
        base = _cut(UNSAFE.sub("_", name)).strip(" .") or "class"
        folder, number = base, 2
        # Compared without case, which some file systems ignore.
        while folder.lower() in {other.lower() for other in folders}:
            folder, number = f"{base}_{number}", number + 1
        folders.append(folder)
    return tuple(folders)


def claim_folder(out: Path, export: Export, also_ours: Sequence[str] = ()) -> None:
    """Mark a folder as this export's before the first image is written.

    Raises `StorageError` for a folder with another export, or with files that dsel did not write.
    """
    refuse_foreign(out, also_ours)
    if (out / MANIFEST).is_file():
        _check_same(out, export)
    remove_partial_files(out)
    write_atomically(out / MANIFEST, json_bytes(manifest(export, [], complete=False)))


def refuse_foreign(out: Path, also_ours: Sequence[str] = ()) -> None:
    """Raise `StorageError` for a folder whose files are not an export of dsel."""
    if not out.is_dir() or (out / MANIFEST).is_file():
        return
    with storage_errors(out):
        foreign = [p for p in out.iterdir() if p.name not in also_ours and p.suffix != ".partial"]
    if foreign:
        name = min(path.name for path in foreign)
        raise StorageError(
            f"{out} holds other files, such as {name}: choose an empty or new folder", path=str(out)
        )


def manifest(export: Export, images: Sequence[Mapping[str, Any]], complete: bool) -> dict[str, Any]:
    """Return the manifest: the export's settings and facts, and the origin of every pixel."""
    return {
        "format": "dsel export 2",
        "fingerprint": export.fingerprint,
        "complete": complete,
        **export.facts,
        "select": export.select.plain(),
        "overrides": _overrides(export.select.overrides),
        "export": export.settings.plain() | {"image_px": export.image_px, "pixels": export.pixels},
        "classes": list(export.classes),
        "images": list(images),
    }


def image_entry(file: str, distilled: Distilled, classes: Sequence[str]) -> dict[str, Any]:
    """Return the manifest's entry of one image, with its patches row by row."""
    return {
        "file": file,
        "class": classes[distilled.class_index],
        "patches": [
            {
                "image_id": patch.image_id,
                "source_box": box_columns("", patch.source_box),
                "proxy_box": box_columns("", patch.box),
                "score": patch.score,
                "cluster": patch.cluster,
                "rank": patch.rank,
            }
            for patch in distilled.patches
        ],
    }


def zip_bytes(sizes: Mapping[str, int]) -> int:
    """Return the size of the zip file that `zip_folder` makes of files of these names and sizes."""
    entries = sum(ZIP_ENTRY_BYTES + 2 * len(name.encode()) for name in sizes)
    return sum(sizes.values()) + entries + ZIP_END_BYTES


def zip_folder(folder: Path, target: Path, leave_out: Sequence[str] = ()) -> Path:
    """Pack a folder as a zip file; equal content gives equal bytes."""
    temporary = target.with_name(f".{target.name}.partial")
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p not in (target, temporary))
    with storage_errors(target):
        try:
            with zipfile.ZipFile(temporary, "w") as archive:
                for path in files:
                    name = path.relative_to(folder)
                    if name.parts[0] not in leave_out:
                        info = zipfile.ZipInfo(name.as_posix(), ZIP_DATE)
                        info.external_attr = 0o644 << 16
                        archive.writestr(info, path.read_bytes())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    return target


def is_zip(out: Path) -> bool:
    """Whether an export to this path is one zip file, by its suffix."""
    return out.suffix.lower() == ZIP


def write_zip(
    export: Export, write: Callable[[Path], Iterator[Event]], out: Path
) -> Iterator[Event]:
    """Pack the folder that `write` fills; the bytes are those of `zip_folder` for that folder.

    Raises `StorageError` if `out` exists and is not this same export.
    """
    _refuse_other(out, export)
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = TemporaryDirectory(prefix=f".{out.name}.", suffix=PARTIAL, dir=out.parent)
    with temporary as name:
        figures: Mapping[str, float | int | str] = {}
        for event in write(Path(name)):
            if isinstance(event, Done):
                figures = event.figures
            else:
                yield event
        size = zip_folder(Path(name), out).stat().st_size
    yield Done("export", {"images": figures["images"], "bytes": size, "file": str(out)})


def _refuse_other(out: Path, export: Export) -> None:
    """Raise `StorageError` for a file that is not this export, which may be written again."""
    if not out.exists():
        return
    try:
        with zipfile.ZipFile(out) as archive:
            stored = json.loads(archive.read(MANIFEST))["fingerprint"]
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"{out} exists and is not an export of dsel: choose a new file", path=str(out)
        ) from error
    if stored != export.fingerprint:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new file",
            path=str(out),
        )


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


def _check_same(out: Path, export: Export) -> None:
    try:
        stored = read_json(out / MANIFEST)["fingerprint"]
    except (RunError, KeyError, TypeError) as error:
        raise StorageError(
            f"{out} holds a {MANIFEST} that dsel did not write: choose a new folder", path=str(out)
        ) from error
    if stored != export.fingerprint:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new folder",
            path=str(out),
        )
