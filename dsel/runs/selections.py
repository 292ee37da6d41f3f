"""Stored selections of a run: their settings, their ranked patches, their distilled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from pydantic import with_config

from dsel.checksums import damaged
from dsel.config import SelectSettings
from dsel.errors import RunError, SettingError
from dsel.files import (
    STORED,
    read_fields,
    read_record,
    read_table,
    record_bytes,
    table_bytes,
    validated,
    write_atomically,
)
from dsel.patches import ImageRanks
from dsel.runs import remedies
from dsel.runs.schema import PATCHES, patches_table, read_patches
from dsel.types import ClassSelection

Images: TypeAlias = tuple[tuple[int, ...], ...]
"""Per distilled image, the ranks of its patches."""

FOLDER: Final = "selections"


@with_config(STORED)
@dataclass(frozen=True, slots=True)
class _Current:
    selection: str


def write_selection(
    path: Path, name: str, settings: SelectSettings, classes: Sequence[ClassSelection]
) -> Path:
    """Store a selection in the run at `path`, make it the current one, and return its folder."""
    folder = path / FOLDER / name
    write_atomically(folder / "patches.parquet", table_bytes(patches_table(classes), PATCHES))
    images = {one.name: ImageRanks.of(one.images).table.tolist() for one in classes}
    record = {"settings": settings.plain(), "images": images}
    write_atomically(folder / "settings.json", record_bytes(record))
    make_current(path, name)
    return folder


def make_current(path: Path, name: str) -> None:
    """Make a stored selection the current one of the run at `path`."""
    write_atomically(path / FOLDER / "current.json", record_bytes({"selection": name}))


def read_selection(
    path: Path, name: str, classes: Sequence[str]
) -> tuple[SelectSettings, tuple[ClassSelection, ...]]:
    """Read a selection of the run at `path`, the current one where the name is empty.

    Raises `RunError` for an unknown one (fields: selection, known) and one of another version of
    dsel, and `DamageError` for a damaged one.
    """
    name = name or current_selection(path)
    folder = path / FOLDER / name
    if not (folder / "settings.json").exists():
        known = sorted(p.name for p in folder.parent.glob("*") if p.is_dir())
        raise RunError(
            f"{path} has no selection {name}; it has: {', '.join(known) or 'none'}",
            selection=name,
            known=known,
        )
    settings, images = _stored(path, name)
    table = read_table(folder / "patches.parquet", PATCHES, remedy=remedies.SELECT)
    # They are stored class by class.
    starts = np.searchsorted(table["class_index"].to_numpy(), range(len(classes) + 1)).tolist()
    if list(images) != list(classes):
        raise damaged(folder / "settings.json", "it has other classes", remedies.SELECT)
    selections = tuple(
        ClassSelection(
            class_name,
            index,
            read_patches(table.slice(start, end - start), index),
            images[class_name],
        )
        for index, (class_name, (start, end)) in enumerate(
            zip(classes, pairwise(starts), strict=True)
        )
    )
    return settings, selections


def current_selection(path: Path) -> str:
    """Return the name of the last selection; raises `RunError` for a run without one."""
    current = path / FOLDER / "current.json"
    if not current.exists():
        raise RunError(f"{path} has no selection yet: run dsel select {path} first")
    return read_record(current, _Current, remedies.SELECT).selection


def _stored(path: Path, name: str) -> tuple[SelectSettings, Mapping[str, Images]]:
    file = path / FOLDER / name / "settings.json"
    record = read_fields(file, remedies.SELECT)
    if set(record) != {"settings", "images"}:
        raise damaged(file, "it lacks settings and images", remedies.SELECT)
    images = validated(record["images"], dict[str, Images], file, remedies.SELECT)
    try:
        return SelectSettings.from_plain(record["settings"]), images
    except SettingError as error:
        raise RunError(
            f"selection {name} was stored by another version of dsel ({error}): run dsel select "
            f"{path} again",
            selection=name,
        ) from error
