"""Datasets that are an index of rows, each with a label, a name and a size.

The ids are those that a folder of class folders has, whatever the kind of source: the class's own
word, a slash and the name of the image below it. A row without a name, or with one that occurs
more than once, is named by its number.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.config import SourceSettings
from dsel.contents import Structure
from dsel.data.base import (
    choose_folders,
    fingerprint_files,
    list_images,
    origin_of,
    require_images,
)
from dsel.data.class_names import Names, name_folders, numbered_folders
from dsel.data.images import decode, orientation_of
from dsel.data.tree import Tree
from dsel.errors import SourceError, UnreadableImage, shown
from dsel.types import ImageRef, Pixels

LABEL_COLUMNS: Final = (
    "label", "labels", "class", "class_name", "class_label", "classname", "category", "cls",
    "target",
)  # fmt: skip
"""Names of columns and fields, in lower case, that are read as labels without being asked for."""

NO_COLUMN: Final = "none"
"""The label column that means: the class folders are the labels."""

_MOST_NUMBERS: Final = 100_000  # classes that are numbers from 0


@dataclass(frozen=True, slots=True)
class Labels:
    """The label of each of N rows.

    keys: the words of the labels. codes: (N,), each row's index in `keys`, below 0 without a label.
    is_order: whether the classes have the order of `keys`, and not the sorted one.
    """

    keys: tuple[str, ...]
    codes: NDArray[np.int64]
    is_order: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The N rows of a source.

    names: of the images, empty without one; marks: what changes with each, such as its size; none
    if `content` alone names the content of all.
    """

    labels: Labels
    names: Sequence[str]
    marks: Sequence[int] = ()
    content: str = ""
    split: str = ""
    notes: tuple[str, ...] = ()


class _Last(threading.local):
    """The image that a thread has read last: its pixels and its orientation are asked for."""

    id = ""
    data: bytes | Path = b""

    def __reduce__(self) -> tuple[type[_Last], tuple[()]]:
        return _Last, ()


class IndexedImages:
    """Images that are read by the number of their row. Use `index_images`."""

    def __init__(
        self, names: tuple[Names, ...], refs: Sequence[ImageRef], rows: Mapping[str, int],
        fetch: Callable[[int], bytes | Path], fingerprint: str,
        origin: Mapping[str, str | int | Sequence[str]], structure: Structure, max_px: int,
    ) -> None:  # fmt: skip
        self.names, self.refs, self.fingerprint = names, refs, fingerprint
        self.origin, self.structure = origin, structure
        self.classes = tuple(first for first, *_ in names)
        self._rows, self._fetch, self._max_px, self._last = rows, fetch, max_px, _Last()

    def read(self, ref: ImageRef) -> Pixels:
        """Decode one image; raise `UnreadableImage` with a reason."""
        return decode(self._content(ref), self._max_px)

    def orientation(self, ref: ImageRef) -> int:
        """Return the EXIF orientation, 1 to 8, that `read` turned an image by."""
        return orientation_of(self._content(ref))

    def _content(self, ref: ImageRef) -> bytes | Path:
        if ref.id not in self._rows:
            raise UnreadableImage("is not in the dataset")
        if self._last.id != ref.id:
            self._last.data = self._fetch(self._rows[ref.id])
            self._last.id = ref.id
        return self._last.data


def index_images(
    kind: str,
    source: str,
    tree: Tree,
    listing: Listing,
    fetch: Callable[[int], bytes | Path],
    settings: SourceSettings,
) -> IndexedImages:
    """Return the images of a listing as a dataset.

    kind: part of the fingerprint. source: what the manifest and messages call it. tree: where a
    classes.json may be. fetch: returns the file of a row, or raises `UnreadableImage`.
    """
    labels = _with_folders(listing.labels, tree)
    named = name_folders(tree, "", labels.keys, is_ordered=labels.is_order)
    chosen = choose_folders(named.names, settings.classes)
    rows, notes = _rows_by_id(labels, listing.names, chosen)
    if not settings.classes:
        notes += _without_images(chosen, rows)
        chosen = {key: names for key, names in chosen.items() if rows[key]}
    refs, used = list_images([rows[key] for key in chosen], settings)
    if not refs:
        raise SourceError(f"{source}: no row has a label")
    require_images(source, [first for first, *_ in chosen.values()], refs)
    names = tuple(chosen.values())
    marks = (listing.marks[used[ref.id]] for ref in refs) if listing.marks else [""] * len(refs)
    parts = f"{kind} {listing.content}".strip(), names, refs, marks, settings.max_px
    return IndexedImages(
        names, refs, used, fetch, fingerprint_files(*parts),
        origin_of(source, settings, listing.split),
        Structure(listing.split, tuple(chosen), (*listing.notes, *named.notes, *notes)),
        settings.max_px,
    )  # fmt: skip


def labels_of(values: Sequence[Any] | NDArray[Any], what: str) -> Labels:
    """Return labels that are texts or whole numbers, or None for rows without one.

    Numbers count from 0 and are their own words. Raises `SourceError` for anything else.
    """
    known: dict[Any, int] = {None: -1}
    codes = np.array([known.setdefault(value, len(known) - 1) for value in values], np.int64)
    found = [value for value in known if value is not None]
    if all(isinstance(value, str) and value for value in found):
        return Labels(tuple(found), codes)
    if all(isinstance(value, int) and not isinstance(value, bool) for value in found):
        return numbered(np.array([-1 if v is None else v for v in values], np.int64))
    wrong = next(value for value in found if not value or not isinstance(value, str))
    raise SourceError(f"{what} must be texts or whole numbers, got {wrong!r}")


def numbered(numbers: NDArray[np.int64], names: Sequence[str] = ()) -> Labels:
    """Return labels that are numbers from 0, with the names that the source has for them.

    Numbers below 0 are no label. Raises `SourceError` for one beyond the names.
    """
    most = int(numbers.max(initial=-1))
    if names:
        if most >= len(names):
            raise SourceError(f"label {most} is beyond the {len(names)} names of the classes")
        return Labels(tuple(names), numbers, is_order=True)
    if most < _MOST_NUMBERS:
        return Labels(tuple(map(str, range(most + 1))), numbers, is_order=True)
    found = np.unique(numbers[numbers >= 0])
    codes = np.where(numbers < 0, -1, np.searchsorted(found, numbers))
    return Labels(tuple(map(str, found.tolist())), codes, is_order=True)


def _with_folders(labels: Labels, tree: Tree) -> Labels:
    """Return labels that are numbers with the folders that dsel's own classes.json has for them."""
    folders = numbered_folders(tree)
    if not folders or not all(key.isdecimal() for key in labels.keys):
        return labels
    return Labels(
        tuple(folders.get(int(key), key) for key in labels.keys), labels.codes, is_order=True
    )


def _rows_by_id(
    labels: Labels, names: Sequence[str], chosen: Mapping[str, Names]
) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """Return the row of each image by id, for each chosen class, and notes on the others."""
    keys = [key if key in chosen else "" for key in labels.keys]
    codes = labels.codes.tolist()
    ids = [
        _id(keys[code], names[row], row) if code >= 0 and keys[code] else ""
        for row, code in enumerate(codes)
    ]
    counts = Counter(ids)
    repeated = {id_ for id_, count in counts.items() if count > 1}
    by_class: dict[str, dict[str, int]] = {key: {} for key in chosen}
    renamed = 0
    for row, (code, id_) in enumerate(zip(codes, ids, strict=True)):
        if not id_:
            continue
        unique = id_
        if id_ in repeated:
            renamed += 1
            unique = f"{keys[code]}/{row:08d}_{id_.rpartition('/')[2]}"
        by_class[keys[code]][unique] = row
    return by_class, _row_notes(labels, renamed)


def _row_notes(labels: Labels, renamed: int) -> tuple[str, ...]:
    notes = []
    if without := int((labels.codes < 0).sum()):
        notes.append(f"{without} of {len(labels.codes)} images have no label and are left out")
    if renamed:
        notes.append(
            f"{renamed} images have the name of another one: the number of the row is added"
        )
    return tuple(notes)


def _without_images(
    chosen: Mapping[str, Names], rows: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    # A number below the largest one need not be a class.
    empty = [
        f for key, (f, *_) in chosen.items() if not rows[key] and not (key == f and f.isdecimal())
    ]
    if not empty or len(empty) == len(chosen):
        return ()
    return (f"no image is of the classes {', '.join(shown(empty))}: they are left out",)


def _id(key: str, name: str, row: int) -> str:
    """Return the id of an image: its path from the class's folder on, where the name has one.

    Any other relative name is taken whole, an absolute one by its end.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not parts:
        return f"{key}/{row:08d}"
    folders = parts[:-1]
    if name.startswith("/"):  # the folders above may have any names
        at = len(folders) - folders[::-1].index(key) if key in folders else len(folders)
    else:
        at = folders.index(key) + 1 if key in folders else 0
    return "/".join((key, *parts[at:]))
