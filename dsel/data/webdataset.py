"""WebDataset shards: tar files whose members with one key are an image and its label.

The key of a member is its path up to the first dot of its name, and the rest is its extension, as
in webdataset. Opening reads every header once, and the small members that are labels; an image is
read by its offset. Names are only keys: nothing is extracted, and no path or link is followed.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np

from dsel.config import SourceSettings
from dsel.data.file_names import IMAGE_SUFFIXES, is_hidden, suffix_of
from dsel.data.images import MAX_FILE_BYTES
from dsel.data.indexed import (
    LABEL_COLUMNS,
    NO_COLUMN,
    IndexedImages,
    Labels,
    Listing,
    index_images,
    labels_of,
)
from dsel.data.places import Place, beside, clear_errors
from dsel.data.split_files import chosen_places
from dsel.data.tar_headers import NO_FILE, TarFile, tar_files
from dsel.errors import SourceError, UnreadableImage, first_line, shown

MAX_LABEL_BYTES: Final = 1 << 20
"""The largest member that is read as a label."""

_IMAGES: Final = IMAGE_SUFFIXES | {".ppm", ".pgm", ".pbm", ".avif", ".jp2", ".qoi"}


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in a shard: its extension, and the place of its bytes."""

    extension: str
    offset: int
    size: int


@dataclass(slots=True)
class _Sample:
    """The members of one key that are images, and its small ones that may be the label."""

    key: str
    images: list[_Member] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    small: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _LabelRule:
    """Where the label of a sample is: an extension, a field of its JSON, or the folder in its key.

    Without an extension it is the folder.
    """

    extension: str = ""
    field: str = ""

    def label(self, sample: _Sample) -> Any:
        """Return a sample's label as text or number; None without one."""
        if not self.extension:
            return sample.key.rpartition("/")[0].rpartition("/")[2] or None
        content = sample.small.get(self.extension)
        if content is None:
            return None
        if self.field:
            return _json(content).get(self.field)
        text = content.decode("utf-8", "replace").strip()
        return int(text) if text.isascii() and text.removeprefix("-").isdecimal() else text or None


@dataclass(frozen=True)
class _Shards:
    """The images of shards by row: the shard, offset and size of each."""

    places: Sequence[Place]
    shards: Any
    offsets: Any
    sizes: Any

    def fetch(self, row: int) -> bytes:
        """Return the bytes of one image; raises `UnreadableImage`."""
        size = int(self.sizes[row])
        if size == NO_FILE:
            raise UnreadableImage("is a link in the tar file, which dsel does not follow")
        if size > MAX_FILE_BYTES:
            raise UnreadableImage(
                f"has {size / 2**30:.1f} GiB; dsel reads image files of at most 1 GiB"
            )
        data: bytes = self.places[self.shards[row]].part(int(self.offsets[row]), size)
        if len(data) < size:
            raise UnreadableImage("is cut off in the tar file")
        return data


def open_webdataset(
    places: Sequence[Place], settings: SourceSettings, source: str
) -> IndexedImages:
    """Index tar files, or the files of one split in a folder.

    source: what the manifest calls them.
    """
    shards, chosen = chosen_places(places, ".tar", source, settings)
    index = _Index(source, settings)
    for number, place in enumerate(shards):
        for sample in _samples(place):
            index.add(number, sample)
    if not index.names:
        raise SourceError(f"{source} has no images: none of its members has the name of one")
    labels = _with_folders(labels_of(index.labels, f"labels of {source}"), index.names)
    tree = beside(places[0] if places[0].is_dir() else places[0].parent)
    notes = (*chosen.notes, *index.notes)
    listing = Listing(labels, index.names, index.sizes, split=chosen.split, notes=notes)
    fetch = _Shards(shards, *map(np.array, (index.shards, index.offsets, index.sizes))).fetch
    return index_images("webdataset", source, tree, listing, fetch, settings)


class _Index:
    """Collects the rows of samples."""

    def __init__(self, source: str, settings: SourceSettings) -> None:
        self.source, self.settings = source, settings
        self.rule: _LabelRule | None = None
        self.labels: list[Any] = []
        self.names: list[str] = []
        self.shards: list[int] = []
        self.offsets: list[int] = []
        self.sizes: list[int] = []
        self.without_image = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about samples that are left out."""
        count = self.without_image
        return (f"{count} samples have no image and are left out",) if count else ()

    def add(self, shard: int, sample: _Sample) -> None:
        """Add a sample that has an image."""
        image = self._image(sample)
        if image is None:
            self.without_image += 1
            return
        if self.rule is None:
            self.rule = _label_rule(self.source, sample, self.settings.label_column)
        self.labels.append(self.rule.label(sample))
        self.names.append(f"{sample.key}.{image.extension}")
        self.shards.append(shard)
        self.offsets.append(image.offset)
        self.sizes.append(image.size)

    def _image(self, sample: _Sample) -> _Member | None:
        wanted = self.settings.image_column.lower().removeprefix(".")
        found = [one for one in sample.images if not wanted or one.extension.lower() == wanted]
        if len(found) > 1:
            listed = ", ".join(shown([one.extension for one in found]))
            raise SourceError(
                f"{self.source}: {sample.key} has several images ({listed}): choose an extension "
                "with --image-column"
            )
        return found[0] if found else None


def _label_rule(source: str, sample: _Sample, wanted: str) -> _LabelRule:
    """Return where labels are, by the first sample; raises `SourceError` with what decides."""
    fields = _json(sample.small["json"]) if "json" in sample.small else {}
    if wanted == NO_COLUMN or not wanted:
        if not wanted and "cls" in sample.extensions:
            return _LabelRule("cls")
        usual = [name for name in fields if name.lower() in LABEL_COLUMNS]
        if not wanted and len(usual) == 1:
            return _LabelRule("json", usual[0])
        if "/" in sample.key and len(usual) < 2:
            return _LabelRule()
    elif wanted in sample.small:
        return _LabelRule(wanted)
    elif wanted in fields:
        return _LabelRule("json", wanted)
    others = [one for one in sample.extensions if suffix_of(f"x.{one}") not in _IMAGES]
    known = [*(one for one in others if one != "json"), *fields]
    what = (
        f"{sample.key} has no label {wanted!r}" if wanted else "it is not clear what the label is"
    )
    raise SourceError(
        f"{source}: {what}: give an extension or a field of the JSON with --label-column "
        f"({', '.join(shown(known)) or 'there is none'})"
    )


def _with_folders(labels: Labels, names: Sequence[str]) -> Labels:
    """Return labels that are numbers with the folders of the keys, where each has its own one."""
    folders = [name.rpartition("/")[0].rpartition("/")[2] for name in names]
    if not labels.is_order or not all(folders):
        return labels
    pairs = {*zip(labels.codes.tolist(), folders, strict=True)}
    folder_of = dict(pairs)
    if len(pairs) != len(folder_of) or len(pairs) != len({*folder_of.values()}) or -1 in folder_of:
        return labels
    keys = tuple(folder_of.get(code, key) for code, key in enumerate(labels.keys))
    return Labels(keys, labels.codes, is_order=True) if len({*keys}) == len(keys) else labels


def _json(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _samples(place: Place) -> Iterator[_Sample]:
    """Yield the samples of a shard in order: members with one key, next to each other."""
    current: _Sample | None = None
    with _damaged_unless_read(place), place.open() as stream:
        for name, file in _members(stream):
            key, extension = _key(name)
            if current is None or current.key != key:
                if current is not None:
                    yield current
                current = _Sample(key)
            _add(current, _Member(extension, file.offset, file.size), stream)
    if current is not None:
        yield current


def _add(sample: _Sample, member: _Member, stream: IO[bytes]) -> None:
    sample.extensions.append(member.extension)
    if suffix_of(f"x.{member.extension}") in _IMAGES:
        sample.images.append(member)
    elif 0 <= member.size <= MAX_LABEL_BYTES:
        stream.seek(member.offset)
        sample.small[member.extension] = stream.read(member.size)


def _members(stream: IO[bytes]) -> Iterator[tuple[str, TarFile]]:
    """Yield the files of a tar file by their names, which are made relative."""
    for file in tar_files(stream):
        parts = [part for part in file.name.split("/") if part not in ("", ".", "..")]
        if parts and not any(map(is_hidden, parts)):
            yield "/".join(parts), file


def _key(name: str) -> tuple[str, str]:
    """Return the key and the extension of a member."""
    folder, slash, last = name.rpartition("/")
    stem, _, extension = last.partition(".")
    return f"{folder}{slash}{stem}", extension


@contextmanager
def _damaged_unless_read(place: Place) -> Iterator[None]:
    try:
        with clear_errors(str(place)):
            yield
    except tarfile.TarError as error:
        raise SourceError(
            f"{place} is not a readable tar file, or only a part of one: {first_line(error)}; a "
            "compressed one must be unpacked"
        ) from error
