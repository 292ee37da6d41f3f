"""Class folders: which folders of a tree they are, and which split they are in.

Layout: ROOT/CLASS/any/depth/file, or ROOT/SPLIT/CLASS/... with a split such as train, Testing or
seg_train; ROOT may contain a single folder with all of it, and so may a split. Files beside the
class folders are not images. What a folder's name means is decided by all folders beside it: a
class may be called train. Where that is ambiguous, and for layouts that are no class folders, the
tree is refused with the setting that decides. The names of the classes are in
`dsel.data.class_names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dsel.data.other_layouts import (
    annotated_layout,
    is_container,
    is_label_word,
    is_layout_word,
    packed_layout,
)
from dsel.data.split_names import OTHER, TRAIN, kind_of, kinds_of
from dsel.data.tree import Tree, ancestors, has_files, holds_files, holds_pictures, join
from dsel.errors import SourceError, shown, unknown

NO_SPLIT: Final = "none"
"""The split that means: the folders are classes, whatever their names."""

_TOP_LEVELS: Final = 6  # folders around everything, one in another
_INNER_LEVELS: Final = 3
_CHECKED: Final = 3  # class folders that are looked into
_AS_CLASSES: Final = f"--split {NO_SPLIT} if these folders are the classes"


@dataclass(frozen=True, slots=True)
class Base:
    """The folder with the class folders, the path of the split that it is in, and notes."""

    path: str
    split: str = ""
    notes: tuple[str, ...] = ()


def find_base(tree: Tree, split: str = "") -> Base:
    """Return the folder with the class folders, in the split if one is named.

    Raises `SourceError` where there are none or where they are ambiguous, and `SettingError` for an
    unknown split.
    """
    if split == NO_SPLIT:
        return _checked(tree, Base(_top(tree)))
    top = _top(tree)
    if split:
        named = _inner(tree, _named_split(tree, top, split))
        base = _detected_inside(tree, named) or Base(named, named)
    else:
        _refuse_other(tree, top)
        base = _detected(tree, top) or Base(top)
    _refuse_other(tree, base.path)
    _refuse_splits_in_classes(tree, base.path)
    return _checked(tree, base)


def _detected(tree: Tree, top: str) -> Base | None:
    """Return the base in the split below a folder; None where its folders are classes."""
    split = _detected_split(tree, top)
    return Base(_inner(tree, split), split, _unused(tree, top, split)) if split else None


def _detected_inside(tree: Tree, named: str) -> Base | None:
    """Return the base in a split below a named folder; its classes may be named like splits."""
    inner = (join(named, name) for name in kinds_of(tree.folders(named)))
    return _detected(tree, named) if any(_has_class_folders(tree, name) for name in inner) else None


def _top(tree: Tree) -> str:
    """Return the innermost folder around everything, or the root if there is none."""
    path = ""
    for _ in range(_TOP_LEVELS):
        inner = _single(tree, path) or _container(tree, path)
        if not inner:
            break
        path = join(path, inner)
    return path


def _single(tree: Tree, path: str) -> str:
    """Return the single folder in a folder if it contains folders and no images, and no split."""
    folders = tree.folders(path)
    inner = join(path, folders[0]) if len(folders) == 1 else ""
    # A class may have folders too, but then there are images beside them.
    if not inner or not tree.folders(inner) or has_files(tree, inner):
        return ""
    is_split = kind_of(folders[0]) and not kinds_of(tree.folders(inner))
    return "" if is_split else folders[0]


def _container(tree: Tree, path: str) -> str:
    """Return the folder such as images that has the class folders, if no other has pictures.

    Beside folders of labels alone it may have any name.
    """
    folders = tree.folders(path)
    containers = [name for name in folders if is_container(name)]
    containers = containers or [name for name in folders if not is_label_word(name)]
    if len(containers) != 1 or len(folders) == 1 or kinds_of(folders):
        return ""
    (found,) = containers
    inner = join(path, found)
    if not tree.folders(inner) or has_files(tree, inner) or annotated_layout(tree, path):
        return ""
    beside = (join(path, name) for name in folders if name != found)
    return "" if any(holds_pictures(tree, name) for name in beside) else found


def _named_split(tree: Tree, top: str, split: str) -> str:
    """Return the path of the split with this name or path, in any spelling."""
    for above in ancestors(top):
        path = above
        for name in split.split("/"):
            path = join(path, name) if name in tree.folders(path) else ""
            if not path:
                break
        else:
            return path
    folders = tree.folders(top)
    kinds = kinds_of(folders)
    same_text = [name for name in folders if name.casefold() == split.casefold()]
    same_kind = [name for name in kinds if kind_of(split) and kinds[name] == kind_of(split)]
    for found in (same_text, same_kind):
        if len(found) == 1:
            return join(top, found[0])
    raise unknown("split", split, shown(folders) or ["none"])


def _detected_split(tree: Tree, top: str) -> str:
    """Return the path of the split below `top` to use; empty where its folders are classes."""
    folders = tree.folders(top)
    if not (kinds := kinds_of(folders)):
        return ""
    beside = [n for n in folders if n not in kinds and holds_pictures(tree, join(top, n))]
    if _is_class(tree, top, list(kinds), beside):
        return ""
    with_classes = [name for name in kinds if _has_class_folders(tree, join(top, name))]
    if not with_classes and not beside:
        if not any(holds_files(tree, join(top, name)) for name in kinds):
            return ""  # they are empty
        raise SourceError(
            f"{tree.label(top)} has the splits {_listed(kinds)} without class folders: put each "
            "class's images in a folder named after the class, as in train/cat, or give "
            f"{_AS_CLASSES}"
        )
    # Two kinds of splits are no classes, whatever is beside them, if one has class folders.
    if beside and not (with_classes and len({*kinds.values()} - {OTHER}) > 1):
        raise SourceError(
            f"{tree.label(top)} has folders named like splits ({_listed(kinds)}) beside others "
            f"({_listed(beside)}): give {_choices(with_classes or list(kinds))}, or {_AS_CLASSES}"
        )
    return join(top, _chosen(tree, top, kinds, with_classes))


def _is_class(tree: Tree, top: str, named: Sequence[str], beside: Sequence[str]) -> bool:
    """Return whether a folder called train is a class, like those beside it: bus, car."""
    if len(named) != 1 or named[0].lower() != TRAIN:
        return False
    alike = (join(top, name) for name in (*named, *beside))
    has_class = any(not is_layout_word(name) for name in beside)
    return has_class and all(has_files(tree, path) for path in alike)


def _has_class_folders(tree: Tree, path: str) -> bool:
    """Return whether a split has folders with files, and not only one called as it is."""
    inner = _inner(tree, path)
    folders = tree.folders(inner)
    if len(folders) == 1 and kind_of(folders[0]) == kind_of(path.rpartition("/")[2]) != "":
        return False
    return any(holds_files(tree, join(inner, name)) for name in folders)


def _chosen(tree: Tree, top: str, kinds: Mapping[str, str], with_classes: Sequence[str]) -> str:
    """Return the training split, or the only one."""
    train = [name for name in kinds if kinds[name] == TRAIN]
    usable = [name for name in train if name in with_classes]
    if len(usable) == 1:
        return usable[0]
    if not train and len(kinds) == 1:
        return with_classes[0]
    raise SourceError(
        f"{tree.label(top)} has the splits {_listed(with_classes)}: choose one with --split"
    )


def _inner(tree: Tree, path: str) -> str:
    """Return the folder in a split that has its class folders: seg_train in seg_train, images."""
    name = path.rpartition("/")[2]
    for _ in range(_INNER_LEVELS):
        folders = tree.folders(path)
        (inner,) = folders if len(folders) == 1 else ("",)
        again = inner.casefold() == name.casefold() or is_container(inner)
        again = again or (kind_of(inner) == kind_of(name) != "")
        below = join(path, inner)
        if not (inner and again and tree.folders(below) and not has_files(tree, below)):
            inner = _container(tree, path)
        if not inner:
            break
        path = join(path, inner)
    return path


def _unused(tree: Tree, top: str, split: str) -> tuple[str, ...]:
    """Return a note on the folders beside a split, which are not read."""
    used = split.rpartition("/")[2]
    beside = [name for name in tree.folders(top) if name != used]
    return (f"the split {used} is read, and not {_listed(beside)}",) if beside else ()


def _refuse_other(tree: Tree, path: str) -> None:
    """Raise `SourceError` for a layout that is no class folders."""
    if packed := packed_layout(tree, path):
        raise SourceError(
            f"{tree.label(path)} looks like {packed}, and not like one folder of images per "
            "class: give an image folder, or a .zip, .npz, .parquet or .tar file"
        )
    first = tree.folders(path)[:1]
    looks = annotated_layout(tree, path) or next(
        (found for name in first if (found := _annotated_class(tree, join(path, name)))), ""
    )
    if looks:
        raise SourceError(
            f"{tree.label(path)} looks like {looks}, and not like one folder of images per class: "
            f"sort the images into folders named after their classes, or give {_AS_CLASSES}"
        )


def _annotated_class(tree: Tree, path: str) -> str:
    """Return the layout of a folder that is no class, such as VOC2012; empty for a class."""
    looks = annotated_layout(tree, path)
    return looks if len(tree.folders(path)) > 1 and not has_files(tree, path) else ""


def _refuse_splits_in_classes(tree: Tree, base: str) -> None:
    """Raise `SourceError` for CLASS/SPLIT, whose splits would be mixed."""
    for name in tree.folders(base)[:_CHECKED]:
        inner = tree.folders(join(base, name))
        kinds = kinds_of(inner)
        mixed = len(set(kinds.values())) > 1 and len(kinds) == len(inner)
        if mixed and not has_files(tree, join(base, name)):
            raise SourceError(
                f"{tree.label(base)} has splits inside of its classes ({name}/{inner[0]}, "
                f"{name}/{inner[1]}): put the classes into the splits ({inner[0]}/{name}), or give "
                f"--split {NO_SPLIT} to mix them"
            )


def _checked(tree: Tree, base: Base) -> Base:
    """Return the same with all notes; raises `SourceError` where there are no class folders."""
    if folders := tree.folders(base.path):
        notes = (*base.notes, *_nested(tree, join(base.path, folders[0])))
        return Base(base.path, base.split, notes)
    if has_files(tree, base.path):
        raise SourceError(
            f"{tree.label(base.path)} contains images but no class folders: put each class's "
            "images in a folder named after the class"
        )
    what = "has no class folders" if any(tree.others(base.path)) else "is empty"
    raise SourceError(
        f"{tree.label(base.path)} {what}: it must contain one folder of images per class"
    )


def _nested(tree: Tree, path: str) -> Iterator[str]:
    """Yield a note on a class whose images are all in folders inside it."""
    inner = tree.folders(path)
    if len(inner) > 1 and not has_files(tree, path):
        name = path.rpartition("/")[2]
        yield f"{name} is one class, with the images of all folders in it ({_listed(inner)})"


def _listed(names: Mapping[str, str] | Sequence[str]) -> str:
    return ", ".join(shown(list(names)))


def _choices(names: Sequence[str]) -> str:
    return " or ".join(f"--split {name}" for name in names[:_CHECKED])
