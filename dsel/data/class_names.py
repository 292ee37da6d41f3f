"""The names of class folders, and the order of the classes.

A class is named after its folder, exactly; but if all folders are WordNet ids, such as n01440764 or
n01440764_tench, those of ImageNet get the names that ship with dsel. `classes.json`, in the root or
beside the class folders, may give readable names for prompts: {"folder": "name"}, {"folder":
{"name": "name"}}, a list of names in the order of the folders, or dsel's own [{"index": 0,
"folder": "folder", "name": "name"}]. Of a list of names, ["tench", "Tinca tinca"] or {"name":
"tench", "names": [...]}, the first is shown and used in prompts, and the others select the class
too. The file is JSON in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

Classes have the order of dsel's own classes.json if there is one, and otherwise that of their
sorted folders; folders that are numbers, or differ only in a number, are sorted by it.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from unicodedata import normalize

from dsel.assets import imagenet_names
from dsel.data.tree import Tree, ancestors, join
from dsel.errors import SourceError, shown

CLASSES_FILE: Final = "classes.json"
_WNID: Final = re.compile("(n[0-9]{8})([_-].*)?")
_NUMBERED: Final = re.compile("([^0-9]*)([0-9]+)")

Names: TypeAlias = tuple[str, ...]
"""All names of one class; the first is the one to show."""


@dataclass(frozen=True, slots=True)
class NamedFolders:
    """The names of each class folder in the order of the classes, and notes for the user."""

    names: Mapping[str, Names]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a classes.json says: names by folder, and whether their order is that of the classes."""

    names: Mapping[str, Names] = field(default_factory=dict)
    is_order: bool = False
    notes: tuple[str, ...] = ()


def name_folders(
    tree: Tree, base: str, folders: Iterable[str], *, is_ordered: bool = False
) -> NamedFolders:
    """Return the class folders in order, with names; equal first names are followed by the folder.

    is_ordered: whether they are in the order of the classes already. Raises `SourceError` for a
    classes.json that cannot be read or fits none of the folders.
    """
    ordered = list(folders) if is_ordered else in_order(folders)
    stored = _stored(tree, base, ordered)
    if stored.is_order:
        listed = [folder for folder in stored.names if folder in ordered]
        ordered = listed + [folder for folder in ordered if folder not in stored.names]
    named = stored.names
    if not named.keys() >= set(ordered):
        named = {**_wnid_names(ordered), **named}
    names = [named.get(folder, (folder,)) for folder in ordered]
    distinct = _distinct(tree.label(base), ordered, names)
    return NamedFolders(dict(zip(ordered, distinct, strict=True)), stored.notes)


def numbered_folders(tree: Tree) -> Mapping[int, str]:
    """Return the folder of each class index, where dsel's own classes.json lists them."""
    content = tree.content(CLASSES_FILE)
    try:
        stored: Any = json.loads(content or b"[]")
    except (ValueError, RecursionError):
        return {}  # `name_folders` refuses it
    lines = [line for line in stored if isinstance(line, dict)] if isinstance(stored, list) else []
    return {
        line["index"]: str(line["folder"])
        for line in lines
        if isinstance(line.get("index"), int) and "folder" in line
    }


def in_order(folders: Iterable[str]) -> list[str]:
    """Sort folders; by number where all are numbers, after the same text: 2, 10 or c2, c10."""
    found = sorted(folders)
    parts = [_NUMBERED.fullmatch(folder) for folder in found]
    if all(parts) and len({part[1] for part in parts if part}) == 1:
        number = {part[0]: int(part[2]) for part in parts if part}
        return sorted(found, key=lambda folder: (number[folder], folder))
    return found


def _distinct(label: str, folders: Sequence[str], names: Sequence[Names]) -> list[Names]:
    count = Counter(first for first, *_ in names)
    distinct = [
        (first if count[first] == 1 else f"{first} ({folder})", *further)
        for folder, (first, *further) in zip(folders, names, strict=True)
    ]
    if len({first for first, *_ in distinct}) < len(distinct):
        raise SourceError(f"{label}: class names must differ, even with their folders added")
    return distinct


def _stored(tree: Tree, base: str, folders: Sequence[str]) -> _Stored:
    """Read the first classes.json between the root and the class folders."""
    for path in ancestors(base):
        file = join(path, CLASSES_FILE)
        content = tree.content(file)
        if content is not None:
            return _read(tree.label(file), content, folders)
    return _Stored()


def _wnid_names(folders: Sequence[str]) -> dict[str, Names]:
    """Return ImageNet's names of folders if all of them begin with a WordNet id."""
    ids = {name: found[1] for name in folders if (found := _WNID.fullmatch(name))}
    if len(ids) < len(folders):
        return {}
    known = imagenet_names()
    return {folder: known[id_] for folder, id_ in ids.items() if id_ in known}


def _read(label: str, content: bytes, folders: Sequence[str]) -> _Stored:
    """Read a classes.json; return what it says of these folders."""
    try:
        stored: Any = json.loads(content)  # finds out UTF-8, UTF-16 and UTF-32 itself
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{label} cannot be read as JSON: {error}") from error
    is_order = False
    if isinstance(stored, list) and all(isinstance(v, dict) and "folder" in v for v in stored):
        is_order = all(isinstance(line.get("index"), int) for line in stored)
        lines = sorted(stored, key=lambda line: line["index"]) if is_order else stored
        stored = {str(line["folder"]): line for line in lines}  # the form of dsel's exports
    elif isinstance(stored, list) and len(stored) == len(folders):
        stored = dict(zip(folders, stored, strict=True))
    if not isinstance(stored, dict):
        raise SourceError(
            f"{label} must map the class folders to names, or list one name for each of the "
            f"{len(folders)} class folders in sorted order"
        )
    return _of_folders(label, stored, folders, is_order)


def _of_folders(
    label: str, stored: Mapping[str, Any], folders: Sequence[str], is_order: bool
) -> _Stored:
    """Return the names of these folders; composed and decomposed letters are the same."""
    folder_of = {normalize("NFC", folder): folder for folder in folders} | {f: f for f in folders}
    by_folder: dict[str, Any] = {}
    for key, value in stored.items():
        folder = folder_of.get(key) or folder_of.get(normalize("NFC", key))
        if folder is not None:
            by_folder[folder] = value
    if stored and not by_folder:
        raise SourceError(
            f"{label} names none of the class folders: its keys are {', '.join(shown([*stored]))}; "
            f"the folders are {', '.join(shown(folders))}"
        )
    names = {folder: _checked_names(label, folder, value) for folder, value in by_folder.items()}
    return _Stored(names, is_order, tuple(_gaps(label, stored, by_folder, folders)))


def _gaps(
    label: str, stored: Mapping[str, Any], named: Mapping[str, Any], folders: Sequence[str]
) -> Iterable[str]:
    """Yield notes on folders without a name, and on names without a folder where both exist."""
    missing = [folder for folder in folders if folder not in named]
    if not missing:
        return
    yield f"{label} has no name for {', '.join(shown(missing))}: their folders name these"
    known = {normalize("NFC", folder) for folder in folders}
    if unused := [key for key in stored if normalize("NFC", key) not in known]:
        yield f"{label} names folders that are not there: {', '.join(shown(unused))}"


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
