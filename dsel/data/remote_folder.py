"""Image folders behind a URL: the layout of `dsel.data.image_folder`, the same images and ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dsel.config import SourceSettings
from dsel.contents import Structure
from dsel.data.base import (
    choose_folders,
    fingerprint_files,
    list_images,
    note_left_out,
    origin_of,
    pictures_only,
    require_images,
)
from dsel.data.class_folders import find_base
from dsel.data.class_names import name_folders
from dsel.data.images import MAX_FILE_BYTES
from dsel.data.indexed import IndexedImages
from dsel.data.places import Place
from dsel.data.tree import ListedTree
from dsel.errors import UnreadableImage

KIND: Final = "image folder"


@dataclass(frozen=True)
class _Files:
    """The files of the images by row, and their sizes."""

    base: Place
    paths: Sequence[str]
    sizes: Sequence[int]

    def fetch(self, row: int) -> bytes:
        """Return the bytes of one image; raises `UnreadableImage`."""
        if self.sizes[row] > MAX_FILE_BYTES:
            raise UnreadableImage(
                f"has {self.sizes[row] / 2**30:.1f} GiB; dsel reads image files of at most 1 GiB"
            )
        return (self.base / self.paths[row]).part(0, self.sizes[row])


def open_remote_folder(place: Place, settings: SourceSettings) -> IndexedImages:
    """List the images of a folder of class folders behind a URL, or of one of its splits."""
    tree = ListedTree(
        place.files, lambda path: str(place / path), lambda path: (place / path).content() or b""
    )
    found = find_base(tree, settings.split)
    named = name_folders(tree, found.path, tree.folders(found.path))
    chosen = choose_folders(named.names, settings.classes)
    by_folder = _by_folder(place.files, found.path)
    files = [by_folder.get(folder, {}) for folder in chosen]
    pictures = [pictures_only(of_class) for of_class in files]
    refs, sizes = list_images(pictures, settings)
    names = tuple(chosen.values())
    require_images(tree.label(found.path), [first for first, *_ in names], refs)
    notes = (*found.notes, *named.notes, note_left_out(files, pictures))
    used = _Files(place / found.path, [ref.id for ref in refs], [sizes[ref.id] for ref in refs])
    return IndexedImages(
        names, refs, {ref.id: row for row, ref in enumerate(refs)}, used.fetch,
        fingerprint_files(KIND, names, refs, used.sizes, settings.max_px),
        origin_of(str(place), settings, found.split),
        Structure(found.split, tuple(chosen), tuple(filter(None, notes))), settings.max_px,
    )  # fmt: skip


def _by_folder(sizes: Mapping[str, int], base: str) -> Mapping[str, dict[str, int]]:
    """Return the files of each folder below `base`, by their paths below `base`."""
    prefix = f"{base}/" if base else ""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for path, size in sizes.items():
        below = path.removeprefix(prefix)
        folder, slash, _ = below.partition("/")
        if path.startswith(prefix) and slash:
            found[folder][below] = size
    return found
