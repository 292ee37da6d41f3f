"""Folders and files below a root, on disk or in a zip file, and questions about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from dsel.data.file_names import is_image_name, is_other_name

_DEPTH: Final = 4  # levels of folders that are searched for a picture


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


def join(path: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return f"{path}/{name}" if path and name else path or name


def ancestors(path: str) -> Iterator[str]:
    """Yield the folders from the root to a path, both included."""
    yield ""
    parts = path.split("/") if path else []
    yield from ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def has_files(tree: Tree, path: str) -> bool:
    """Return whether files that may be pictures are directly in a folder."""
    return not all(map(is_other_name, tree.others(path)))


def holds_files(tree: Tree, path: str, depth: int = _DEPTH) -> bool:
    """Return whether files that may be pictures are below a folder."""
    inner = tree.folders(path) if depth else ()
    return has_files(tree, path) or any(
        holds_files(tree, join(path, name), depth - 1) for name in inner
    )


def holds_pictures(tree: Tree, path: str, depth: int = _DEPTH) -> bool:
    """Return whether a file below a folder has the name of a picture."""
    inner = tree.folders(path) if depth else ()
    return any(map(is_image_name, tree.others(path))) or any(
        holds_pictures(tree, join(path, name), depth - 1) for name in inner
    )


def holds_suffix(tree: Tree, path: str, suffix: str) -> bool:
    """Return whether a file directly in a folder, or in a folder of it, has a suffix."""
    places = [path, *(join(path, name) for name in tree.folders(path))]
    return any(name.lower().endswith(suffix) for place in places for name in tree.others(place))
