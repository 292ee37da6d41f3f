"""What the readers share: choosing classes, limiting images, fingerprint and origin."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar
from unicodedata import normalize

from dsel.config import SourceSettings
from dsel.config.base import fingerprint
from dsel.data.class_names import Names
from dsel.data.file_names import picture_paths
from dsel.data.images import MAX_PIXELS
from dsel.errors import SettingError, SourceError, shown, unknown
from dsel.types import ImageRef

File = TypeVar("File")  # whatever a reader stores per image

_FURTHER: Final = ("sample_seed", "subset", "image_column", "label_column", "max_megapixels")
"""Settings that a manifest has only where they are not the default."""


def restrict(classes: Sequence[str], wanted: Collection[str]) -> tuple[str, ...]:
    """Return the wanted classes in the dataset's own order; all of them if none are named.

    Raises `SettingError` for an unknown class, and `SourceError` for names that look alike, unless
    they are named in full.
    """
    chosen = set(wanted) or set(classes)
    for name in sorted(chosen - set(classes)):
        raise unknown("class", name, shown(classes))
    if not wanted:
        _refuse_alike(classes)
    return tuple(name for name in classes if name in chosen)


def _refuse_alike(classes: Sequence[str]) -> None:
    """Raise `SourceError` for names that differ only in case or in how letters are composed."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(normalize("NFC", name).casefold(), name)
        if other != name:
            raise SourceError(
                f"the classes {other!r} and {name!r} have the same name but for their case or "
                "accents: rename or merge them, or list all classes with --classes",
                classes=[other, name],
            )


def first_name(wanted: str, names: Iterable[Sequence[str]]) -> str:
    """Return the first name of the class with this name; an unknown name is returned unchanged.

    Raises `SettingError` for a name of several classes (fields: name, known).
    """
    found = [of_class[0] for of_class in names if wanted in of_class]
    if not found or wanted in found:  # one class's first name may be another's second
        return wanted
    if len(found) > 1:
        raise SettingError(
            f"class name {wanted!r} is ambiguous: use {' or '.join(shown(found))}",
            name=wanted,
            known=found,
        )
    return found[0]


def further_names(names: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return what names add to a fingerprint: those of the classes with more than one."""
    return [list(of_class) for of_class in names if len(of_class) > 1]


def choose_folders(by_folder: Mapping[str, Names], wanted: Iterable[str]) -> dict[str, Names]:
    """Return the classes wanted by folder or by any of their names; all if none are named."""
    by_name = {first: folder for folder, (first, *_) in by_folder.items()}
    every = by_folder.values()
    names = [by_folder[one][0] if one in by_folder else first_name(one, every) for one in wanted]
    folders = [by_name[name] for name in restrict(list(by_name), names)]
    return {folder: by_folder[folder] for folder in folders}


def list_images(
    classes: Iterable[Mapping[str, File]], settings: SourceSettings
) -> tuple[list[ImageRef], dict[str, File]]:
    """Return the images of all classes in order, and their files by id.

    classes: the files of each class by id.
    """
    refs: list[ImageRef] = []
    files: dict[str, File] = {}
    for index, found in enumerate(classes):
        limited = limit([ImageRef(id_, index) for id_ in sorted(found)], settings)
        refs += limited
        files |= {ref.id: found[ref.id] for ref in limited}
    return refs, files


def pictures_only(files: Mapping[str, File]) -> dict[str, File]:
    """Return the files, by their paths, that are pictures and not files beside them."""
    chosen = picture_paths(files)
    return {path: file for path, file in files.items() if path in chosen}


def note_left_out(found: Iterable[Mapping[str, object]], used: Iterable[Collection[str]]) -> str:
    """Return a note on the files of all classes that are no pictures; empty without any."""
    pairs = zip(found, used, strict=True)
    left_out = [path for files, pictures in pairs for path in files if path not in pictures]
    if not left_out:
        return ""
    which = "1 file is no picture by its name and is"
    if len(left_out) > 1:
        which = f"{len(left_out)} files are no pictures by their names and are"
    return f"{which} left out, such as {min(left_out)}"


def fingerprint_files(
    kind: str,
    names: Sequence[Names],
    refs: Iterable[ImageRef],
    marks: Iterable[object],
    max_px: int = MAX_PIXELS,
) -> str:
    """Return a fingerprint of files; the mark of each, such as its size, changes with it.

    max_px: the largest image that is read; only a limit below dsel's own counts.
    """
    digest = hashlib.sha256()
    for ref, mark in zip(refs, marks, strict=True):
        digest.update(f"{ref.class_index}\0{ref.id}\0{mark}\n".encode())
    further = further_names(names)
    parts = ([first for first, *_ in names], digest.hexdigest(), *([further] if further else []))
    return fingerprint(kind, *parts, *([{"max_px": max_px}] if max_px != MAX_PIXELS else []))


def limit(refs: Sequence[ImageRef], settings: SourceSettings) -> list[ImageRef]:
    """Return at most `per_class` images of each class in their order; 0 returns all.

    They are the first ones, or with a `sample_seed` a random sample without replacement: those with
    the smallest hashes of seed and id. So a smaller sample is part of a larger one, and the sample
    does not depend on the kind of the source, the order of its images or the other classes.
    """
    if not settings.per_class:
        return list(refs)
    ranked = list(refs)
    if settings.sample_seed is not None:
        ranked.sort(key=lambda ref: _draw(settings.sample_seed, ref.id))
    seen: Counter[int] = Counter()
    chosen = set()
    for ref in ranked:
        seen[ref.class_index] += 1
        if seen[ref.class_index] <= settings.per_class:
            chosen.add(ref.id)
    return [ref for ref in refs if ref.id in chosen]


def _draw(seed: int | None, id_: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{id_}".encode()).digest()


def require_images(source: object, classes: Sequence[str], refs: Iterable[ImageRef]) -> None:
    """Raise `SourceError` for classes without images; fields: classes."""
    filled = {ref.class_index for ref in refs}
    empty = [name for index, name in enumerate(classes) if index not in filled]
    if empty:
        raise SourceError(
            f"{source}: no images in class {', '.join(shown(empty))}: add images, or choose other "
            "classes with --classes",
            classes=empty,
        )


def origin_of(
    source: str, settings: SourceSettings, split: str = ""
) -> Mapping[str, str | int | Sequence[str]]:
    """Return the settings that open the same dataset again, for the run's manifest.

    split: the one that was detected or named, as it is spelled in the source.
    """
    usual = SourceSettings()
    further = {
        name: getattr(settings, name)
        for name in _FURTHER
        if getattr(settings, name) != getattr(usual, name)
    }
    return {
        "source": source,
        "split": split or settings.split,
        "classes": list(settings.classes),
        "per_class": settings.per_class,
        "scene_seed": settings.scene_seed,
        **further,
    }
