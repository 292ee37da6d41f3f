"""What the readers share: choosing classes, limiting images, and saying what was opened."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.data.class_folders import Names
from dsel.errors import SettingError, SourceError, shown, unknown
from dsel.types import ImageRef

File = TypeVar("File")


def restrict(classes: Sequence[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Keep the wanted classes, in the dataset's own order; none wanted means all of them."""
    chosen = set(wanted) or set(classes)
    for name in sorted(chosen - set(classes)):
        raise unknown("class", name, shown(classes))
    return tuple(name for name in classes if name in chosen)


def meant(wanted: str, names: Iterable[Sequence[str]]) -> str:
    """Return the first name of the class that has this name; an unknown one comes back as it is."""
    found = [of_class[0] for of_class in names if wanted in of_class]
    if not found or wanted in found:  # what one class is called first may be another's second name
        return wanted
    if len(found) > 1:
        raise SettingError(
            f"class {wanted!r} may be {' or '.join(shown(found))}: give one of these"
        )
    return found[0]


def further_names(names: Iterable[Sequence[str]]) -> list[list[str]]:
    """What names add to a fingerprint beside the classes: nothing where each class has just one."""
    return [list(of_class) for of_class in names if len(of_class) > 1]


def choose_folders(by_folder: Mapping[str, Names], wanted: Iterable[str]) -> dict[str, Names]:
    """Keep the classes that are called by their folder or by any of their names; none means all."""
    by_name = {first: folder for folder, (first, *_) in by_folder.items()}
    every = by_folder.values()
    names = [by_folder[one][0] if one in by_folder else meant(one, every) for one in wanted]
    folders = [by_name[name] for name in restrict(list(by_name), names)]
    return {folder: by_folder[folder] for folder in folders}


def list_images(
    classes: Iterable[Mapping[str, File]], per_class: int
) -> tuple[list[ImageRef], dict[str, File]]:
    """Return the images of all classes in order, and their files by id.

    classes: the files of each class by id.
    """
    refs: list[ImageRef] = []
    files: dict[str, File] = {}
    for index, found in enumerate(classes):
        kept = limit((ImageRef(id_, index) for id_ in sorted(found)), per_class)
        refs += kept
        files |= {ref.id: found[ref.id] for ref in kept}
    return refs, files


def fingerprint_files(
    kind: str, names: Sequence[Names], refs: Iterable[ImageRef], marks: Iterable[object]
) -> str:
    """Name the content of files; the mark of each shows that it has changed."""
    digest = hashlib.sha256()
    for ref, mark in zip(refs, marks, strict=True):
        digest.update(f"{ref.class_index}\0{ref.id}\0{mark}\n".encode())
    further = further_names(names)
    parts = ([first for first, *_ in names], digest.hexdigest(), *([further] if further else []))
    return fingerprint(kind, *parts)


def limit(refs: Iterable[ImageRef], per_class: int) -> list[ImageRef]:
    """Keep the first images of each class; 0 keeps all."""
    seen: Counter[int] = Counter()
    kept = []
    for ref in refs:
        seen[ref.class_index] += 1
        if per_class == 0 or seen[ref.class_index] <= per_class:
            kept.append(ref)
    return kept


def require_images(source: Path | str, classes: Sequence[str], refs: Iterable[ImageRef]) -> None:
    """Refuse a class without images, since nothing can be chosen from it."""
    filled = {ref.class_index for ref in refs}
    empty = [name for index, name in enumerate(classes) if index not in filled]
    if empty:
        raise SourceError(
            f"{source}: no images in class {', '.join(shown(empty))}: add images, or choose other "
            "classes with --classes"
        )


def origin_of(source: str, settings: SourceSettings) -> Mapping[str, str | int | Sequence[str]]:
    """Say how to open the same dataset again."""
    return {
        "source": source,
        "split": settings.split,
        "classes": list(settings.classes),
        "per_class": settings.per_class,
        "scene_seed": settings.scene_seed,
    }
