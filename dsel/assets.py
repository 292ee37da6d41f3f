"""The files that ship with dsel: beside the package in a checkout, inside it in a wheel."""

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
    """Return the path of a shipped file or folder, which may not exist."""
    package = Path(__file__).parent
    inside = package / "assets"
    return (inside if inside.is_dir() else package.parent / "assets") / name


def imagenet_names() -> Mapping[str, tuple[str, ...]]:
    """Return all names of the 1,000 ImageNet classes (ILSVRC 2012) by WordNet id.

    The first name of each is the one to show. First names differ; a further name, such as crane,
    may belong to two classes.
    """
    path = asset(IMAGENET_CLASSES)
    try:
        stored = json.loads(path.read_text("utf-8"))["classes"]
        return {wnid: _names(names) for wnid, names in stored.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StorageError(
            f"the class names of ImageNet cannot be read from {path}, which ships with dsel "
            f"({error}): install dsel again, or name the classes in a classes.json",
            path=str(path),
        ) from error


def _names(stored: Any) -> tuple[str, ...]:
    if not isinstance(stored, list) or not stored or not all(isinstance(n, str) for n in stored):
        raise TypeError(f"{stored!r:.60} is not a list of names")
    return tuple(stored)
