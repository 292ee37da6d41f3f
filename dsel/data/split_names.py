"""Which folder names are those of splits: train, Testing, validation_set, seg_train, val2017."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

TRAIN: Final = "train"
OTHER: Final = "other"
"""The kind of splits without labels, which count only beside splits of another kind."""

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("train", "training", "trn", "trainval", "traindev"), TRAIN)
    | dict.fromkeys(("val", "valid", "validate", "validation", "minival"), "val")
    | dict.fromkeys(("dev", "devel", "development"), "dev")
    | dict.fromkeys(("test", "testing", "tst", "eval", "evaluate", "evaluation"), "test")
    | dict.fromkeys(("holdout", "heldout"), "test")
    | dict.fromkeys(("unlabeled", "unlabelled", "extra", "pred", "predict", "prediction"), OTHER)
    | dict.fromkeys(("predictions",), OTHER)
)
"""Words for splits, and the kind of each."""

_FILLERS: Final = frozenset({
    "set", "sets", "split", "splits", "image", "images", "img", "imgs", "picture", "pictures",
    "pic", "pics", "photo", "photos", "data", "dataset", "folder", "dir", "file", "files", "jpg",
    "jpeg", "png", "full", "all", "final", "seg", "cls", "class", "classes", "classification",
    "crop", "crops", "cropped", "resized", "small", "large", "clean", "public", "private", "the",
    "px", "ilsvrc", "imagenet", "x", "v",
})  # fmt: skip
"""Words beside the one for the split that say nothing else."""


def kind_of(name: str) -> str:
    """Return the kind of split that a folder's name says alone: train, val, dev, test or other.

    Empty for any other name.
    """
    kind, rest = _parsed(name)
    return kind if all(word in _FILLERS for word in rest) else ""


def kinds_of(names: Iterable[str]) -> dict[str, str]:
    """Return the kinds of those names, among siblings, that are names of splits.

    Names with further words count where another sibling differs in nothing but the split, such as
    flowers_train beside flowers_test.
    """
    parsed = {name: _parsed(name) for name in names}
    kinds = defaultdict(set)
    for kind, rest in parsed.values():
        if kind:
            kinds[rest].add(kind)
    found = {
        name: kind
        for name, (kind, rest) in parsed.items()
        if kind and (all(word in _FILLERS for word in rest) or len(kinds[rest]) > 1)
    }
    return found if set(found.values()) - {OTHER} else {}


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: TrainImages_2017 has train and images."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W\d_]+", spaced.casefold())


def _parsed(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of the one word for a split, and the other words; no kind without one."""
    kinds: list[str] = []
    rest: list[str] = []
    for word in words_of(re.sub("(?i)held[-_ ]?out|hold[-_ ]?out", "holdout", name)):
        kind, filler = _kind_of_word(word)
        if kind:
            kinds.append(kind)
        rest += [filler] if filler else []
    if kinds == [TRAIN, "val"]:  # train_val, one split of both
        kinds = [TRAIN]
    return (kinds[0] if len(kinds) == 1 else ""), tuple(rest)


def _kind_of_word(word: str) -> tuple[str, str]:
    """Return the kind that a word says, and what else is in it: trainset has train and set."""
    if word in _WORDS:
        return _WORDS[word], ""
    for known, kind in _WORDS.items():
        if word.startswith(known) and word.removeprefix(known) in _FILLERS:
            return kind, word.removeprefix(known)
        if word.endswith(known) and word.removesuffix(known) in _FILLERS:
            return kind, word.removesuffix(known)
    return "", word
