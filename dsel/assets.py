"""The files that ship with dsel: they lie beside the package, or inside it in a wheel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsel.errors import StorageError

DEMO_PRIOR = "demo_prior"
DEMO_RUN = "demo_run"
IMAGENET_CLASSES = "imagenet_classes.json"


def asset(name: str) -> Path:
    """The path of a shipped file or folder; it may be absent."""
    package = Path(__file__).parent
    inside = package / "assets"
    return (inside if inside.is_dir() else package.parent / "assets") / name


def imagenet_names() -> Mapping[str, tuple[str, ...]]:
    """All names of the 1,000 ImageNet classes (ILSVRC 2012) by WordNet id; each first one is shown.

    First names differ; a further name, such as crane, may belong to two classes.
    """
    path = asset(IMAGENET_CLASSES)
    try:
        stored = json.loads(path.read_text("utf-8"))["classes"]
        return {wnid: _names(names) for wnid, names in stored.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(
            f"the class names of ImageNet cannot be read from {path}, which ships with dsel "
            f"({error}): install dsel again, or name the classes in a classes.json"
        ) from error


def _names(stored: Any) -> tuple[str, ...]:
    if not isinstance(stored, list) or not stored or not all(isinstance(n, str) for n in stored):
        raise TypeError(f"{stored!r:.60} is no list of names")
    return tuple(stored)
