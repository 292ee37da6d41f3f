"""Categories of true objects matched with the classes of a run, by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dsel.assets import imagenet_names
from dsel.errors import shown
from dsel.runs.run import Run

_WNID = re.compile("(n[0-9]{8})([_-].*)?")


@dataclass(frozen=True, slots=True)
class ObjectClasses:
    """Which categories are those of each class.

    of_class: the categories of a class by its index; every object counts in a class without any.
    folders: all names of classes and categories, `folded`. notes: where every object counts.
    """

    of_class: Mapping[int, Collection[str]]
    folders: Collection[str]
    notes: tuple[str, ...]

    def fits(self, class_index: int, category: str) -> bool:
        """Return whether objects of a category are those of a class."""
        own = self.of_class[class_index]
        return not own or category in own


def object_classes(run: Run, categories: Collection[str]) -> ObjectClasses:
    """Match categories with the classes of a run that have the same name or folder.

    Case and separators count only where they tell categories apart.
    """
    names = _class_names(run)
    of_class = {index: _same(found, categories) for index, found in names.items()}
    every = {folded(name) for found in names.values() for name in found}
    return ObjectClasses(
        of_class, every | set(map(folded, categories)), _notes(run, of_class, categories)
    )


def folded(name: str) -> str:
    """Return a name without case, with single spaces for all separators."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return " ".join(re.split(r"[\s_.-]+", plain)).strip()


def _class_names(run: Run) -> Mapping[int, set[str]]:
    """Return the names of each class with images: its own, its folder, and those of its synset."""
    names: dict[int, set[str]] = {}
    for row in run.images:
        own = names.setdefault(row.class_index, {run.identity.classes[row.class_index]})
        folder, slash, _ = row.id.partition("/")
        if slash:
            own.add(folder)
    for own in names.values():
        wnids = {found[1] for name in own if (found := _WNID.fullmatch(name))}
        own |= wnids.union(*(imagenet_names().get(wnid, ()) for wnid in wnids))
    return names


def _same(names: Collection[str], categories: Iterable[str]) -> frozenset[str]:
    """Return the categories with one of these names, in any spelling if in none exactly."""
    alike = set(map(folded, names))
    found = frozenset(one for one in categories if folded(one) in alike)
    return found.intersection(names) or found


def _notes(
    run: Run, of_class: Mapping[int, Collection[str]], categories: Collection[str]
) -> tuple[str, ...]:
    joined = "all objects of an image are joined, whatever they are"
    if not categories:
        return (f"the file has no categories: {joined}",)
    without = [run.identity.classes[index] for index, own in of_class.items() if not own]
    if not without:
        return ()
    if len(without) < len(of_class):
        joined = "all objects of their images are joined, whatever they are"
    return (
        f"none of the file's categories ({', '.join(shown(sorted(categories)))}) is named like the "
        f"class {', '.join(shown(without))}: {joined}",
    )
