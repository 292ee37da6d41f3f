"""The labels of a class-conditional prior: the number of each class name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dsel.assets import imagenet_names
from dsel.errors import PriorError, SettingError

NEAR = 5  # names suggested for an unknown one


class Labels:
    """Maps class names to labels; ignores case and underscores, and knows all names of a label."""

    def __init__(self, names: Sequence[Sequence[str]], null: int) -> None:
        """Take all names of each label, `names[label]`, and the null label."""
        self.null = null
        self._shown = {_normalized(name): name for of_label in names for name in of_label}
        self._by_first = _by_name([of_label[:1] for of_label in names])
        self._by_any = _by_name(names)

    def find(self, name: str) -> int:
        """Return the label of a class; "" is the null class.

        A label's first name is found before further names of other labels. Raises `SettingError`,
        with similar names, for an unknown or ambiguous name; fields: name, near.
        """
        if not name:
            return self.null
        key = _normalized(name)
        found = self._by_first.get(key) or self._by_any.get(key)
        if not found:
            raise self._unknown(name)
        if len(found) > 1:
            raise SettingError(
                f"labels {' and '.join(map(str, found))} of the prior are both named {name!r}: "
                "give each a name of its own with --labels",
                name=name,
            )
        return found[0]

    def _unknown(self, name: str) -> SettingError:
        known = list(self._by_any)
        similar = get_close_matches(_normalized(name), known, NEAR, 0.5) or known[:NEAR]
        near = [self._shown[key] for key in similar]
        return SettingError(
            f"the prior has no label {name!r}; similar ones are: {', '.join(near)}; use one "
            "of them in classes.json",
            name=name,
            near=near,
        )


def read_labels(path: Path) -> list[tuple[str, ...]]:
    """Read names by label from JSON: a list of names or of lists of names, or {"0": "name, name"}.

    A model_index.json has them under id2label. Raises `PriorError` for anything else.
    """
    try:
        stored: Any = json.loads(path.read_bytes())  # UTF-8, UTF-16 or UTF-32, also with a mark
    except (OSError, ValueError, RecursionError) as error:
        raise PriorError(f"{path} cannot be read as JSON: {error}") from error
    if isinstance(stored, dict):
        stored = _in_order(stored.get("id2label", stored), path)
    if not isinstance(stored, list):
        raise _refusal(path)
    names = [_names(entry) for entry in stored]
    if not names or not all(names):
        raise _refusal(path)
    return names


def find_labels(folder: Path, given: str) -> list[tuple[str, ...]]:
    """Return the names of a given file, or those of the prior's model_index.json or classes.json.

    The word imagenet gives ImageNet's names as they ship with dsel, in the order of WordNet's ids.
    Raises `PriorError` where there are none.
    """
    if given == "imagenet":
        return [names for _, names in sorted(imagenet_names().items())]
    if given:
        return read_labels(Path(given).expanduser())
    index = folder / "model_index.json"
    stored = json.loads(index.read_text("utf-8")) if index.is_file() else {}
    if stored.get("id2label"):
        return read_labels(index)
    if (folder / "classes.json").is_file():
        return read_labels(folder / "classes.json")
    raise PriorError(
        f"{folder} has no names of its labels: give --labels FILE, a JSON list of class names in "
        "label order",
        setting="labels",
    )


def _in_order(stored: Any, path: Path) -> list[Any]:
    if not isinstance(stored, Mapping) or {*stored} != {str(n) for n in range(len(stored))}:
        raise _refusal(path)
    return [stored[str(number)] for number in range(len(stored))]


def _names(entry: Any) -> tuple[str, ...]:
    """Return the names of one label: a list of them, or text with commas between them."""
    parts = entry.split(",") if isinstance(entry, str) else entry
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return ()
    return tuple(part.strip() for part in parts if part.strip())


def _refusal(path: Path) -> PriorError:
    return PriorError(
        f"{path} has no class names: it must be a list of names in label order, or map "
        '"0", "1" ... to names'
    )


def _by_name(names: Sequence[Sequence[str]]) -> Mapping[str, list[int]]:
    """Return the labels of each name."""
    found: dict[str, list[int]] = {}
    for label, of_label in enumerate(names):
        for key in dict.fromkeys(map(_normalized, of_label)):
            found.setdefault(key, []).append(label)
    return found


def _normalized(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
