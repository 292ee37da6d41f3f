"""File names of other tools matched with the ids of a run's images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath

from dsel.config.overrides import plain_id
from dsel.runs.object_classes import folded


def match_names(
    names: Collection[str], image_ids: Collection[str], folders: Collection[str] = ()
) -> Mapping[str, str]:
    """Return the file name that belongs to each image id, for those that have one.

    An id matches the same file name. Otherwise the longest end of the id, cut at a slash, that
    occurs in exactly one file name and one id decides. Backslashes are slashes, letters may be in
    any Unicode normal form, and case counts only where it tells names apart. folders: class
    folders, as `folded`; an image in one of them is never one in another folder.
    """
    known = frozenset(names)
    matched = {image_id: image_id for image_id in image_ids if image_id in known}
    for key in (plain_id, _without_case):
        by_end, own = _by_unique_end(names, key), _by_unique_end(image_ids, key)
        taken = set(matched.values())
        for image_id in image_ids:
            ends = (e for e in _ends(key(image_id)) if e in by_end and own.get(e) == image_id)
            end = next(ends, None)
            if end is None or image_id in matched or by_end[end] in taken:
                continue
            if not _in_other_folder(key(by_end[end]), key(image_id), end, folders):
                matched[image_id] = by_end[end]
    return matched


def _without_case(path: str) -> str:
    return plain_id(path).casefold()


def _by_unique_end(paths: Collection[str], key: Callable[[str], str]) -> Mapping[str, str]:
    """Return the paths by those of their ends that are the end of no other path."""
    count = Counter(end for path in paths for end in _ends(key(path)))
    return {end: path for path in paths for end in _ends(key(path)) if count[end] == 1}


def _in_other_folder(name: str, image_id: str, end: str, folders: Collection[str]) -> bool:
    """Return whether a file name's folder before the common end is another class folder."""
    mine, other = (folded(PurePosixPath(path.removesuffix(end)).name) for path in (image_id, name))
    return bool(mine) and other in folders and mine != other


def _ends(path: str) -> list[str]:
    """Return a path, the path without its first folder, and so on to the file name."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ["/".join(parts[start:]) for start in range(len(parts))]
