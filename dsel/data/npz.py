"""Arrays in .npz files, for datasets such as CIFAR: one file, or a folder of parts.

Keys: `images` uint8 (N, H, W, 3) or (N, H, W); `labels` whole numbers (N,) that count from 0;
`classes`, the class names (C,); and optionally `names` (N,), the images' own names.
"""

from __future__ import annotations

import hashlib
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.contents import Structure
from dsel.data.base import limit, origin_of, require_images, restrict
from dsel.data.places import Place
from dsel.errors import SourceError, UnreadableImage, shown
from dsel.types import ImageRef, Pixels

MAX_BYTES: Final = 16 << 30
_REQUIRED: Final = ("images", "labels", "classes")
_READ_ERRORS: Final = (
    OSError, ValueError, EOFError, LookupError, RuntimeError, MemoryError, TypeError, SyntaxError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip

_Array = NDArray[Any]


@dataclass(frozen=True)
class ArrayDataset:
    """The images of an .npz file. An id is the image's own name, or its padded position."""

    classes: tuple[str, ...]
    fingerprint: str
    origin: Mapping[str, str | int | Sequence[str]]
    refs: Sequence[ImageRef]
    images: NDArray[np.uint8]
    rows: Mapping[str, int]
    structure: Structure

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """Each class has one name."""
        return tuple((name,) for name in self.classes)

    def read(self, ref: ImageRef) -> Pixels:
        """Return a copy of one image; gray becomes three equal channels."""
        if ref.id not in self.rows:
            raise UnreadableImage("is not in the dataset")
        pixels = self.images[self.rows[ref.id]]
        return np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else np.array(pixels, order="C")

    def orientation(self, ref: ImageRef) -> int:  # noqa: ARG002  (the same for all)
        """Return 1: arrays are stored upright."""
        return 1


def open_arrays(path: Path | Place, settings: SourceSettings) -> ArrayDataset:
    """Load an .npz file, or the parts in a folder; images keep their order within their class.

    In a folder, the files with the split in their name are used, by default train.
    """
    parts = _parts(path, settings.split)
    stored = _joined([_load_checked(part) for part in parts])
    names_all = _text(stored["classes"])
    classes = restrict(names_all, settings.classes)
    labels, ids = stored["labels"], _ids(stored, len(stored["labels"]))
    refs: list[ImageRef] = []
    for index, name in enumerate(classes):
        rows = np.flatnonzero(labels == names_all.index(name))
        refs += limit([ImageRef(ids[row], index) for row in rows], settings)
    require_images(path, classes, refs)
    sampled = [] if settings.sample_seed is None else [settings.sample_seed]
    return ArrayDataset(
        classes=classes,
        fingerprint=fingerprint(*map(_sha256, parts), list(classes), settings.per_class, *sampled),
        origin=origin_of(str(path.resolve()), settings),
        refs=refs,
        images=stored["images"],
        rows={id_: row for row, id_ in enumerate(ids)},
        structure=_structure(path, parts),
    )


def _structure(path: Path | Place, parts: Sequence[Path | Place]) -> Structure:
    """Name the parts of a folder that are read, and note the others."""
    if not isinstance(path, Path) or not path.is_dir():
        return Structure()
    unused = [file.name for file in sorted(path.glob("*.npz")) if file not in parts]
    note = f"{', '.join(shown(unused))} in {path} are not read: choose a part with --split"
    return Structure(
        split=", ".join(shown([part.name for part in parts])), notes=(note,) if unused else ()
    )


def _parts(path: Path | Place, split: str) -> Sequence[Path | Place]:
    if not isinstance(path, Path) or not path.is_dir():
        if split:
            raise SourceError(f"{path} has no splits: leave --split out, got {split!r}")
        return [path]
    files = sorted(path.glob("*.npz"))
    chosen = [file for file in files if (split or "train") in file.stem]
    if not chosen and split:
        raise SourceError(
            f"{path} has no .npz file with {split!r} in its name; it has "
            f"{', '.join(shown([file.name for file in files]))}"
        )
    return chosen or files


def _load_checked(path: Path | Place) -> dict[str, _Array]:
    stored = _load(path)
    _check(path, stored, _text(stored["classes"]))
    return stored | {"path": np.array(str(path))}


def _joined(parts: Sequence[Mapping[str, _Array]]) -> Mapping[str, _Array]:
    """Join the parts of a dataset, which must have the same classes and image size."""
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        same_size = part["images"].shape[1:] == first["images"].shape[1:]
        if not same_size or _text(part["classes"]) != _text(first["classes"]):
            raise SourceError(
                f"{part['path']} does not match {first['path']}: classes and image sizes must be "
                "the same; give one file instead of the folder"
            )
    keys = (
        ("images", "labels", "names") if all("names" in p for p in parts) else ("images", "labels")
    )
    joined = {key: np.concatenate([part[key] for part in parts]) for key in keys}
    return joined | {"classes": first["classes"]}


def _load(path: Path | Place) -> dict[str, _Array]:
    """Load each member once: if compressed, every access may take seconds."""
    with _clear_errors(path), path.open("rb") as file, zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [key for key in _REQUIRED if key not in members]
        if missing:
            raise SourceError(
                f"{path} has no {', '.join(missing)}: an .npz dataset has {', '.join(_REQUIRED)}; "
                f"this one has {', '.join(shown(list(members))) or 'nothing'}"
            )
        stored: dict[str, _Array] = {}
        for key in (*_REQUIRED, "names"):
            if key in members:
                with archive.open(members[key]) as stream:
                    _check_header(f"{path}: {key}", stream, members[key].file_size)
                with archive.open(members[key]) as stream:
                    stored[key] = np.lib.format.read_array(stream, allow_pickle=False)
        return stored


@contextmanager
def _clear_errors(path: Path | Place) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise SourceError(f"no permission to read {path}") from error
    except _READ_ERRORS as error:
        text = " ".join(str(error).split())[:200]
        raise SourceError(f"{path} is not a readable .npz file: {text}") from error


def _check_header(what: str, stream: IO[bytes], stored_bytes: int) -> None:
    """Refuse an array by its header alone: pickled objects, and more bytes than `MAX_BYTES`."""
    first = np.lib.format.read_magic(stream) == (1, 0)
    lib = np.lib.format
    shape, _, dtype = (lib.read_array_header_1_0 if first else lib.read_array_header_2_0)(stream)
    if dtype.hasobject:
        raise SourceError(
            f"{what} contains pickled Python objects, which can run code: save plain numbers or "
            "text"
        )
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise SourceError(
            f"{what} would take {size / 2**30:.0f} GiB of memory; at most {MAX_BYTES >> 30} GiB "
            "are loaded: use an image folder instead"
        )
    if size > stored_bytes:
        raise SourceError(
            f"{what} is cut off: its header lists {size} bytes, it has {stored_bytes}"
        )


def _check(path: Path | Place, stored: Mapping[str, _Array], classes: Sequence[str]) -> None:
    images, labels = stored["images"], stored["labels"]
    is_image = images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)
    if images.dtype != np.uint8 or not is_image or 0 in images.shape:
        raise SourceError(
            f"{path}: images must be uint8 of shape (N, H, W, 3) or (N, H, W), got {images.dtype} "
            f"of shape {images.shape}"
        )
    count = len(images)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise SourceError(
            f"{path}: labels must be whole numbers of shape ({count},), one per image, got "
            f"{labels.dtype} of shape {labels.shape}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(classes):
        raise SourceError(
            f"{path}: labels must be between 0 and {len(classes) - 1}, since there are "
            f"{len(classes)} classes, got {low} to {high}"
        )
    if len(set(classes)) != len(classes):
        raise SourceError(f"{path}: class names must differ, got {', '.join(shown(classes))}")
    if "names" in stored and stored["names"].shape != (count,):
        raise SourceError(
            f"{path}: names must have shape ({count},), one per image, got {stored['names'].shape}"
        )


def _ids(stored: Mapping[str, _Array], count: int) -> list[str]:
    names = _text(stored["names"]) if "names" in stored else []
    if len(names) == count and len(set(names)) == count:
        return names
    return [f"{row:08d}" for row in range(count)]


def _text(values: _Array) -> list[str]:
    """Return an array of text, bytes or numbers as text."""
    if values.dtype.kind == "S":
        return [value.decode("utf-8", "backslashreplace") for value in values.ravel().tolist()]
    return [str(value) for value in values.ravel().tolist()]


def _sha256(path: Path | Place) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
