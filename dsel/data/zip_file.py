"""Zip files with one folder of images per class, or with splits of them.

The layout is that of `dsel.data.class_folders`, and the names are those of `dsel.data.class_names`,
so a folder and its zip have the same images with the same ids; see `dsel.data.image_folder`.

Links are not followed, and nothing is extracted: `dsel.data.zip_entries` decides what is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from dsel.config import SourceSettings
from dsel.contents import Structure
from dsel.data.base import (
    choose_folders,
    fingerprint_files,
    list_images,
    note_left_out,
    origin_of,
    pictures_only,
    require_images,
)
from dsel.data.class_folders import find_base
from dsel.data.class_names import Names, name_folders
from dsel.data.file_names import is_hidden, is_image_name
from dsel.data.images import decode, orientation_of
from dsel.data.places import Place
from dsel.data.tree import ListedTree
from dsel.data.zip_entries import Entry, guessed_names, list_entries, unpack
from dsel.errors import SourceError, UnreadableImage
from dsel.types import ImageRef, Pixels

MAX_CLASSES_BYTES: Final = 4 << 20
"""Largest classes.json: parsed, it takes many times as much memory."""

MAX_BOXES_BYTES: Final = 32 << 20
"""Largest boxes.json, for the same reason: that of 5,000 photographs with polygons has 20 MB."""

BOXES_FILE: Final = "boxes.json"

_FOLDER: Final = Entry(b"", 0, 0, 0, 0, 0, 0, "is a folder, not an image")


class ZippedImages:
    """Images in class folders of a zip file. An id is the path below the class folders' parent."""

    def __init__(
        self, path: Path | Place, origin: Mapping[str, str | int | Sequence[str]],
        names: tuple[Names, ...], refs: Sequence[ImageRef], entries: Mapping[str, Entry],
        structure: Structure, max_px: int, boxes: Entry | None = None,
    ) -> None:  # fmt: skip
        """Use `open_zip`; `entries` has each ref's entry by id; max_px: the largest image.

        boxes: the entry of the images' true boxes.
        """
        self.path, self.origin, self.names, self.refs = path, origin, names, refs
        self.structure = structure
        self.classes = tuple(first for first, *_ in names)
        used = (entries[ref.id] for ref in refs)
        marks = (f"{entry.size}\0{entry.crc}\0{entry.reason}" for entry in used)
        self.fingerprint = fingerprint_files("zip", names, refs, marks, max_px)
        self._entries, self._max_px, self._boxes = entries, max_px, boxes

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image; raise `UnreadableImage` with a reason."""
        return decode(self._content(ref), self._max_px)

    def orientation(self, ref: ImageRef) -> int:
        """Return the EXIF orientation, 1 to 8, that `read` turned an image by."""
        return orientation_of(self._content(ref))

    def boxes(self) -> bytes | None:
        """Return the archive's boxes.json; None without one.

        Raises `UnreadableImage` for one that cannot be read or is too large.
        """
        boxes = self._boxes
        return None if boxes is None else unpack(self.path, boxes, MAX_BOXES_BYTES)

    def _content(self, ref: ImageRef) -> bytes:
        if ref.id not in self._entries:
            raise UnreadableImage("is not in the dataset")
        return unpack(self.path, self._entries[ref.id])


def open_zip(path: Path | Place, settings: SourceSettings) -> ZippedImages:
    """List the images of a zip file of class folders, or of one of its splits."""
    entries = {
        name: entry
        for name, entry in list_entries(path).items()
        if name and not any(map(is_hidden, name.split("/")))
    }
    tree = ListedTree(entries, lambda inner: str(path / inner), partial(_content, path, entries))
    found = find_base(tree, settings.split)
    named = name_folders(tree, found.path, tree.folders(found.path))
    chosen = choose_folders(named.names, settings.classes)
    by_folder = _by_folder(entries, found.path)
    files = [by_folder.get(folder, {}) for folder in chosen]
    pictures = [pictures_only(of_class) for of_class in files]
    refs, used = list_images(pictures, settings)
    require_images(tree.label(found.path), [first for first, *_ in chosen.values()], refs)
    _require_readable(path, used)
    notes = (*found.notes, *named.notes, note_left_out(files, pictures), guessed_names(entries))
    structure = Structure(found.split, tuple(chosen), tuple(filter(None, notes)))
    resolved = path.resolve()
    origin = origin_of(str(resolved), settings, found.split)
    how = structure, settings.max_px, _boxes_entry(entries, found.path)
    return ZippedImages(resolved, origin, tuple(chosen.values()), refs, used, *how)


def _content(path: Path | Place, entries: Mapping[str, Entry], name: str) -> bytes:
    try:
        return unpack(path, entries[name], MAX_CLASSES_BYTES)
    except UnreadableImage as error:
        raise SourceError(f"{path / name} {error}") from error


def _boxes_entry(entries: Mapping[str, Entry], base: str) -> Entry | None:
    """Return the first boxes.json from the root down to the class folders' parent."""
    parts = base.split("/") if base else []
    places = ("/".join([*parts[:depth], BOXES_FILE]) for depth in range(len(parts) + 1))
    return next((entries[place] for place in places if place in entries), None)


def _by_folder(entries: Mapping[str, Entry], base: str) -> Mapping[str, dict[str, Entry]]:
    """Return the files of each folder below `base`, by their paths below `base`."""
    prefix = f"{base}/" if base else ""
    found: dict[str, dict[str, Entry]] = defaultdict(dict)
    for name, entry in entries.items():
        if name.startswith(prefix):
            below = name.removeprefix(prefix)
            folder, _, inner = below.partition("/")
            if inner and not inner.endswith("/"):
                found[folder][below] = entry
            for path in _folders_named_like_images(inner):
                found[folder].setdefault(f"{folder}/{path}", _FOLDER)
    return found


def _folders_named_like_images(path: str) -> Iterator[str]:
    """Yield the folders on a path that have names of images, to be reported as unusable."""
    if "." in path.rpartition("/")[0]:
        parts = path.split("/")
        for depth, part in enumerate(parts[:-1], 1):
            if is_image_name(part):
                yield "/".join(parts[:depth])


def _require_readable(path: Path | Place, files: Mapping[str, Entry]) -> None:
    """Raise `SourceError` if no image can be read, for example because all are encrypted."""
    if all(entry.reason for entry in files.values()):
        id_, entry = next(iter(files.items()))
        raise SourceError(
            f"{path}: none of its {len(files)} images can be read; {id_} {entry.reason}"
        )
