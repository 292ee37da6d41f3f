"""Class folders: which folders of a tree they are, and the names of their classes.

Layout: ROOT/CLASS/any/depth/file, or ROOT/SPLIT/CLASS/... with a split such as train; ROOT may
contain a single folder with all of it. Files beside the class folders are not images.

A class is named after its folder, exactly; but if all folders are WordNet ids, such as n01440764 or
n01440764_tench, those of ImageNet get the names that ship with dsel. `classes.json`, in ROOT or
beside the class folders, may give readable names for prompts: {"folder": "name"}, {"folder":
{"name": "name"}}, a list of names in the order of the sorted folders, or dsel's own [{"folder":
"folder", "name": "name"}]. Of a list of names, ["tench", "Tinca tinca"] or {"name": "tench",
"names": [...]}, the first is shown and used in prompts, and the others select the class too.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, Protocol, TypeAlias

from dsel.assets import imagenet_names
from dsel.errors import SourceError, shown, unknown

SPLITS: Final = ("train", "training", "val", "valid", "validation", "test", "testing")
CLASSES_FILE: Final = "classes.json"
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # hidden on their own systems
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_DOCUMENT_SUFFIXES = frozenset(
    {".csv", ".html", ".json", ".md", ".parquet", ".pdf", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
_DOCUMENTS = frozenset({"readme", "licence", "license"})
_WNID = re.compile("(n[0-9]{8})([_-].*)?")

Names: TypeAlias = tuple[str, ...]
"""All names of one class; the first is the one to show."""


class Tree(Protocol):
    """Folders and files without hidden ones, by their paths below the root, whose path is ""."""

    def label(self, path: str) -> str:
        """Return the name of a path in messages."""

    def folders(self, path: str) -> Sequence[str]:
        """Return the sorted names of the folders in a folder that may be classes."""

    def others(self, path: str) -> Iterable[str]:
        """Return the names of everything else in a folder."""

    def content(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is no such file."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is ignored: hidden, or a system file."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def is_image_name(name: str) -> bool:
    """Return whether the name is that of an image; a folder with such a name is not a class."""
    return _suffix(name) in _IMAGE_SUFFIXES


def find_base(tree: Tree, split: str = "") -> str:
    """Return the path of the folder with the class folders, in the split if one is named.

    Raises `SourceError` where there are none, and `SettingError` for an unknown split.
    """
    top = _top(tree)
    if split:
        parent = next((path for path in ("", top) if split in tree.folders(path)), None)
        if parent is None:
            raise unknown("split", split, shown(tree.folders(top)) or ["none"])
        base = _join(parent, split)
    else:
        base = _join(top, _find_split(tree, top))
    if not tree.folders(base):
        if any(tree.others(base)):
            raise SourceError(
                f"{tree.label(base)} contains images but no class folders: put each class's images "
                "in a folder named after the class"
            )
        raise SourceError(
            f"{tree.label(base)} is empty: it must contain one folder of images per class"
        )
    return base


def class_names(tree: Tree, base: str, folders: Sequence[str]) -> list[Names]:
    """Return the names of the class folders; equal first names are followed by their folder."""
    named = _stored_names(tree, base, folders)
    if len(named) < len(folders):
        named = {**_wnid_names(folders), **named}
    names = [named.get(folder, (folder,)) for folder in folders]
    count = Counter(first for first, *_ in names)
    distinct = [
        (first if count[first] == 1 else f"{first} ({folder})", *further)
        for folder, (first, *further) in zip(folders, names, strict=True)
    ]
    if len({first for first, *_ in distinct}) < len(distinct):
        raise SourceError(
            f"{tree.label(base)}: class names must differ, even with their folders added"
        )
    return distinct


def _top(tree: Tree) -> str:
    """Return the single folder that contains everything, or the root if there is none."""
    folders = tree.folders("")
    if len(folders) != 1 or folders[0] in SPLITS:
        return ""
    # A class may have folders too, but then there are images beside them.
    contains_all = tree.folders(folders[0]) and all(map(_is_document_name, tree.others(folders[0])))
    return folders[0] if contains_all else ""


def _find_split(tree: Tree, top: str) -> str:
    """Return the split below `top` to use; empty when its folders are classes."""
    folders = tree.folders(top)
    # A folder with files is a class, unless all are named like splits (and one has a stray file).
    named = set(folders) <= set(SPLITS)
    splits = [name for name in folders if named or not any(tree.others(_join(top, name)))]
    splits = [name for name in splits if tree.folders(_join(top, name))]
    if "train" in splits:
        return "train"
    if named and len(folders) == len(splits) == 1:
        return splits[0]
    if named and splits:
        raise SourceError(
            f"{tree.label(top)} has the splits {', '.join(splits)}: choose one with --split"
        )
    return ""


def _is_document_name(name: str) -> bool:
    """Return whether the name is that of a file about a dataset, such as LICENSE or labels.csv."""
    return _suffix(name) in _DOCUMENT_SUFFIXES or name.lower() in _DOCUMENTS


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _stored_names(tree: Tree, base: str, folders: Sequence[str]) -> dict[str, Names]:
    """Read the first classes.json between the root and the class folders."""
    for path in _ancestors(base):
        file = _join(path, CLASSES_FILE)
        content = tree.content(file)
        if content is not None:
            return _read_names(tree.label(file), content, folders)
    return {}


def _ancestors(path: str) -> Iterator[str]:
    """Yield the folders from the root to a path."""
    yield ""
    parts = path.split("/") if path else []
    yield from ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def _wnid_names(folders: Sequence[str]) -> dict[str, Names]:
    """Return ImageNet's names of folders if all of them begin with a WordNet id."""
    ids = {name: found[1] for name in folders if (found := _WNID.fullmatch(name))}
    if len(ids) < len(folders):
        return {}
    known = imagenet_names()
    return {folder: known[id_] for folder, id_ in ids.items() if id_ in known}


def _read_names(label: str, content: bytes, folders: Sequence[str]) -> dict[str, Names]:
    """Read a classes.json; return the names of the folders that it lists."""
    try:
        stored: Any = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{label} cannot be read as JSON: {error}") from error
    if isinstance(stored, list) and all(isinstance(v, dict) and "folder" in v for v in stored):
        stored = {str(line["folder"]): line for line in stored}  # the form of dsel's exports
    elif isinstance(stored, list) and len(stored) == len(folders):
        stored = dict(zip(folders, stored, strict=True))
    if not isinstance(stored, dict):
        raise SourceError(
            f"{label} must map the class folders to names, or list one name for each of the "
            f"{len(folders)} class folders in sorted order"
        )
    return {name: _checked_names(label, name, stored[name]) for name in folders if name in stored}


def _checked_names(label: str, folder: str, value: Any) -> Names:
    parts = [value]
    if isinstance(value, dict):
        parts = [value[key] for key in ("name", "names") if key in value]
    names = [name for part in parts for name in (part if isinstance(part, list) else [part])]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise SourceError(
            f"{label}: {folder} must have a name or a list of names, such as "
            f'["tench", "Tinca tinca"], got {reprlib.repr(value)}'
        )
    return tuple(dict.fromkeys(names))
