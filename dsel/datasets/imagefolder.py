"""Read a folder that holds one folder of images per class.

Layout: ROOT/CLASS/any/depth/file, or ROOT/SPLIT/CLASS/... with a split such as train. Every file in
a class folder counts as an image, whatever its name, so that one that cannot be used is reported
with its reason; only hidden files are passed over. Files beside the class folders are not images.

A class is named after its folder, exactly; but if all folders are WordNet ids, such as n01440764 or
n01440764_tench, those of ImageNet take the names that ship with dsel. `classes.json`, in ROOT or
beside the class folders, may give readable names for prompts: {"folder": "name"}, {"folder":
{"name": "name"}}, a list of names in the order of the sorted folders, or dsel's own [{"folder":
"folder", "name": "name"}]. Where it gives a list of names, ["tench", "Tinca tinca"] or {"name":
"tench", "names": [...]}, the first is shown and put in prompts, and the others find the class too.

Symbolic links are followed, out of ROOT too: whoever names ROOT may read what it links to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from dsel import pictures
from dsel.config import SourceSettings
from dsel.datasets.base import (
    further_names,
    limit,
    meant,
    origin_of,
    require_images,
    restrict,
    shown,
)
from dsel.errors import SourceError, UnreadableImage, unknown
from dsel.records import ImageRef, Pixels
from dsel.settings import fingerprint
from dsel.shipped import imagenet_names

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")
CLASSES_FILE = "classes.json"
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # hidden where they come from
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_WNID = re.compile("(n[0-9]{8})([_-].*)?")

_Names: TypeAlias = tuple[str, ...]
"""All names of one class, the one that is shown first."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file as found: its path below the class folders, and what shows that it has changed."""

    path: str
    size: int


class ImageFolder:
    """Images in class folders. An id is the path below the class folders' parent: cat/1.jpg."""

    def __init__(
        self, base: Path, origin: Mapping[str, str | int | Sequence[str]],
        names: tuple[_Names, ...], refs: Sequence[ImageRef], files: Mapping[str, _File],
    ) -> None:  # fmt: skip
        """Take what `open_image_folder` found; `files` holds each ref's file by id."""
        self.base, self.origin, self.names, self.refs = base, origin, names, refs
        self.classes = tuple(first for first, *_ in names)
        self.fingerprint = _fingerprint(names, refs, files)
        # Names that are not text become ids that are; only these need to be remembered.
        self._odd = {ref.id: path for ref in refs if (path := files[ref.id].path) != ref.id}

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image; raise `UnreadableImage` with a reason."""
        return pictures.decode(self.path(ref))

    def path(self, ref: ImageRef) -> Path:
        """Return where an image lies."""
        name = self._odd.get(ref.id, ref.id)
        # Refs also come out of stored runs, which may have been made by others.
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise UnreadableImage("lies outside of the dataset")
        return self.base / name


def open_image_folder(path: Path, settings: SourceSettings) -> ImageFolder:
    """List the images of a folder of class folders, or of one of its splits."""
    if not path.is_dir():
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise SourceError(f"{path} {what}: give a folder that holds one folder per class")
    base = _base(path, settings.split)
    folders = _folders(base)
    names = _names(path, base, folders)
    by_folder = dict(zip(folders, names, strict=True))
    by_name = {first: folder for folder, (first, *_) in by_folder.items()}
    classes = restrict(list(by_name), [_wanted(name, by_folder) for name in settings.classes])
    chosen = [by_name[name] for name in classes]
    refs: list[ImageRef] = []
    files: dict[str, _File] = {}
    for index, folder in enumerate(chosen):
        found = {_id(file.path): file for file in _walk(base, folder)}
        kept = limit((ImageRef(id_, index) for id_ in sorted(found)), settings.per_class)
        refs += kept
        files |= {ref.id: found[ref.id] for ref in kept}
    require_images(base, classes, refs)
    origin = origin_of(str(path.resolve()), settings)
    return ImageFolder(base, origin, tuple(by_folder[name] for name in chosen), refs, files)


def _base(root: Path, split: str) -> Path:
    """Return the folder that holds the class folders."""
    folders = _folders(root)
    if split:
        if split not in folders:
            raise unknown("split", split, shown(folders) or ["none"])
        base = root / split
    else:
        base = root / (_find_split(root, folders) or ".")
    if not _folders(base):
        if _has_files(base):
            raise SourceError(
                f"{base} holds images but no class folders: put each class's images in a folder "
                "named after the class"
            )
        raise SourceError(f"{base} is empty: it must hold one folder of images per class")
    return base


def _find_split(root: Path, folders: Sequence[str]) -> str | None:
    """Return the split below `root` that is meant; None when its folders are classes."""
    # What holds files is a class folder, unless all are named like splits (with a stray file).
    named = set(folders) <= set(SPLITS)
    splits = [name for name in folders if named or not _has_files(root / name)]
    splits = [name for name in splits if _folders(root / name)]
    if "train" in splits:
        return "train"
    if len(folders) == len(splits) == 1:
        return splits[0]
    if named and splits:
        raise SourceError(f"{root} has the splits {', '.join(splits)}: choose one with --split")
    return None


def _folders(path: Path) -> list[str]:
    with _scan(path) as entries:
        return sorted(entry.name for entry in entries if _is_class_folder(entry))


def _has_files(path: Path) -> bool:
    with _scan(path) as entries:
        return any(not _is_hidden(e.name) and not _is_class_folder(e) for e in entries)


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


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _is_class_folder(entry: os.DirEntry[str]) -> bool:
    return not _is_hidden(entry.name) and _is_folder(entry) and not _is_called_image(entry.name)


def _is_called_image(name: str) -> bool:
    return Path(name).suffix.lower() in _IMAGE_SUFFIXES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _names(root: Path, base: Path, folders: Sequence[str]) -> list[_Names]:
    """Return the names in the order of the folders; first names alike get their folder's too."""
    plain = [_id(folder) for folder in folders]
    files = (path / CLASSES_FILE for path in (root, base))
    named = next((_read_names(path, plain) for path in files if path.is_file()), {})
    if len(named) < len(plain):
        named = {**_wnid_names(plain), **named}
    names = [named.get(folder, (folder,)) for folder in plain]
    count = Counter(first for first, *_ in names)
    unlike = [
        (first if count[first] == 1 else f"{first} ({folder})", *further)
        for folder, (first, *further) in zip(plain, names, strict=True)
    ]
    if len({first for first, *_ in unlike}) < len(unlike):
        raise SourceError(f"{base}: class names must differ, also once folders are added to them")
    return unlike


def _wnid_names(folders: Sequence[str]) -> dict[str, _Names]:
    """Return ImageNet's names of folders that all begin with a WordNet id."""
    ids = {name: found[1] for name in folders if (found := _WNID.fullmatch(name))}
    if len(ids) < len(folders):
        return {}
    known = imagenet_names()
    return {folder: known[id_] for folder, id_ in ids.items() if id_ in known}


def _read_names(path: Path, folders: Sequence[str]) -> dict[str, _Names]:
    """Read a classes.json: the names of those of the folders that it names."""
    try:
        stored: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read as JSON: {error}") from error
    if isinstance(stored, list) and all(isinstance(v, dict) and "folder" in v for v in stored):
        stored = {str(line["folder"]): line for line in stored}  # as dsel's exports have it
    elif isinstance(stored, list) and len(stored) == len(folders):
        stored = dict(zip(folders, stored, strict=True))
    if not isinstance(stored, dict):
        raise SourceError(
            f"{path} must map the class folders to names, or list one name for each of the "
            f"{len(folders)} class folders in sorted order"
        )
    return {name: _checked_names(path, name, stored[name]) for name in folders if name in stored}


def _checked_names(path: Path, folder: str, value: Any) -> _Names:
    parts = [value]
    if isinstance(value, dict):
        parts = [value[key] for key in ("name", "names") if key in value]
    names = [name for part in parts for name in (part if isinstance(part, list) else [part])]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise SourceError(
            f"{path}: {folder} must have a name or a list of names, such as "
            f'["tench", "Tinca tinca"], got {reprlib.repr(value)}'
        )
    return tuple(dict.fromkeys(names))


def _wanted(name: str, by_folder: Mapping[str, _Names]) -> str:
    """Return the shown name of the class that is called by its folder or by any of its names."""
    return by_folder[name][0] if name in by_folder else meant(name, by_folder.values())


def _walk(base: Path, folder: str) -> Iterator[_File]:
    """Find all files below a class folder, each folder once, however links go round."""
    todo, seen = [folder], {_identity(base)}
    while todo:
        below = todo.pop()
        identity = _identity(base / below)
        if identity in seen:
            continue
        seen.add(identity)
        with _scan(base / below) as entries:
            visible = sorted((e for e in entries if not _is_hidden(e.name)), key=lambda e: e.name)
        for entry in visible:
            path = f"{below}/{entry.name}"
            folderish = _is_folder(entry)
            if folderish:
                todo.append(path)
            # A folder called cat.jpg is listed too: it was meant to be an image.
            if not folderish or _is_called_image(entry.name):
                yield _file(path, entry)


def _identity(path: Path) -> tuple[int, int]:
    with _clear_errors(path):
        status = path.stat()
    return status.st_dev, status.st_ino


def _file(path: str, entry: os.DirEntry[str]) -> _File:
    try:
        status = entry.stat()
    except OSError:  # a broken link: reading it says so
        return _File(path, 0)
    return _File(path, status.st_size)


def _id(path: str) -> str:
    """Turn a path into text that every file format can store."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _fingerprint(
    names: Sequence[_Names], refs: Sequence[ImageRef], files: Mapping[str, _File]
) -> str:
    digest = hashlib.sha256()
    for ref in refs:
        file = files[ref.id]
        line = f"{ref.class_index}\0{ref.id}\0{file.size}\n"
        digest.update(line.encode())
    further = further_names(names)
    parts = ([first for first, *_ in names], digest.hexdigest(), *([further] if further else []))
    return fingerprint("image folder", *parts)
