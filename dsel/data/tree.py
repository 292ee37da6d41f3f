"""Folders and files below a root, on disk or in a zip file, and questions about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from dsel.data.file_names import is_image_name, is_other_name

_DEPTH: Final = 4  # levels of folders that are searched for a picture
_LEVELS: Final = 10  # of folders that may be around the class folders, or are looked into


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


class ListedTree:
    """A `Tree` of files that are listed, as in a zip file; a path that ends with a / is a folder.

    name: returns the name of a path in messages. content: returns that of a small file that is
    listed.
    """

    def __init__(
        self, paths: Iterable[str], name: Callable[[str], str], content: Callable[[str], bytes]
    ) -> None:
        self._name, self._content = name, content
        self._files = set()
        self._inner: dict[str, dict[str, bool]] = defaultdict(dict)  # folder -> name -> is a folder
        for path in paths:
            self._files.add(path)
            *folders, last = path.split("/")
            for depth, folder in enumerate(folders[:_LEVELS]):
                self._inner["/".join(folders[:depth])][folder] = True
            if last and len(folders) < _LEVELS:
                self._inner["/".join(folders)].setdefault(last, False)

    def label(self, path: str) -> str:
        """Return the name of a path in messages."""
        return self._name(path)

    def folders(self, path: str) -> list[str]:
        """Return the sorted names of the folders in a folder that may be classes."""
        inner = self._inner.get(path, {})
        return sorted(name for name in inner if inner[name] and not is_image_name(name))

    def others(self, path: str) -> list[str]:
        """Return the names of everything else in a folder."""
        inner = self._inner.get(path, {})
        return [name for name in inner if not inner[name] or is_image_name(name)]

    def content(self, path: str) -> bytes | None:
        """Return the content of a small file; None if there is no such file."""
        return self._content(path) if path in self._files else None


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
