"""Image folders: one folder of images per class, or splits of them.

The layout is that of `dsel.data.class_folders`, and the names are those of `dsel.data.class_names`.
Files in a class folder count as images, so that an unusable one is reported with its reason; only
hidden files are ignored, and files that are no pictures by name, such as captions, left out.

Symbolic links are followed, also out of ROOT: a user who names ROOT may read what it links to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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
from dsel.data.other_layouts import packed_suffix
from dsel.data.tree import holds_files
from dsel.errors import SourceError, UnreadableImage
from dsel.types import ImageRef, Pixels


@dataclass(frozen=True, slots=True)
class _File:
    """One file: its path below the class folders, and its size, which shows a change."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class _Disk:
    """The folders below a root, as a `dsel.data.tree.Tree`."""

    root: Path

    def label(self, path: str) -> str:
        return str(self.root / path)

    def folders(self, path: str) -> list[str]:
        with _scan(self.root / path) as entries:
            return sorted(entry.name for entry in entries if _is_class_folder(entry))

    def others(self, path: str) -> Iterator[str]:
        with _scan(self.root / path) as entries:
            for entry in entries:
                if not is_hidden(entry.name) and not _is_class_folder(entry):
                    yield entry.name

    def content(self, path: str) -> bytes | None:
        file = self.root / path
        with _clear_errors(file):
            return file.read_bytes() if file.is_file() else None


class ImageFolder:
    """Images in class folders. An id is the path below the class folders' parent: cat/1.jpg."""

    def __init__(
        self, base: Path, origin: Mapping[str, str | int | Sequence[str]],
        names: tuple[Names, ...], refs: Sequence[ImageRef], files: Mapping[str, _File],
        structure: Structure, max_px: int,
    ) -> None:  # fmt: skip
        """Use `open_image_folder`; `files` has each ref's file by id; max_px: the largest image."""
        self.base, self.origin, self.names, self.refs = base, origin, names, refs
        self.structure = structure
        self.classes = tuple(first for first, *_ in names)
        sizes = (files[ref.id].size for ref in refs)
        self.fingerprint = fingerprint_files("image folder", names, refs, sizes, max_px)
        self._max_px = max_px
        # Paths that are not valid text differ from their ids; only these are stored.
        self._unusual_paths = {
            ref.id: path for ref in refs if (path := files[ref.id].path) != ref.id
        }

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image; raise `UnreadableImage` with a reason."""
        return decode(self.path(ref), self._max_px)

    def orientation(self, ref: ImageRef) -> int:
        """Return the EXIF orientation, 1 to 8, that `read` turned an image by."""
        return orientation_of(self.path(ref))

    def path(self, ref: ImageRef) -> Path:
        """Return the path of an image's file."""
        name = self._unusual_paths.get(ref.id, ref.id)
        # Refs also come from stored runs, which other people may have made.
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise UnreadableImage("is outside of the dataset")
        return self.base / name


def open_image_folder(path: Path, settings: SourceSettings) -> ImageFolder:
    """List the images of a folder of class folders, or of one of its splits."""
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise SourceError(f"{path} {what}: give a folder with one folder of images per class")
    tree = _Disk(path)
    found = find_base(tree, settings.split)
    base = path / found.path
    stored = {_id(folder): folder for folder in tree.folders(found.path)}
    named = name_folders(tree, found.path, stored)
    chosen = choose_folders(named.names, settings.classes)
    files = [_files(base, stored[folder]) for folder in chosen]
    pictures = [pictures_only(of_class) for of_class in files]
    refs, used = list_images(pictures, settings)
    require_images(base, [first for first, *_ in chosen.values()], refs)
    notes = (*found.notes, *named.notes, note_left_out(files, pictures))
    structure = Structure(found.split, tuple(chosen), tuple(filter(None, notes)))
    origin = origin_of(str(path.resolve()), settings, found.split)
    how = structure, settings.max_px
    return ImageFolder(base, origin, tuple(chosen.values()), refs, used, *how)


def holds_class_folders(path: Path) -> bool:
    """Return whether a folder has folders with files that may be pictures."""
    tree = _Disk(path)
    return any(holds_files(tree, folder) for folder in tree.folders(""))


def packed_files(path: Path) -> str:
    """Return the suffix of files such as .parquet in a folder without pictures; empty for none."""
    return packed_suffix(_Disk(path), "")


def _files(base: Path, folder: str) -> dict[str, _File]:
    return {_id(file.path): file for file in _walk(base, folder)}


@contextmanager
def _scan(path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    with _clear_errors(path), os.scandir(path) as entries:
        yield entries


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise SourceError(
            f"no permission to read {path}: make it readable, or choose another folder"
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _is_class_folder(entry: os.DirEntry[str]) -> bool:
    return not is_hidden(entry.name) and _is_folder(entry) and not is_image_name(entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _walk(base: Path, folder: str) -> Iterator[_File]:
    """Yield all files below a class folder; links in a circle are followed once."""
    todo, seen = [folder], {_identity(base)}
    while todo:
        below = todo.pop()
        identity = _identity(base / below)
        if identity in seen:
            continue
        seen.add(identity)
        with _scan(base / below) as entries:
            visible = sorted((e for e in entries if not is_hidden(e.name)), key=lambda e: e.name)
        for entry in visible:
            path = f"{below}/{entry.name}"
            is_folder = _is_folder(entry)
            if is_folder:
                todo.append(path)
            # A folder named cat.jpg is listed too, so that it is reported as unusable.
            if not is_folder or is_image_name(entry.name):
                yield _file(path, entry)


def _identity(path: Path) -> tuple[int, int]:
    with _clear_errors(path):
        status = path.stat()
    return status.st_dev, status.st_ino


def _file(path: str, entry: os.DirEntry[str]) -> _File:
    try:
        status = entry.stat()
    except OSError:  # a broken link: reading it gives the reason
        return _File(path, 0)
    return _File(path, status.st_size)


def _id(path: str) -> str:
    """Return a path as text that every file format can store."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
