"""The classes that a prior was trained on, where its folder names them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dsel.assets import DEMO_PRIOR, asset
from dsel.files import json_bytes, write_atomically

TRAINED_ON: Final = "trained_on.json"
"""The file of a prior that dsel trained: an object with its `classes`. It changes no output."""


def known_classes(prior: str, lora: str = "") -> tuple[str, ...]:
    """Return the classes that a prior was trained on; none where its folder does not name them.

    prior: the word demo or a folder; nothing is known of others. lora: the file or folder of the
    LoRA weights that are added, which were trained on further classes.
    """
    known = _trained_on(asset(DEMO_PRIOR) if prior == "demo" else Path(prior).expanduser())
    if not (known and lora):
        return known
    path = Path(lora).expanduser()
    added = _trained_on(path if path.is_dir() else path.parent)
    return tuple(dict.fromkeys((*known, *added))) if added else ()


def _trained_on(folder: Path) -> tuple[str, ...]:
    try:
        stored = json.loads((folder / TRAINED_ON).read_text("utf-8"))
        return tuple(map(str, stored["classes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # information only: a prior works without it


def unknown_classes(classes: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the classes that are not among the known ones, whatever their case."""
    names = {_normalized(name) for name in known}
    return [name for name in classes if _normalized(name) not in names]


def write_known_classes(folder: Path, classes: Sequence[str]) -> None:
    """Store in a trained prior's folder what it was trained on."""
    write_atomically(folder / TRAINED_ON, json_bytes({"classes": list(classes)}))


def _normalized(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
