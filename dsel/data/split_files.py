"""Which files of a folder of Parquet or tar files are read: those of one split of one subset.

The names are those of the Hugging Face Hub: train-00000-of-00002.parquet, data/train-00.tar,
SUBSET/train/0000.parquet. Files of no split are one of their own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dsel.config import SourceSettings
from dsel.data.class_folders import NO_SPLIT
from dsel.data.places import Place
from dsel.data.split_names import TRAIN, kind_of
from dsel.errors import SourceError, shown, unknown

_NUMBER: Final = re.compile(r"[-_.]?\d+([-_.]of[-_.]\d+)?$")
_NO_SUBSET: Final = frozenset({"data", "shards"})


@dataclass(frozen=True, slots=True)
class ChosenFiles:
    """The paths of the files to read, in order, the split that they are, and notes."""

    paths: tuple[str, ...]
    split: str = ""
    notes: tuple[str, ...] = ()


def chosen_places(
    places: Sequence[Place], suffix: str, source: str, settings: SourceSettings
) -> tuple[list[Place], ChosenFiles]:
    """Return the files that are read of these, or of a folder: those with a suffix in one split."""
    folder = places[0]
    if len(places) > 1 or not folder.is_dir():
        return list(places), ChosenFiles(())
    found = (path for path in folder.files if path.lower().endswith(suffix))
    chosen = choose_files(source, found, settings)
    return [folder / path for path in chosen.paths], chosen


def choose_files(label: str, paths: Iterable[str], settings: SourceSettings) -> ChosenFiles:
    """Return the files of the subset and the split that the settings name, or of the only ones.

    Raises `SourceError` where there are several, and `SettingError` for an unknown one.
    """
    subsets: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(paths):
        subset, split = _placed(path)
        subsets[subset][split].append(path)
    splits = _subset(label, subsets, settings.subset)
    if settings.split == NO_SPLIT:
        return ChosenFiles(tuple(sorted(path for files in splits.values() for path in files)))
    split = chosen_split(label, list(splits), settings.split)
    others = [other for other in splits if other != split]
    note = f"the split {split} is read, and not {', '.join(shown(sorted(others)))}"
    return ChosenFiles(tuple(splits[split]), split, (note,) if others else ())


def chosen_split(label: str, splits: Sequence[str], wanted: str) -> str:
    """Return the split of this name or of the same kind; without a name the training split.

    Raises `SourceError` where it must be named, and `SettingError` for an unknown one.
    """
    if wanted:
        alike = [one for one in splits if kind_of(one) == kind_of(wanted) != ""]
        if wanted in splits:
            return wanted
        if len(alike) == 1:
            return alike[0]
        raise unknown("split", wanted, shown(sorted(filter(None, splits))) or ["none"])
    train = [one for one in splits if kind_of(one) == TRAIN]
    if len(splits) == 1 or len(train) == 1:
        return train[0] if train else splits[0]
    named = sorted(one or "files of no split" for one in splits)
    raise SourceError(f"{label} has the splits {', '.join(shown(named))}: choose one with --split")


def chosen_subset(label: str, subsets: Sequence[str], wanted: str) -> str:
    """Return the subset of this name, or the only one; raises as `chosen_split` does."""
    if wanted:
        if wanted in subsets:
            return wanted
        raise unknown("subset", wanted, shown(sorted(filter(None, subsets))) or ["none"])
    if len(subsets) == 1:
        return subsets[0]
    named = sorted(one or "files of no subset" for one in subsets)
    raise SourceError(
        f"{label} has the subsets {', '.join(shown(named))}: choose one with --subset"
    )


def _subset(
    label: str, subsets: Mapping[str, Mapping[str, list[str]]], wanted: str
) -> Mapping[str, list[str]]:
    return subsets[chosen_subset(label, list(subsets), wanted)]


def _placed(path: str) -> tuple[str, str]:
    """Return the subset and the split of a file, by its path."""
    *folders, name = path.split("/")
    stem = _NUMBER.sub("", name.rpartition(".")[0])
    split = next((part for part in (stem, *reversed(folders)) if kind_of(part)), "")
    above = [part for part in folders if part != split and part.lower() not in _NO_SUBSET]
    return "/".join(above), split
