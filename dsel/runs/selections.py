"""Stored selections of a run: their settings, their ranked patches, their distilled images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dsel.config import SelectSettings
from dsel.errors import RunError, SettingError
from dsel.files import json_bytes, read_json, read_table, table_bytes, write_atomically
from dsel.runs.schema import PATCHES, patch, patch_row
from dsel.types import ClassSelection

FOLDER: Final = "selections"


def write_selection(
    path: Path, name: str, settings: SelectSettings, classes: Sequence[ClassSelection]
) -> Path:
    """Store a selection in the run at `path`, make it the current one, and return its folder."""
    folder = path / FOLDER / name
    rows = [patch_row(selected, item) for selected in classes for item in selected.patches]
    write_atomically(folder / "patches.parquet", table_bytes(rows, PATCHES))
    images = {selected.name: selected.images for selected in classes}
    record = {"settings": settings.plain(), "images": images}
    write_atomically(folder / "settings.json", json_bytes(record))
    write_atomically(path / "selections/current.json", json_bytes({"selection": name}))
    return folder


def read_selection(
    path: Path, name: str, classes: Sequence[str]
) -> tuple[SelectSettings, tuple[ClassSelection, ...]]:
    """Read a selection of the run at `path`, the current one where the name is empty.

    Raises `RunError` for an unknown one (fields: selection, known), a damaged one, and one of
    another version of dsel.
    """
    name = name or _current(path)
    folder = path / "selections" / name
    if not (folder / "settings.json").is_file():
        known = sorted(p.name for p in folder.parent.glob("*") if p.is_dir())
        raise RunError(
            f"{path} has no selection {name}; it has: {', '.join(known) or 'none'}",
            selection=name,
            known=known,
        )
    record = read_json(folder / "settings.json")
    settings = _settings(path, name, record)
    patches = [patch(line) for line in read_table(folder / "patches.parquet").to_pylist()]
    selections = tuple(
        ClassSelection(
            class_name,
            index,
            tuple(item for item in patches if item.class_index == index),
            tuple(tuple(image) for image in record["images"][class_name]),
        )
        for index, class_name in enumerate(classes)
    )
    return settings, selections


def _settings(path: Path, name: str, record: Mapping[str, Any]) -> SelectSettings:
    try:
        return SelectSettings.from_plain(record["settings"])
    except SettingError as error:
        raise RunError(
            f"selection {name} was stored by another version of dsel ({error}): run dsel select "
            f"{path} again",
            selection=name,
        ) from error


def _current(path: Path) -> str:
    current = path / "selections" / "current.json"
    if not current.is_file():
        raise RunError(f"{path} has no selection yet: run dsel select {path} first")
    return str(read_json(current)["selection"])
