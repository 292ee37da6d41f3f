"""Files and folders by path or URL: anything that fsspec reaches, such as s3:// and hf://buckets.

A `Place` answers what the readers ask of a `pathlib.Path`, so that one reader serves both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from itertools import product
from types import MappingProxyType
from typing import Any, Final, Self, cast

from dsel.data.class_names import CLASSES_FILE
from dsel.data.file_names import is_hidden, suffix_of
from dsel.data.tree import ListedTree
from dsel.errors import SourceError, UnreadableImage, first_line

TRIES: Final = 3
"""Times that a part of a remote file is asked for."""

BLOCK_BYTES: Final = 1 << 18
"""What a remote file is read in, at least."""

_LIBRARIES: Final[Mapping[str, str]] = MappingProxyType({
    "http": '"dsel[hub]"', "https": '"dsel[hub]"', "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
    "az": "adlfs", "abfs": "adlfs",
})  # fmt: skip
"""What pip installs for a kind of URL. Those of the clouds pin versions that dsel does not."""

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")
_MOST_FILES: Final = 100_000  # that braces may spell

_CLIENTS: Final = frozenset({"aiohttp", "botocore", "aiobotocore", "google", "gcsfs", "httpx"})
"""Libraries of remote file systems whose errors are not all those of the operating system."""


@dataclass(frozen=True)
class Place:
    """A file or folder: the file system of fsspec, the path in it, and the source as it is named.

    text: what messages and manifests call it; for a local one its path.
    """

    fs: Any
    path: str
    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> Self:
        joined = (f"{one.rstrip('/')}/{name}" if name else one for one in (self.path, self.text))
        return type(self)(self.fs, *joined)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot, in lower case."""
        return suffix_of(self.path)

    @property
    def is_local(self) -> bool:
        """Whether it is on a disk of this machine."""
        return "file" in _protocols(self.fs)

    @property
    def parent(self) -> Place:
        """The folder that it is in."""
        path, text = (one.rstrip("/").rpartition("/")[0] for one in (self.path, self.text))
        return Place(self.fs, path, text)

    def resolve(self) -> Self:
        """Return the same: a URL has no other form."""
        return self

    def is_dir(self) -> bool:
        """Whether it is a folder; raises `SourceError` without access."""
        with clear_errors(self.text):
            return bool(self.fs.isdir(self.path))

    def is_file(self) -> bool:
        """Whether it is a file; raises `SourceError` without access."""
        with clear_errors(self.text):
            return bool(self.fs.isfile(self.path))

    def exists(self) -> bool:
        """Whether there is such a file or folder; raises `SourceError` without access."""
        with clear_errors(self.text):
            return bool(self.fs.exists(self.path))

    def open(self, mode: str = "rb") -> BufferedReader:
        """Open a file, which is read in ranges."""
        how = {} if self.is_local else {"block_size": BLOCK_BYTES}
        return cast("BufferedReader", self.fs.open(self.path, mode, **how))

    def size(self) -> int:
        """Return the bytes of a file; raises `SourceError`."""
        with clear_errors(self.text):
            return int(self.fs.size(self.path))

    def content(self) -> bytes | None:
        """Return a whole small file; None if there is no such file."""
        with clear_errors(self.text):
            return bytes(self.fs.cat_file(self.path)) if self.fs.isfile(self.path) else None

    def part(self, start: int, size: int) -> bytes:
        """Return bytes of a file, fewer at its end.

        Raises `UnreadableImage` if the file is gone, and `SourceError` if it cannot be reached:
        that is no fault of the image, and the same command resumes.
        """
        for left in reversed(range(TRIES)):
            try:
                with clear_errors(self.text):
                    return bytes(self.fs.cat_file(self.path, start=start, end=start + size))
            except MissingError as error:
                raise UnreadableImage("cannot be opened: there is no such file") from error
            except SourceError:
                if not left:
                    raise
        raise AssertionError  # the last try returns or raises

    @cached_property
    def files(self) -> Mapping[str, int]:
        """The sizes of all files below a folder, by their paths below it, without hidden ones."""
        with clear_errors(self.text):
            found = self.fs.find(self.path, detail=True)
        start = len(self.path.rstrip("/")) + 1
        sizes = {path[start:]: int(info["size"] or 0) for path, info in found.items()}
        visible = sorted(path for path in sizes if not any(map(is_hidden, path.split("/"))))
        return {path: sizes[path] for path in visible}


def beside(folder: Place, paths: Sequence[str] = (CLASSES_FILE,)) -> ListedTree:
    """Return the tree of the classes.json in a folder, at the first of these paths that exists."""
    found = next((folder / path for path in paths if (folder / path).is_file()), None)
    return ListedTree(
        [CLASSES_FILE] if found else [],
        lambda _: str(found),
        lambda _: (found.content() if found else None) or b"",
    )


class MissingError(SourceError):
    """There is no such file or folder."""


def is_url(source: str) -> bool:
    """Return whether a source is a URL, such as s3://bucket/photos, and not a path."""
    return _URL.match(source) is not None


def place_of(source: str) -> Place:
    """Return the place of a path or URL; raises `SourceError` for a file system that is missing."""
    import fsspec

    try:
        with clear_errors(source):
            fs, path = fsspec.core.url_to_fs(source)
    except ImportError as error:
        library = _LIBRARIES.get(source.partition("://")[0].lower(), "")
        install = f"pip install {library}" if library else first_line(error)
        raise SourceError(f"{source} needs a library that is not installed: {install}") from error
    except ValueError as error:  # an unknown protocol
        raise SourceError(f"{source} cannot be opened: {first_line(error)}") from error
    return Place(fs, path, source if is_url(source) else path)


def spelled_files(source: str) -> list[Place]:
    """Return the files that a path or URL with {000..009}, {a,b} or * spells, in order.

    Raises `SourceError` where one is missing.
    """
    found: list[Place] = []
    for text in _expanded(source):
        place = place_of(text)
        with clear_errors(text):
            paths = sorted(place.fs.glob(place.path)) if "*" in text else [place.path]
        if not paths or ("*" not in text and not place.is_file()):
            raise SourceError(f"{source}: there is no file {text}")
        found += [_sibling(place, path) for path in paths]
    return found


def is_pattern(source: str) -> bool:
    """Return whether a source spells several files: {000..009}, {a,b} or *."""
    return "*" in source or any(True for _ in _parts(source))


def _sibling(place: Place, path: str) -> Place:
    if path == place.path:
        return place
    return Place(place.fs, path, place.fs.unstrip_protocol(path) if is_url(place.text) else path)


def _parts(source: str) -> Iterator[re.Match[str]]:
    """Yield the braces that spell something: numbers from one to another, or words."""
    for found in _BRACES.finditer(source):
        if "," in found[1] or _RANGE.fullmatch(found[1]):
            yield found


def _expanded(source: str) -> list[str]:
    found = list(_parts(source))
    choices = [_choices(source, one[1]) for one in found]
    if not found:
        return [source]
    pieces, at = [], 0
    for one in found:
        pieces.append(source[at : one.start()])
        at = one.end()
    texts = []
    for chosen in product(*choices):
        texts.append(
            "".join(piece + word for piece, word in zip(pieces, chosen, strict=True)) + source[at:]
        )
        if len(texts) > _MOST_FILES:
            raise SourceError(f"{source} spells more than {_MOST_FILES} files")
    return texts


def _choices(source: str, inner: str) -> list[str]:
    found = _RANGE.fullmatch(inner)
    if found is None:
        return inner.split(",")
    low, high = int(found[1]), int(found[2])
    if not low <= high < low + _MOST_FILES:
        raise SourceError(f"{source}: {{{inner}}} must count upwards, to at most {_MOST_FILES}")
    return [f"{number:0{len(found[1])}d}" for number in range(low, high + 1)]


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


@contextmanager
def clear_errors(text: str) -> Iterator[None]:
    """Turn what file systems raise into one line: not found, no access, not reached."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(f"{text} cannot be read: there is no such file or folder") from error
    except PermissionError as error:
        raise SourceError(
            f"no access to {text}: check its name, its permissions and your credentials"
        ) from error
    except OSError as error:
        raise SourceError(
            f"{text} cannot be read: {error.strerror or first_line(error)}"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise SourceError(f"{text} cannot be read: {first_line(error)}") from error
