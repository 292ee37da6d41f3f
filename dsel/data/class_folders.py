"""Class folders: which folders of a tree they are, and what their classes are called.

Layout: ROOT/CLASS/any/depth/file, or ROOT/SPLIT/CLASS/... with a split such as train; a single
folder may stand around everything. Files beside the class folders are not images.

A class is named after its folder, exactly; but if all folders are WordNet ids, such as n01440764 or
n01440764_tench, those of ImageNet take the names that ship with dsel. `classes.json`, in ROOT or
beside the class folders, may give readable names for prompts: {"folder": "name"}, {"folder":
{"name": "name"}}, a list of names in the order of the sorted folders, or dsel's own [{"folder":
"folder", "name": "name"}]. Where it gives a list of names, ["tench", "Tinca tinca"] or {"name":
"tench", "names": [...]}, the first is shown and put in prompts, and the others find the class too.
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
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # hidden where they come from
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_NOTE_SUFFIXES = frozenset(
    {".csv", ".html", ".json", ".md", ".parquet", ".pdf", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
_NOTES = frozenset({"readme", "licence", "license"})
_WNID = re.compile("(n[0-9]{8})([_-].*)?")

Names: TypeAlias = tuple[str, ...]
"""All names of one class, the one that is shown first."""


class Tree(Protocol):
    """Folders and files, by their paths below the root, which is ""; hidden ones are left out."""

    def label(self, path: str) -> str:
        """What messages call a path."""

    def folders(self, path: str) -> Sequence[str]:
        """Names of the folders there that may be classes, sorted."""

    def others(self, path: str) -> Iterable[str]:
        """Names of everything else there."""

    def content(self, path: str) -> bytes | None:
        """What a small file holds; None if there is no such file."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over: hidden, or the system's own."""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def is_called_image(name: str) -> bool:
    """Whether the name is that of an image; a folder called so is no class."""
    return _suffix(name) in _IMAGE_SUFFIXES


def find_base(tree: Tree, split: str = "") -> str:
    """Return the path of the folder that holds the class folders, in the split if one is named."""
    top = _top(tree)
    if split:
        where = next((path for path in ("", top) if split in tree.folders(path)), None)
        if where is None:
            raise unknown("split", split, shown(tree.folders(top)) or ["none"])
        base = _join(where, split)
    else:
        base = _join(top, _find_split(tree, top))
    if not tree.folders(base):
        if any(tree.others(base)):
            raise SourceError(
                f"{tree.label(base)} holds images but no class folders: put each class's images "
                "in a folder named after the class"
            )
        raise SourceError(
            f"{tree.label(base)} is empty: it must hold one folder of images per class"
        )
    return base


def class_names(tree: Tree, base: str, folders: Sequence[str]) -> list[Names]:
    """Return the names of the class folders; first names alike get their folder's too."""
    named = _stored_names(tree, base, folders)
    if len(named) < len(folders):
        named = {**_wnid_names(folders), **named}
    names = [named.get(folder, (folder,)) for folder in folders]
    count = Counter(first for first, *_ in names)
    unlike = [
        (first if count[first] == 1 else f"{first} ({folder})", *further)
        for folder, (first, *further) in zip(folders, names, strict=True)
    ]
    if len({first for first, *_ in unlike}) < len(unlike):
        raise SourceError(
            f"{tree.label(base)}: class names must differ, also once folders are added to them"
        )
    return unlike


def _top(tree: Tree) -> str:
    """Return the single folder that stands around everything, or the root if there is none."""
    folders = tree.folders("")
    if len(folders) != 1 or folders[0] in SPLITS:
        return ""
    # A class may have folders too; but what lies beside those are images then.
    around = tree.folders(folders[0]) and all(map(_is_called_note, tree.others(folders[0])))
    return folders[0] if around else ""


def _find_split(tree: Tree, top: str) -> str:
    """Return the split below `top` that is meant; empty when its folders are classes."""
    folders = tree.folders(top)
    # What holds files is a class folder, unless all are named like splits (with a stray file).
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


def _is_called_note(name: str) -> bool:
    """Whether the name is that of a file about a dataset, such as LICENSE or labels.csv."""
    return _suffix(name) in _NOTE_SUFFIXES or name.lower() in _NOTES


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _stored_names(tree: Tree, base: str, folders: Sequence[str]) -> dict[str, Names]:
    """Read the first classes.json on the way from the root to the class folders."""
    for path in _way(base):
        file = _join(path, CLASSES_FILE)
        content = tree.content(file)
        if content is not None:
            return _read_names(tree.label(file), content, folders)
    return {}


def _way(path: str) -> Iterator[str]:
    yield ""
    parts = path.split("/") if path else []
    yield from ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def _wnid_names(folders: Sequence[str]) -> dict[str, Names]:
    """Return ImageNet's names of folders that all begin with a WordNet id."""
    ids = {name: found[1] for name in folders if (found := _WNID.fullmatch(name))}
    if len(ids) < len(folders):
        return {}
    known = imagenet_names()
    return {folder: known[id_] for folder, id_ in ids.items() if id_ in known}


def _read_names(label: str, content: bytes, folders: Sequence[str]) -> dict[str, Names]:
    """Read a classes.json: the names of those of the folders that it names."""
    try:
        stored: Any = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{label} cannot be read as JSON: {error}") from error
    if isinstance(stored, list) and all(isinstance(v, dict) and "folder" in v for v in stored):
        stored = {str(line["folder"]): line for line in stored}  # as dsel's exports have it
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
