"""COCO JSON: its images, categories and annotations, checked entry by entry."""

from __future__ import annotations

import json
import reprlib
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dsel.config.overrides import plain_id
from dsel.data.images import MAX_PIXELS
from dsel.errors import SourceError, storage_errors

MOST_BYTES: Final = 1 << 30
"""The largest file that is read; the largest of COCO itself has 0.5 GiB."""

Annotation = Mapping[str, Any]
"""One object as the file has it: its `bbox`, `segmentation` and more."""


@dataclass(frozen=True, slots=True)
class TrueObject:
    """One object of a picture.

    label: names it in messages. category: the name of its category, empty in a file without any.
    """

    label: str
    category: str
    annotation: Annotation


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the file, its size in pixels, and its objects without crowd regions.

    crowds: number of the regions that were left out.
    """

    name: str
    width: int
    height: int
    objects: tuple[TrueObject, ...]
    crowds: int


@dataclass(frozen=True, slots=True)
class CocoFile:
    """The pictures of a file by name, and the names of its categories."""

    pictures: Mapping[str, Picture]
    categories: Collection[str]


def read_coco(path: Path) -> CocoFile:
    """Read a file of true objects.

    Raises `SourceError`, with the entry that is wrong, for a file that is not valid COCO JSON.
    """
    content = _content(path)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        what = _other_format(content) or _NESTED.get(type(error), str(error))
        raise SourceError(f"{path} is not COCO JSON with images and annotations: {what}") from error
    if missing := _missing(record):
        raise SourceError(f"{path} is not COCO JSON with images and annotations: {missing}")
    try:
        return _file(record)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


def short(value: object) -> str:
    """Return a value as it appears in a message, cut to a length that fits one line."""
    return _SHORT.repr(value)


_SHORT: Final = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother = 120, 60


def _content(path: Path) -> bytes:
    with storage_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError as error:
            raise SourceError(f"{path} does not exist: {_ADVICE}") from error
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path} is a folder, not a file: {_ADVICE}")
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise SourceError(f"{path} is a pipe or a device, not a file: {_ADVICE}")
        if status.st_size > MOST_BYTES:
            raise SourceError(
                f"{path} has {status.st_size / 2**30:.1f} GiB; dsel reads true boxes from at most "
                f"{MOST_BYTES >> 30} GiB: keep the entries of the run's images"
            )
        return path.read_bytes()


_ADVICE: Final = "name a COCO JSON file, such as the boxes.json next to the images"


def _other_format(content: bytes) -> str:
    """Return what a file is that is not JSON; empty if it is nothing known."""
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return "it is XML, as of Pascal VOC; convert it to COCO JSON"
    line = start.partition(b"\n")[0].split()
    if len(line) >= 5 and all(map(_is_number, line)):
        return "it has rows of numbers, as YOLO labels do; convert it to COCO JSON"
    return ""


_NESTED: Final[Mapping[type, str]] = {RecursionError: "it is nested too deeply"}


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _missing(record: Any) -> str:
    """Return what a record lacks to be COCO's; empty if it lacks nothing."""
    if not isinstance(record, dict):
        return f"it is {_KINDS.get(type(record), 'a value')}, not an object with both lists"
    for name in ("images", "annotations"):
        if name not in record:
            return f"it has no {name}, only {', '.join(map(short, list(record)[:9])) or 'nothing'}"
        if not isinstance(record[name], list):
            return f"its {name} must be a list, got {short(record[name])}"
    return ""


_KINDS: Final[Mapping[type, str]] = {list: "a list", str: "a text", int: "a number"}


def _file(record: Mapping[str, Any]) -> CocoFile:
    """Check and join the lists; raises `SourceError` with the entry that is wrong."""
    names = _category_names(record.get("categories") or [])
    images = _images(record["images"])
    objects: dict[str, list[TrueObject]] = {key: [] for key in images}
    crowds = dict.fromkeys(images, 0)
    for number, entry in enumerate(record["annotations"]):
        key, found = _object(number, entry, images, names)
        if _is_set(entry.get("iscrowd")) or _is_set(entry.get("ignore")):
            crowds[key] += 1
        else:
            objects[key].append(found)
    pictures = {
        name: Picture(name, width, height, tuple(objects[key]), crowds[key])
        for key, (name, width, height) in images.items()
    }
    return CocoFile(pictures, sorted(set(names.values())))


def _category_names(entries: Any) -> Mapping[str, str]:
    """Return the name of each category by its id."""
    if not isinstance(entries, list):
        raise SourceError(f"its categories must be a list, got {short(entries)}")
    names: dict[str, str] = {}
    for label, key, entry in _with_ids("categories", entries):
        name = entry.get("name")
        if not isinstance(name, str) or not name.strip():
            raise SourceError(f"{label} must have a name, got {short(name)}")
        if names.setdefault(key, name) != name:
            raise SourceError(
                f"the categories {short(names[key])} and {short(name)} have the same id {key:.60}: "
                "their objects cannot be told apart"
            )
    return names


def _images(entries: Sequence[Any]) -> Mapping[str, tuple[str, int, int]]:
    """Return name, width and height of each image by its id."""
    images: dict[str, tuple[str, int, int]] = {}
    by_name: dict[str, str] = {}
    for label, key, entry in _with_ids("images", entries):
        name = entry.get("file_name")
        if not isinstance(name, str) or not name.strip():
            raise SourceError(f"{label} must have a file_name, got {short(name)}")
        if key in images:
            raise SourceError(
                f"the images {short(images[key][0])} and {short(name)} have the same id {key:.60}: "
                "their objects cannot be told apart; give every image an id of its own"
            )
        if by_name.setdefault(plain_id(name), key) != key:
            first = by_name[plain_id(name)]
            raise SourceError(
                f"{short(name)} is listed twice, as the images {first:.60} and {key:.60}"
            )
        images[key] = name, *_size(f"{label} ({short(name)})", entry)
    return images


def _size(label: str, entry: Mapping[str, Any]) -> tuple[int, int]:
    sides = [_whole(entry.get(side)) for side in ("width", "height")]
    width, height = (side if side is not None and side > 0 else 0 for side in sides)
    if not (width and height):
        given = f"{short(entry.get('width'))} x {short(entry.get('height'))}"
        raise SourceError(f"{label} must have a width and a height in whole pixels, got {given}")
    if width * height > MAX_PIXELS:
        raise SourceError(
            f"{label} has {short(width)} x {short(height)} px, more than the "
            f"{MAX_PIXELS // 1_000_000} megapixels that dsel reads"
        )
    return width, height


def _object(
    number: int,
    entry: Any,
    images: Mapping[str, tuple[str, int, int]],
    names: Mapping[str, str],
) -> tuple[str, TrueObject]:
    """Return an annotation and the id of its image."""
    if not isinstance(entry, dict):
        raise SourceError(f"annotations[{number}] must be an object, got {short(entry)}")
    label = f"annotations[{number}]"
    if entry.get("id") is not None:
        label = f"annotation {short(entry['id'])}"
    key = _id(entry.get("image_id"))
    if key is None or key not in images:
        raise SourceError(
            f"{label} has the image_id {short(entry.get('image_id'))}, which is the id of no image"
        )
    label += f" ({short(images[key][0])})"
    category = _id(entry.get("category_id"))
    if names and (category is None or category not in names):
        raise SourceError(
            f"{label} has the category_id {short(entry.get('category_id'))}, which is the id of "
            "no category"
        )
    return key, TrueObject(label, names.get(category or "", ""), entry)


def _with_ids(kind: str, entries: Sequence[Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield entries with their names for messages and their ids."""
    for number, entry in enumerate(entries):
        label = f"{kind}[{number}]"
        if not isinstance(entry, dict):
            raise SourceError(f"{label} must be an object, got {short(entry)}")
        key = _id(entry.get("id"))
        if key is None:
            raise SourceError(f"{label} must have an id, got {short(entry.get('id'))}")
        yield label, key, entry


def _id(value: Any) -> str | None:
    """Return an id as text, since some tools write 17 and "17" in one file; None for no id."""
    if isinstance(value, str):
        return value.strip() or None
    whole = _whole(value)
    return None if whole is None else str(whole)


def _is_set(flag: Any) -> bool:
    return flag is True or _id(flag) == "1"


def _whole(value: Any) -> int | None:
    """Return a whole number, which may be written as 17.0; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None
