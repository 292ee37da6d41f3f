"""What every export format shares: what is exported, the claim on its folder, the manifest."""

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
"""Of a class folder: file systems allow 255, and its images add a number and a suffix."""
UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
NAMING_FACTS = ("dsel", "run", "selection")
"""Facts that name the exported bytes: not where the source lies, nor a library's version."""
ZIP = ".zip"
ZIP_ENTRY_BYTES = 76
"""Of a file in a zip, beside its content and its name, which is stored twice."""
ZIP_END_BYTES = 22
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed one, so that equal content gives equal bytes


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that an exported set follows from. `facts` tells of run, prior and versions."""

    classes: tuple[str, ...]
    selections: Sequence[ClassSelection]
    select: SelectSettings
    settings: ExportSettings
    image_px: int
    pixels: str
    facts: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """Names the exported bytes."""
        kept = {key: value for key, value in self.facts.items() if key in NAMING_FACTS}
        return fingerprint(kept, self.select, self.settings, self.image_px, self.pixels)


def class_folders(classes: Sequence[str]) -> tuple[str, ...]:
    """A folder name for each class: its own name, with what file systems refuse replaced."""
    folders: list[str] = []
    for name in classes:
        base = _cut(UNSAFE.sub("_", name)).strip(" .") or "class"
        folder, number = base, 2
        # Case must differ too: some file systems do not tell it apart.
        while folder.lower() in {other.lower() for other in folders}:
            folder, number = f"{base}_{number}", number + 1
        folders.append(folder)
    return tuple(folders)


def claim_folder(out: Path, export: Export, also_ours: Sequence[str] = ()) -> None:
    """Mark a folder as this export's before the first image is written.

    Raises `StorageError` if it holds another export, or files that dsel did not write.
    """
    refuse_foreign(out, also_ours)
    if (out / MANIFEST).is_file():
        _check_same(out, export)
    remove_partial_files(out)
    write_atomically(out / MANIFEST, json_bytes(manifest(export, [], complete=False)))


def refuse_foreign(out: Path, also_ours: Sequence[str] = ()) -> None:
    """Raise `StorageError` for a folder of files that are no export of dsel's."""
    if not out.is_dir() or (out / MANIFEST).is_file():
        return
    with storage_errors(out):
        foreign = [p for p in out.iterdir() if p.name not in also_ours and p.suffix != ".partial"]
    if foreign:
        name = min(path.name for path in foreign)
        raise StorageError(
            f"{out} holds other files, such as {name}: choose an empty or new folder"
        )


def manifest(export: Export, images: Sequence[Mapping[str, Any]], complete: bool) -> dict[str, Any]:
    """What the exported set is, and where every pixel of it comes from."""
    return {
        "format": "dsel export 1",
        "fingerprint": export.fingerprint,
        "complete": complete,
        **export.facts,
        "select": asdict(export.select),
        "overrides": _overrides(export.select.overrides),
        "export": asdict(export.settings) | {"image_px": export.image_px, "pixels": export.pixels},
        "classes": list(export.classes),
        "images": list(images),
    }


def image_entry(file: str, distilled: Distilled, classes: Sequence[str]) -> dict[str, Any]:
    """One image of the manifest: its tiles row by row, with source image, boxes and explanation."""
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
    """Pack a folder as a zip whose bytes follow from the content alone."""
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
    """Whether a set goes into one zip file, by the name of what it is written to."""
    return out.suffix.lower() == ZIP


def write_zip(
    export: Export, write: Callable[[Path], Iterator[Event]], out: Path
) -> Iterator[Event]:
    """Pack the folder that `write` fills; its bytes are those of `zip_folder` of such a folder.

    Raises `StorageError` where there is something else than this very export.
    """
    _refuse_other(out, export)
    with storage_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        room = TemporaryDirectory(prefix=f".{out.name}.", suffix=PARTIAL, dir=out.parent)
    with room as name:
        figures: Mapping[str, float | int | str] = {}
        for event in write(Path(name)):
            if isinstance(event, Done):
                figures = event.figures
            else:
                yield event
        size = zip_folder(Path(name), out).stat().st_size
    yield Done("export", {"images": figures["images"], "bytes": size, "file": str(out)})


def _refuse_other(out: Path, export: Export) -> None:
    """The same export gives the same bytes, and may be written again."""
    if not out.exists():
        return
    try:
        with zipfile.ZipFile(out) as archive:
            there = json.loads(archive.read(MANIFEST))["fingerprint"]
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"{out} is there already, and no export of dsel's: choose a new file"
        ) from error
    if there != export.fingerprint:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new file"
        )


def _overrides(overrides: Overrides) -> dict[str, Any]:
    """What was decided by hand; corners are in pixels of the picture as the prior saw it."""
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
        there = read_json(out / MANIFEST)["fingerprint"]
    except (RunError, KeyError, TypeError) as error:
        raise StorageError(
            f"{out} holds a {MANIFEST} that is not dsel's: choose a new folder"
        ) from error
    if there != export.fingerprint:
        raise StorageError(
            f"{out} holds another export, made with other settings: choose a new folder"
        )
