"""What kind of source a path, URL or word is: which reader opens it, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from dsel.config import SourceSettings
from dsel.errors import SourceError

if TYPE_CHECKING:
    from dsel.data.places import Place

HUB: Final = "hf://"
RIGHT: Final = (
    "give an image folder, a .zip, .npz, .parquet or .tar file, hf://user/name, or the word toybox"
)

_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {".npz": "arrays", ".zip": "zip", ".parquet": "parquet", ".tar": "webdataset"}
)
_ARCHIVES: Final = ("arrays", "zip")
_HUB_FILES: Final = ("datasets/", "buckets/", "models/", "spaces/")
"""What follows hf:// in the addresses of files, which fsspec opens."""

_CLONE: Final = ("README.md", "dataset_infos.json")
"""Files of a dataset repository of the Hub."""

_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    "toybox": "renders scenes", "arrays": "is an .npz file", "zip": "is a zip file",
    "folder": "is an image folder", "remote folder": "is an image folder",
    "labelled": "is an image folder", "parquet": "is a table", "webdataset": "is of tar files",
})  # fmt: skip
_UNUSED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "toybox": ("sample_seed", "subset", "image_column", "label_column"),
    "arrays": ("subset", "image_column", "label_column"),
    "zip": ("subset", "image_column", "label_column"),
    "folder": ("subset", "image_column", "label_column"),
    "remote folder": ("subset", "image_column", "label_column"),
    "labelled": ("subset",),
})  # fmt: skip
"""Settings that a kind of source has no use for, which are refused and not ignored."""


@dataclass(frozen=True, slots=True)
class Found:
    """A kind of source, and the arguments that its reader takes before the settings."""

    kind: str
    source: Any
    further: tuple[Any, ...] = ()


def find_source(source: str, settings: SourceSettings) -> Found:
    """Return how a source is opened; raises `SourceError` for one that is no dataset.

    A folder that is itself called toybox is opened as ./toybox.
    """
    found = _found(source, settings)
    for name in _UNUSED.get(found.kind, ()):
        value, flag = getattr(settings, name), name.replace("_", "-")
        folders = name == "label_column" and value == "none"
        if value not in ("", None) and not folders:
            raise SourceError(
                f"{source} {_WORDS[found.kind]}, which has no {name.replace('_', ' ')}: omit "
                f"--{flag}, got {value!r}"
            )
    return found


def _found(source: str, settings: SourceSettings) -> Found:
    if source == "toybox":
        return Found("toybox", Path(source))
    if source.startswith(HUB) and not source.removeprefix(HUB).startswith(_HUB_FILES):
        return Found("hub", source)
    from dsel.data.places import is_pattern, is_url

    if is_url(source):
        return _remote(source, settings)
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _folder(path, settings)
        exists = path.exists()
    except OSError as error:  # a name that is too long, or a folder without permission
        raise SourceError(
            f"{source!r} cannot be opened: {error.strerror}", source=source
        ) from error
    kind = _FILES.get(path.suffix.lower(), "")
    if kind and (exists or is_pattern(source)):
        return _file(kind, path, exists, settings)
    raise not_a_dataset(source, exists)


def not_a_dataset(source: str, exists: bool) -> SourceError:
    """Return the error for a source that is of no kind."""
    if source.startswith("toybox:"):
        why = "the command has flags for what stands after the colon, such as --scene-seed; "
    else:
        why = "" if exists else "there is no such file or folder; "
    return SourceError(f"{source!r} is not a dataset: {why}{RIGHT}", source=source)


def _file(kind: str, path: Path, exists: bool, settings: SourceSettings) -> Found:
    if kind in _ARCHIVES:
        if not exists:
            raise not_a_dataset(str(path), exists)
        return Found(kind, path)
    from dsel.data.places import place_of, spelled_files

    text = str(path.parent.resolve() / path.name)
    _refuse_split(text, settings)
    return Found(kind, [place_of(text)] if exists else spelled_files(text), (text,))


def _folder(path: Path, settings: SourceSettings) -> Found:
    """Return the kind of a folder, by what is in it."""
    from dsel.data.hub import is_saved
    from dsel.data.image_folder import holds_class_folders, packed_files
    from dsel.data.labelled_folder import has_metadata
    from dsel.data.places import place_of

    if any(path.glob("*.npz")) and not holds_class_folders(path):  # beside those, they are strays
        return Found("arrays", path)
    place = place_of(str(path.resolve()))
    if is_saved(path):
        return Found("hub", place)
    if has_metadata(place, settings):
        return Found("labelled", place)
    kind = _FILES.get(packed_files(path), "")
    if kind == "parquet" and any((path / name).is_file() for name in _CLONE):
        return Found("hub", place)
    if kind in ("parquet", "webdataset"):
        return Found(kind, [place], (str(place),))
    return Found("folder", path)


def _remote(source: str, settings: SourceSettings) -> Found:
    from dsel.data.places import is_pattern, place_of, spelled_files

    place = place_of(source)
    kind = _FILES.get(place.suffix, "")
    if kind in ("parquet", "webdataset") and is_pattern(source):
        _refuse_split(source, settings)
        return Found(kind, spelled_files(source), (source,))
    if place.is_dir():
        return _remote_folder(place, settings)
    if not kind or not place.is_file():
        raise not_a_dataset(source, place.exists())
    if kind in _ARCHIVES:
        return Found(kind, place)
    _refuse_split(source, settings)
    return Found(kind, [place], (source,))


def _remote_folder(place: Place, settings: SourceSettings) -> Found:
    from dsel.data.file_names import IMAGE_SUFFIXES
    from dsel.data.labelled_folder import has_metadata

    if has_metadata(place, settings):
        return Found("labelled", place)
    suffixes = {Path(path).suffix.lower() for path in place.files}
    packed = [end for end in (".parquet", ".tar") if end in suffixes]
    if packed and not suffixes & IMAGE_SUFFIXES:
        return Found(_FILES[packed[0]], [place], (str(place),))
    return Found("remote folder", place)


def _refuse_split(source: str, settings: SourceSettings) -> None:
    """Raise `SourceError` for settings that choose among the files of a folder."""
    for name in ("split", "subset"):
        if value := getattr(settings, name):
            raise SourceError(
                f"{source} names its files, so they are no {name}s: omit --{name}, got {value!r}"
            )
